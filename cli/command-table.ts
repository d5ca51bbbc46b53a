/** Every command and flag of `weft`: the parser, `--help` and docs/CLI.md are all made from this table. */
import { PROVIDERS } from "../node/interface/runtime.ts";
import { LOG_LEVELS } from "../node/system/platform/log.ts";
import { TESTNET_DEFAULTS } from "../testnet/defaults.ts";
import { auditCommand } from "./audit-command.ts";
import type { CommandRow, OptionRow } from "./command-row.ts";
import { DATA, READING } from "./data-options.ts";
import { engineFlags } from "./engine-flags.ts";
import { keysCommands } from "./keys-commands.ts";
import { membersCommands } from "./members-commands.ts";
import { modelCommands } from "./model-commands.ts";
import { networkCommands } from "./network-commands.ts";
import { networkOptions, TESTNET_SETTINGS } from "./network-options.ts";
import { choice, duration, integer, part, peerAddress } from "./option-value.ts";
import { PRIVACY_OPTIONS } from "./privacy-options.ts";
import { REACH_OPTIONS } from "./reach-options.ts";

/** What `weft egress export` can write, the usual one first. */
const EGRESS_FORMATS = ["csv", "json"] as const;

const DATA_DIR: OptionRow = {
  flags: "--data-dir <folder>",
  text: "where the peer keeps its files",
  otherwise: "WEFT_DATA_DIR, else the system's folder for data of programs",
};
const JSON_OUTPUT: OptionRow = { flags: "--json", text: "print one JSON document on standard output" };
const LOG_LEVEL: OptionRow = {
  flags: "--log-level <level>",
  text: `log on standard error from this level on: ${LOG_LEVELS.join(", ")}`,
  parse: choice(LOG_LEVELS),
  otherwise: "warn",
};
const MODEL: OptionRow = {
  flags: "--model <folder>",
  text: "base model: a Hugging Face directory with config.json, model.safetensors and tokenizer.json",
  otherwise: "the embedded model",
};
const SPLIT: OptionRow = {
  flags: "--split <rule>",
  text: "how the data is divided among peers: iid, speaker, field:NAME or dirichlet:ALPHA[:FIELD]",
  otherwise: "iid",
};
const BOOTSTRAP: OptionRow = {
  flags: "--bootstrap <multiaddr>",
  text: "a peer to dial first, ending in /p2p/ID; may be repeated",
  parse: peerAddress,
  repeatable: true,
  otherwise: "those that the manifest names",
};

/** Flags of a peer; `weft init` can keep them, `weft run` follows them. */
const PEER_OPTIONS: readonly OptionRow[] = [
  {
    flags: "--network <file>",
    text: "the network's manifest, made by `weft network create`",
    otherwise: "network.json in the data directory",
  },
  MODEL,
  DATA,
  ...READING,
  SPLIT,
  {
    flags: "--part <i/n>",
    text: "which part of the split data is this peer's, such as 2/6",
    parse: part,
    otherwise: "1/1, all of it",
  },
  ...REACH_OPTIONS,
  BOOTSTRAP,
  ...engineFlags(),
  ...PRIVACY_OPTIONS,
];

/** Flags of one run. */
const RUN_OPTIONS: readonly OptionRow[] = [
  { flags: "--compare-alone", text: "also train alone for as many steps on the same data, and report both" },
  {
    flags: "--hold",
    text: "listen and connect, but begin the first round only when a line comes on standard input",
  },
  { flags: "--serve", text: "after the last round stay, and serve updates to others until Ctrl-C" },
  { flags: "--events", text: "print every event as a line of JSON on standard output; not with --json" },
  JSON_OUTPUT,
  LOG_LEVEL,
];

export const COMMANDS: readonly CommandRow[] = [
  {
    name: ["testnet"],
    text: "Train with several peers on this machine, one process each, and report what the swarm was good for.",
    options: [
      {
        flags: "--peers <count>",
        text: "number of peers",
        parse: integer(1, 256),
        otherwise: String(TESTNET_DEFAULTS.peers),
      },
      MODEL,
      DATA,
      ...READING,
      SPLIT,
      ...networkOptions(TESTNET_SETTINGS),
      ...engineFlags({ threads: "processors divided by peers" }),
      ...PRIVACY_OPTIONS,
      {
        ...DATA_DIR,
        text: "where the peers keep their files, one folder each; kept afterwards",
        otherwise: "a temporary folder, removed afterwards",
      },
      { flags: "--keep", text: "keep the peers' files in the temporary folder" },
      { flags: "--report <file>", text: "where to write the HTML report", otherwise: "weft-report.html" },
      JSON_OUTPUT,
      LOG_LEVEL,
    ],
    example: "weft testnet --model models/tinystories-656k --data input.txt --split speaker --peers 6 --rounds 5",
    load: () => import("./commands/testnet/testnet.ts"),
  },
  {
    name: ["init"],
    text: "Make a peer: its identity key, and the flags that `weft run` shall follow.",
    options: [DATA_DIR, ...PEER_OPTIONS, JSON_OUTPUT],
    example: "weft init --data-dir alice --data alice.jsonl",
    load: () => import("./commands/peer/init.ts"),
  },
  ...networkCommands({ model: MODEL, dataDir: DATA_DIR, json: JSON_OUTPUT }),
  {
    name: ["run"],
    text: "Run one peer: train, exchange updates, aggregate, round by round, until the last round or Ctrl-C.",
    options: [DATA_DIR, ...PEER_OPTIONS, ...RUN_OPTIONS],
    configurable: true,
    example: "weft run --data-dir alice --network network.json --data alice.jsonl --port 9000",
    load: () => import("./commands/peer/run.ts"),
  },
  {
    name: ["join"],
    text: "Join a network by an invite: check its manifest and the model, ask for admission, wait until admins approve, and run.",
    argument: { name: "invite", text: "the text weft1… that weft network invite printed" },
    options: [
      DATA_DIR,
      { flags: "--label <text>", text: "what this peer calls itself in its request", otherwise: "nothing" },
      {
        flags: "--wait <time>",
        text: "how long to wait for the admins, such as 30m",
        parse: duration(1, 30 * 86_400),
        otherwise: "until Ctrl-C",
      },
      { flags: "--join-only", text: "do not run afterwards" },
      ...PEER_OPTIONS.filter(({ flags }) => !flags.startsWith("--network")),
      ...RUN_OPTIONS,
    ],
    configurable: "partly",
    example: "weft join weft1qqqsyqcyq5rqwzqfpg9scrgwpugpzysnzs23v9ccrydpk8qarc0jq --label hospital-4 --data-dir dave",
    load: () => import("./commands/peer/join.ts"),
  },
  {
    name: ["status"],
    text: "Show where a running or stopped peer is.",
    options: [DATA_DIR, JSON_OUTPUT],
    example: "weft status --data-dir alice",
    load: () => import("./commands/peer/status.ts"),
  },
  {
    name: ["egress", "verify"],
    text: "Check the record of everything that left a peer, line by line, and show what it adds up to.",
    options: [DATA_DIR, JSON_OUTPUT],
    example: "weft egress verify --data-dir alice",
    load: () => import("./commands/egress/verify.ts"),
  },
  {
    name: ["egress", "export"],
    text: "Write the record of everything that left a peer for other programs; it is checked on the way.",
    options: [
      DATA_DIR,
      {
        flags: "--format <name>",
        text: `how: ${EGRESS_FORMATS.join(" or ")}`,
        parse: choice(EGRESS_FORMATS),
        otherwise: EGRESS_FORMATS[0],
      },
      { flags: "--out <file>", text: "where to write it", otherwise: "standard output" },
    ],
    example: "weft egress export --data-dir alice --format csv --out egress.csv",
    load: () => import("./commands/egress/export.ts"),
  },
  auditCommand({ model: MODEL, data: DATA, json: JSON_OUTPUT }),
  {
    name: ["doctor"],
    text: "Say whether this machine, the peer's files, its model and its network are fit, and try a training step on every device.",
    options: [
      DATA_DIR,
      {
        flags: "--network <file>",
        text: "the manifest that the model is checked against, and whose peers are asked for reachability and clock",
        otherwise: "network.json in the data directory, where there is one",
      },
      MODEL,
      BOOTSTRAP,
      ...REACH_OPTIONS,
      {
        flags: "--device <name>",
        text: `try this device only: ${PROVIDERS.join(", ")}; may be repeated`,
        parse: choice(PROVIDERS),
        repeatable: true,
        otherwise: "all of them",
      },
      JSON_OUTPUT,
    ],
    configurable: "partly",
    example: "weft doctor --network network.json --model models/smollm2-135m",
    load: () => import("./commands/peer/doctor.ts"),
  },
  ...membersCommands({ dataDir: DATA_DIR, json: JSON_OUTPUT }),
  ...keysCommands({ dataDir: DATA_DIR, json: JSON_OUTPUT }),
  ...modelCommands({
    model: MODEL,
    data: DATA,
    dataDir: DATA_DIR,
    json: JSON_OUTPUT,
  }),
];

/** Flags that several commands have: one row each. Those that come from a network's settings are in network-options.ts. */

import { LOG_LEVELS, LOG_MODULES } from "../node/index.ts";
import { BASE_FORMS } from "../protocol/settings/base-forms.ts";
import { parsePromptPositions } from "./adapter-argument.ts";
import { type ArgumentRow, longName, type OptionRow } from "./command-row.ts";
import { DATA, READING } from "./data-options.ts";
import { engineFlags } from "./engine-flags.ts";
import { NETWORK_DEFAULTS, networkOptions } from "./network-options.ts";
import { choice, integer, moduleLevel, part, peerAddress } from "./option-value.ts";
import { EARLIER_OPTION, PRIVACY_OPTIONS } from "./privacy-options.ts";
import { REACH_OPTIONS } from "./reach-options.ts";
import { TRACE } from "./trace-options.ts";

/** Where a peer keeps its files. */
export const DATA_DIR: OptionRow = {
  flags: "--data-dir <folder>",
  text: "folder of the peer's files",
  otherwise: "WEFT_DATA_DIR, else the system's folder for data of programs",
};
/** Where flags are kept. */
export const CONFIG: OptionRow = {
  flags: "--config <file>",
  text: "file of flags by their long names, TOML, or JSON where its name ends in .json",
  otherwise: "config.toml in the data directory",
};
/** Output for programs. */
export const JSON_OUTPUT: OptionRow = { flags: "--json", text: "print one JSON document on standard output" };
/** Output for programs that read along. */
export const JSON_LINES: OptionRow = {
  flags: "--format <form>",
  text: "jsonl: print what happens as lines of JSON on standard output, each with a type, and the result as the last one; not with --json",
  parse: choice(["jsonl"]),
  otherwise: "the result alone, in words",
};
/** Less talk. */
export const QUIET: OptionRow = {
  flags: "--quiet",
  text: "say nothing on standard error but warnings and what failed",
};
/** How much is logged. */
export const LOG_LEVEL: OptionRow = {
  flags: "--log-level <level>",
  text: `log on standard error from this level on: ${LOG_LEVELS.join(", ")}`,
  parse: choice(LOG_LEVELS),
  otherwise: "warn",
};
/** How much is logged of a part of the peer. */
export const LOG_MODULE: OptionRow = {
  flags: "--log-module <module=level>",
  text: `another level for a part of the peer, such as network=debug; the parts are ${LOG_MODULES.join(", ")}; may be repeated`,
  parse: moduleLevel,
  repeatable: true,
};
/** The base model. */
export const MODEL: OptionRow = {
  flags: "--model <folder>",
  text: "base model: a Hugging Face directory with config.json, model.safetensors and tokenizer.json, or a GGUF file",
  otherwise: "the embedded model",
};
/** The base that a manifest agrees on. */
export const AGREED_BASE: OptionRow = {
  flags: "--base <form>",
  text: `form of the frozen base on which every peer has to train: ${BASE_FORMS.join(", ")}; its digest goes into the manifest`,
  parse: choice(BASE_FORMS),
  otherwise: "each peer chooses",
};
/** How several peers divide one data set. */
export const SPLIT: OptionRow = {
  flags: "--split <rule>",
  text: "rule that divides the data among peers: iid, speaker, field:NAME or dirichlet:ALPHA[:FIELD]",
  otherwise: "iid",
};
/** The peers to dial first. */
export const BOOTSTRAP: OptionRow = {
  flags: "--bootstrap <multiaddr>",
  text: "a peer to dial first, ending in /p2p/ID; may be repeated",
  parse: peerAddress,
  repeatable: true,
  otherwise: "those that the manifest names",
};

/** Flags of a peer; `weft init` can keep them, `weft run` follows them. */
export const PEER_OPTIONS: readonly OptionRow[] = [
  {
    flags: "--network <file>",
    text: "the network's manifest, made by `weft network create`",
    otherwise: "network.json in the data directory",
  },
  MODEL,
  {
    ...DATA,
    text: `${DATA.text}; embedded for the small tasks that come with weft`,
    otherwise: "the embedded tasks in an open network of the embedded model; else it must be given",
  },
  ...READING,
  SPLIT,
  {
    flags: "--part <i/n>",
    text: "this peer's part of the split data, such as 2/6",
    parse: part,
    otherwise: "1/1, all of it",
  },
  ...REACH_OPTIONS,
  BOOTSTRAP,
  ...engineFlags(),
  ...PRIVACY_OPTIONS,
  EARLIER_OPTION,
];

/** Flags of one run. */
export const RUN_OPTIONS: readonly OptionRow[] = [
  CONFIG,
  { flags: "--compare-alone", text: "also train alone for as many steps on the same data, and report both results" },
  {
    flags: "--hold",
    text: "listen and connect, but begin the first round only when a line comes on standard input",
  },
  { flags: "--serve", text: "after the last round stay, and serve updates to others until Ctrl-C" },
  { flags: "--events", text: "as --format jsonl: every event is a line of JSON on standard output" },
  JSON_OUTPUT,
  JSON_LINES,
  LOG_LEVEL,
  LOG_MODULE,
  {
    flags: "--admin <address>",
    text: "where the admin interface listens, on this machine alone: a port or 127.0.0.1:PORT, a socket's absolute path, or off for none",
    otherwise: "the socket admin.sock in the data directory; a free port where that path is too long, or with --page",
  },
  { flags: "--page", text: "serve a page that shows the peer as it runs, for a browser on this machine" },
  TRACE,
  {
    flags: "--can-be-cut-off",
    text: "have the admin interface also take whom this peer refuses (POST /v1/control/cut-off): for test networks, which are parted in that way",
  },
];

/** An adapter in a folder. */
export const ADAPTER: OptionRow = {
  flags: "--adapter <folder>",
  text: "folder of an adapter, in weft's own form or PEFT's",
};

/** What the files of pyreft leave out. */
export const POSITIONS: OptionRow = {
  flags: "--positions <word>",
  text: "positions of a pyreft directory's interventions, which its files do not hold: f7+l7, f4, l4 or all",
  parse: parsePromptPositions,
};

/** The seed of work on one machine. */
export const SEED: OptionRow = {
  flags: "--seed <number>",
  text: "seed of the adapter's start, the embedded tasks and the batch order",
  parse: integer(0),
  otherwise: String(NETWORK_DEFAULTS.seed),
};

/** What a folder to write to must be. */
export const NEW_FOLDER = "a new or empty folder";

/** The flag for a backup's passphrase. */
export const PASSPHRASE: OptionRow = {
  flags: "--passphrase-file <file>",
  text: "file with the passphrase; only its owner may read it (mode 600)",
  otherwise: "asked for at the terminal",
};

/** Of the flags that a network's settings have, those that a command on one machine takes too. */
export function networkOptionsNamed(...names: readonly string[]): readonly OptionRow[] {
  return networkOptions(NETWORK_DEFAULTS).filter((option) => names.includes(longName(option)));
}

/** The learning rate's course where there are no rounds. */
export const SCHEDULE: readonly OptionRow[] = networkOptionsNamed("schedule").map((row) => ({
  ...row,
  text: row.text.replace("over all rounds", "over all steps"),
}));

/** The argument of the commands that read a network's file. */
export const NETWORK_FILE: ArgumentRow = {
  name: "file",
  text: "a network's file: a manifest, or a genesis where there is a roster",
};

/** Flags of every command of `weft members`. */
export const ROSTER_OPTIONS: readonly OptionRow[] = [
  { ...DATA_DIR, text: "data directory with the roster; its peer may run or not" },
  JSON_OUTPUT,
];

/** The flag of what may leave a network without enough admins. */
export const WITHOUT_QUORUM: OptionRow = {
  flags: "--without-quorum",
  text: "do it although too few admins are left afterwards to change anything, now or from a known date on",
  otherwise: "such a thing is refused",
};

/** The flag of an admin whose files may be old, and who knows that they are not. */
export const ALONE: OptionRow = {
  flags: "--alone",
  text: "sign it although these files are a copy or come from a backup and no other member could say what their key signed since; only where nothing was",
  otherwise: "such files sign nothing before another member was heard",
};

/** The flag that trusts nothing but the genesis. */
export const VERIFY: OptionRow = {
  flags: "--verify",
  text: "rebuild the roster from the genesis and the stored entries alone, and check every signature",
};

/** The argument that names what is pending. */
export const MOTION: ArgumentRow = {
  name: "motion",
  text: "name of the motion as weft members pending prints it, or its first 8 characters or more, or the peer id of the newcomer",
};

/** The argument that names a member. */
export const MEMBER: ArgumentRow = {
  name: "peer",
  text: "a peer id, the end of one, or what a member called itself, as weft members list shows them",
};

/**
 * What a person can do about an error: the flags and commands of `weft`, by the problem that an error or a finding names.
 * Below the command line nothing knows a flag.
 */
import { type ErrorFacts, type NodeError, type Problem, shellWord } from "../node/index.ts";
import type { ProtocolError } from "../protocol/errors.ts";
import { CODE_REMEDIES, saysWhatToDo } from "./code-remedies.ts";

/** A clause that follows what is wrong, after a semicolon. */
type Remedy = string | ((facts: ErrorFacts) => string);

/** One for every problem. */
export const REMEDIES: Readonly<Record<Problem, Remedy>> = {
  "act-outdated": "let its member run weft keys rotate again, or add --without-quorum where it is meant",
  "act-waits": "wait until that one is decided, or forgotten after two weeks, and do this then",
  "admin-place-shut": "give --admin a port from 1024 on, or a path in a folder that is there and may be written",
  "admin-port-taken": "give --admin another port, or leave it out",
  "another-base": ({ agreed = "FORM" }) => `leave out --base, or give --base ${agreed}`,
  "another-charset": ({ charset = "NAME" }) => `on the command line: --charset ${charset}`,
  "another-data": "choose another --data-dir for this data, or give the same data as before",
  "another-model": "give --model the directory that the adapter was trained on",
  "another-network": "choose another --data-dir for this network",
  "another-rounding": "take the version that made the network; weft model base shows the digest",
  "another-template":
    "take tokenizer_config.json and chat_template.jinja from whoever made the network, or give --chat-template the network's",
  "another-version": "install the newest version, which reads older files too, or start with a new --data-dir",
  "backup-shut": "type the passphrase again, or take another copy of the backup",
  "base-elsewhere": "leave out --base or --device",
  "budget-kept": "give its --dp again, or start with a new --data-dir",
  "budget-missing": "start with a new --data-dir",
  "budget-not-counted": ({ mode, count }) =>
    `give --dp-earlier the ${mode === "update" ? "updates" : "local steps"} that it took with this --dp on this data` +
    `${count === undefined ? ", 0 if none" : ` (${count} are the most of this network)`}, or start with a new --data-dir`,
  "budget-of-another-mode": ({ mode }) => `go on with --dp ${mode}, or start with a new --data-dir`,
  "clock-ahead": "set this machine's time; weft doctor compares the clocks",
  "clock-behind": "set this machine's time, or add --without-quorum where it is meant; weft doctor compares the clocks",
  "columns-unnamed": ({ columns = "prompt=NAME,response=NAME" }) =>
    `on the command line: --columns ${shellWord(`${columns}`)}`,
  "copy-in-use":
    "a key must not run twice: stop that process before this copy is used, or choose another --data-dir, where weft init makes a new key",
  "data-not-given": "give --data FILE, or --data embedded to train on the small tasks that come with weft",
  "device-missing": "choose another --device; weft doctor tries them all",
  "earlier-run": ({ folder }) => `give another --data-dir, or remove ${folder}`,
  "ends-earlier": "weft members promote makes it longer",
  "folder-not-empty": "give --out a new folder",
  "genesis-missing": "use weft join",
  "head-untrained": "weft train with this --model begins one",
  "in-use": "stop it or choose another --data-dir",
  "int8-elsewhere": "leave out --precision int8 or --device",
  "invite-without-address": "give --bootstrap",
  "key-barred": "join with a new --data-dir and a new invite",
  "key-lost": "weft keys restore brings its key back from a backup; for a new peer name another --data-dir",
  "key-missing": "weft init makes one, or name another --data-dir",
  "key-there-already": "name another --data-dir, or move that file away first",
  "lora-part-only": "take its LoRA part alone with --part lora",
  "manifest-missing": "make one with weft network create, or get it from a member of the network",
  "manifest-of-another-program": "ask its author for a manifest that weft network create has written",
  "member-already": "start it with weft run",
  "memory-short": "weft fit shows what each --base takes, with --low-memory and without",
  "motion-unknown": "weft members pending shows the motions that wait, with --declined also those declined here",
  "network-not-given": "give --network FILE, which weft network create makes",
  "network-not-named": "give --network to check it against a network",
  "no-adapter-of-weft": "weft train and weft adapter import write one",
  "no-backup": "name a file that weft keys backup wrote",
  "no-checkpoint": "let weft run train there first",
  "no-member": "weft members list shows the members, weft network invite lets a new one ask",
  "no-swarm": "weft testnet up starts one, or name another --dir",
  "not-reachable": "open the port, announce the address of a port forwarding (--announce), or use --outbound-only",
  "nothing-made-yet": "weft init makes it",
  "peers-unknown": "give --bootstrap, and the doctor checks reachability and clock too",
  "page-port-taken": "give --page-port another one, or leave it out",
  "old-files":
    "start it with weft run until another admin is connected, and do this then, or add --alone where nothing was signed since",
  "passphrase-unfit": "give --passphrase-file a file with the passphrase alone, or type it at a terminal",
  "peft-form-only": "export it with --format peft",
  "positions-known": "leave --positions out",
  "positions-of-two": "give --positions f7+l7 or the like",
  "positions-unsaid": "import it with weft adapter import --positions f7+l7",
  "precision-missing": "leave out --precision, or see weft doctor for other devices",
  "precision-of-kind": "leave out --precision, or choose another --adapter",
  "pyreft-form-only": "export it with --format pyreft",
  "quorum-ends": "make others admins first (weft members promote), or add --without-quorum where it is meant",
  "reft-part-only": "take its ReFT part alone with --part reft",
  "relay-without-role": "leave out --relay, or ask an admin for one of these roles",
  "report-unwritable": "name another file",
  "role-differs": "weft members promote changes a role",
  "rows-too-few": "lower --held-out or --batch-size",
  "signatures-missing": "a founder adds its signature with weft network sign",
  "store-damaged": ({ folder }) =>
    `stop the peer, move ${folder} away and start it again: checkpoints stay, neighbours give back the roster and what this peer has published, but motions and requests that only it had are lost`,
  stranger: "ask an admin for an invite and use weft join",
  "successions-used-up": "found a new network with weft network create",
  "swarm-left": "remove it, or name another --dir",
  "swarm-there": "weft testnet down ends it, or name another --dir",
  "template-refuses": "on the command line: --chat-template FILE, or --chat-template none",
  "training-changed": "give what it was trained with, or --fresh to begin optimiser, schedule and batch order anew",
  "weights-beside": "give --out a file in the same folder",
};

/** What a command says that takes no such flag. */
const WITHOUT_NETWORK =
  "name another --data-dir, or have it belong to one by weft init --network FILE, weft run --network FILE or weft join";

/** The command that was given. */
export interface GivenCommand {
  /** Such as "weft network show". */
  readonly name: string;
  /** Long names of the flags that it takes. */
  readonly flags: readonly string[];
}

/** The line that a person reads: what is wrong, where, and what to do. */
export function errorLine(error: NodeError | ProtocolError, given?: GivenCommand): string {
  const remedy = remedyOf(error, given);
  return remedy === undefined ? error.message : `${error.message}; ${remedy}`;
}

/** What to do about an error: by the problem that it names, else by its code. undefined: its message says it itself. */
export function remedyOf(
  { code, facts, message }: NodeError | ProtocolError,
  given?: GivenCommand,
): string | undefined {
  if (facts.problem === "network-not-given" && given?.flags.includes("network") === false) return WITHOUT_NETWORK;
  const remedy = remedyFor(facts);
  if (remedy !== undefined || saysWhatToDo(message)) return remedy;
  return CODE_REMEDIES[code] ?? `see ${given?.name ?? "weft"} --help`;
}

/** A text about what is wrong or missing, with what to do where the facts name a problem. */
export function withRemedy(text: string, facts: ErrorFacts): string {
  const remedy = remedyFor(facts);
  return remedy === undefined ? text : `${text}; ${remedy}`;
}

function remedyFor(facts: ErrorFacts): string | undefined {
  if (facts.problem === undefined) return undefined;
  const remedy = REMEDIES[facts.problem];
  return typeof remedy === "string" ? remedy : remedy(facts);
}

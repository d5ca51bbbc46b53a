/**
 * Flags of which one would say nothing beside another, or without it: refused before anything is done, in a line. A flag that is
 * passed over without a word leaves a person with another result than the one that was asked for.
 */
import { NodeError } from "../node/index.ts";
import { type CommandRow, camelCase, longName } from "./command-row.ts";

/** A flag by its long name, such as `data`, or one with a value, such as `format=peft`. */
export type FlagTerm = string;

/** What holds for a flag wherever a command has it and the others that are named. */
export interface FlagRule {
  readonly flag: string;
  /** It is refused beside any of these, where both stand on the command line. */
  readonly notWith?: readonly FlagTerm[];
  /** It is refused where none of these is given, wherever it might be given: command line, environment or file. */
  readonly needs?: readonly FlagTerm[];
  /** The only commands that this holds for; absent: all that have the flags. */
  readonly commands?: readonly string[];
  /** Why, as a clause. */
  readonly because: string;
}

const READS_DATA = "they say how a file of data is read";
const JOINS_ONLY = "a peer that only joins does not run";
const NO_NEUTRAL = "they are for the neutral text";
/** Commands that work on what they are given now; `weft init` keeps flags for a later command line. */
const AT_WORK = ["testnet", "testnet up", "run", "join", "network create", "audit inversion", "train"];

/** All that there are. */
export const FLAG_RULES: readonly FlagRule[] = [
  ...["data", "validation", "test", "set", "columns", "roles", "charset", "chat-template"].map((flag) => ({
    flag,
    notWith: ["tasks"],
    commands: ["eval"],
    because: "the items of --tasks take the place of data",
  })),
  ...["batch-size", "max-tokens", "seed"].map((flag) => ({
    flag,
    notWith: ["tasks"],
    commands: ["eval"],
    because: "items are scored one by one and whole",
  })),
  ...["columns", "roles", "charset"].map((flag) => ({
    flag,
    needs: ["data"],
    notWith: ["data=embedded"],
    commands: AT_WORK,
    because: READS_DATA,
  })),
  ...["columns", "roles", "charset", "chat-template"].map((flag) => ({
    flag,
    needs: ["data", "test", "validation"],
    notWith: ["data=embedded"],
    commands: ["eval"],
    because: READS_DATA,
  })),
  {
    flag: "chat-template",
    needs: ["data"],
    notWith: ["data=embedded"],
    commands: ["train", "audit inversion"],
    because: "the embedded tasks are no conversations",
  },
  ...["validation", "test"].map((flag) => ({
    flag,
    needs: ["data"],
    notWith: ["data=embedded"],
    commands: ["train"],
    because: "they hold out examples of a file of data",
  })),
  {
    flag: "split",
    needs: ["data"],
    notWith: ["data=embedded"],
    commands: ["testnet", "testnet up", "run", "join"],
    because: "the embedded tasks are divided already",
  },
  { flag: "split", needs: ["part"], commands: ["run", "join"], because: "it says how parts are made" },
  { flag: "from", notWith: ["adapter"], because: "one is an adapter to train further, the other a new one" },
  { flag: "from", notWith: ["tune"], because: "an adapter that is trained further has its settings" },
  { flag: "fresh", needs: ["from"], because: "a new adapter begins anew anyway" },
  { flag: "steps", notWith: ["epochs"], because: "both say how long to train" },
  ...["rank", "alpha"].map((flag) => ({ flag, needs: ["lora"], because: "only a LoRA has it" })),
  ...["batch", "tokens"].map((flag) => ({ flag, needs: ["format=onnx"], because: "only model.onnx has fixed sizes" })),
  { flag: "base-model", needs: ["format=peft"], because: "only PEFT's form names its base model" },
  ...["data-dir", "network"].map((flag) => ({
    flag,
    notWith: ["adapter"],
    commands: ["adapter export"],
    because: "one is an adapter in a folder, the other that of a peer",
  })),
  ...["l-bfgs", "attack-steps"].map((flag) => ({ flag, notWith: ["attempts=0"], because: "no attempt is made then" })),
  { flag: "page-port", notWith: ["without-page"], because: "without a page nothing listens there" },
  ...["hold", "serve", "compare-alone", "events", "format", "page", "admin", "trace"].map((flag) => ({
    flag,
    notWith: ["join-only"],
    because: JOINS_ONLY,
  })),
  ...["model", "threads", "device", "base"].map((flag) => ({
    flag,
    notWith: ["without-neutral"],
    because: NO_NEUTRAL,
  })),
];

/** The rules that hold for a command. */
export function rulesOf(row: CommandRow): FlagRule[] {
  const names = new Set(row.options.map(longName));
  const has = (term: FlagTerm): boolean => names.has(nameOf(term));
  return FLAG_RULES.filter(
    ({ flag, notWith = [], needs = [], commands = [row.name.join(" ")] }) =>
      commands.includes(row.name.join(" ")) && has(flag) && [...notWith, ...needs].some(has),
  );
}

/** What was given: the value of a flag, and whether it stands on the command line. */
export interface GivenFlags {
  value(name: string): unknown;
  isTyped(name: string): boolean;
}

/** Throws: NodeError CONFIG_INVALID for a flag that would be passed over, with why and what to do. */
export function refuseIdleFlags(row: CommandRow, given: GivenFlags): void {
  const text = rulesOf(row)
    .map((rule) => idleFlag(rule, row, given))
    .find((one) => one !== undefined);
  if (text !== undefined) throw new NodeError("CONFIG_INVALID", text);
}

function idleFlag(
  { flag, notWith = [], needs = [], because }: FlagRule,
  row: CommandRow,
  given: GivenFlags,
): string | undefined {
  const holds = (term: FlagTerm): boolean => {
    const value = given.value(camelCase(nameOf(term)));
    const [, wanted] = term.split("=");
    return wanted === undefined ? value !== undefined && value !== false : String(value) === wanted;
  };
  if (!given.isTyped(camelCase(flag)) || !holds(flag)) return undefined;
  const against = notWith.find((term) => holds(term) && given.isTyped(camelCase(nameOf(term))));
  if (against !== undefined)
    return `--${flag} does nothing beside ${spelt(against)}: ${because}; give one of them, not both`;
  if (needs.length === 0 || needs.some(holds)) return undefined;
  const known = needs.filter((term) => row.options.some((one) => longName(one) === nameOf(term))).map(spelt);
  const that = known.length > 1 ? "one of them" : "that";
  return `--${flag} does nothing without ${known.join(" or ")}: ${because}; give ${that} too, or leave --${flag} out`;
}

const nameOf = (term: FlagTerm): string => term.split("=")[0] ?? term;
const spelt = (term: FlagTerm): string => `--${term.replace("=", " ")}`;

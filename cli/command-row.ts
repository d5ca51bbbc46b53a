/** One command and one flag, as the command table lists them. */
import type { JsonShape } from "./json.ts";
import type { Terminal } from "./terminal.ts";

/** Reads the text after a flag; of a flag that takes one of a few words it names them. */
export type Parser = ((text: string) => unknown) & { readonly values?: readonly string[] };

/** A flag. */
export interface OptionRow {
  /** As in `--peers <count>`; long only. */
  readonly flags: string;
  readonly text: string;
  /** The value of the text after the flag; the text itself when absent. */
  readonly parse?: Parser;
  /** May be given several times; the value is a list. */
  readonly repeatable?: true;
  /** What happens when it is absent, for people. */
  readonly otherwise?: string;
}

/** The one word of a command that is not a flag. */
export interface ArgumentRow {
  readonly name: string;
  /** Whether it may be left out. */
  readonly optional?: true;
  /** Whether it takes all words that follow; they come as one text, with spaces between them. */
  readonly several?: true;
  readonly text: string;
}

/** A command: what it is called, what it takes, and what it does. */
export interface CommandRow {
  /** Such as ["network", "create"]. */
  readonly name: readonly string[];
  readonly text: string;
  readonly argument?: ArgumentRow;
  readonly options: readonly OptionRow[];
  /** Flags of these may stand in the configuration file, by their long names; "partly": among those of others. */
  readonly configurable?: true | "partly";
  /** Whether it may hold its thread for seconds, reading weights or computing. */
  readonly takesLong?: boolean;
  /** Whether it runs until it is stopped. */
  readonly staysOn?: boolean;
  /** The flag with which it does, where it otherwise does not. */
  readonly staysOnWith?: string;
  /** Whether it comes to an end of its own where it is asked to stop, with something to keep; any other is left at once. */
  readonly endsInOrder?: true;
  readonly example: string;
  /** What `--json` prints once the command has done its work, by key. */
  readonly json?: JsonShape;
  /** What `--format jsonl` prints while the command works, by the type of the line; the last line is as `--json` has it. */
  readonly jsonl?: JsonShape;
  /**
   * Do it. options: by camel-cased flag, as the table's parsers return them.  Returns the exit code.
   * It imports what takes long to load itself, once it is called: help and refusals are to be there at once.
   */
  run(options: Readonly<Record<string, unknown>>, terminal: Terminal, argument: string | undefined): Promise<number>;
}

/** The long name of a flag: `local-steps` for `--local-steps <count>`. */
export function longName({ flags }: OptionRow): string {
  return flags.slice(2).split(" ")[0]!;
}

/** Whether a value follows the flag. */
export function takesValue({ flags }: OptionRow): boolean {
  return flags.includes("<");
}

/** A long name as values are looked up by: `localSteps` for `local-steps`. */
export function camelCase(name: string): string {
  return name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** A flag's value, and the text that it was read from. */
export interface ReadValue {
  readonly value: unknown;
  readonly text: string;
}

/** JSON as `--json` prints it: one document, or a document about what went wrong. */
import type { NodeError } from "../node/index.ts";
import type { ProtocolError } from "../protocol/errors.ts";

/** JSON as `--json` prints it. */
export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** One line of JSON, as `--format jsonl` prints it. */
export function jsonLine(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

/** What a command has to say in JSON, by key: a sentence each; a key that ends in ? may be missing, and * is any key. */
export type JsonShape = Readonly<Record<string, string>>;

/** How a command line wants what goes to standard output. */
export type OutputForm = "text" | "json" | "jsonl";

/** What went wrong, for programs; `error` is the only key of the document, or of the last line. */
export interface ErrorDocument {
  readonly error: {
    /** A code of NodeError or ProtocolError, or USAGE, STOPPED, FAILED or UNEXPECTED. */
    readonly code: string;
    readonly message: string;
    /** What to do about it; null where the message says it itself. */
    readonly remedy: string | null;
    readonly exitCode: number;
  };
}

/** The keys of an error document, for the documents. */
export const ERROR_KEYS: JsonShape = {
  code: "the kind of failure: a code of weft, such as CONFIG_INVALID, or USAGE for words that are no command line, STOPPED for what a signal ended, FAILED for what stands on standard error alone, UNEXPECTED for a bug",
  message: "what is wrong, and where",
  remedy: "what to do about it; null where the message says it itself",
  exitCode: "the exit code",
};

/** The form that the words ask for, before anybody has parsed them: a wrong flag beside `--json` is told in JSON, too. */
export function askedForm(words: readonly string[]): OutputForm {
  const end = words.indexOf("--");
  const flags = end < 0 ? words : words.slice(0, end);
  if (flags.includes("--format=jsonl") || flags.some((word, i) => word === "--format" && flags[i + 1] === "jsonl")) {
    return "jsonl";
  }
  return flags.includes("--json") ? "json" : "text";
}

/** The form that parsed flags ask for. */
export function formOf(flags: Readonly<Record<string, unknown>>): OutputForm {
  if (flags.format === "jsonl") return "jsonl";
  return flags.json === true ? "json" : "text";
}

/** What a failure is in an error document.  remedy: of the problem that the error names. */
export function failureOf(
  error: NodeError | ProtocolError,
  remedy: string | undefined,
): Pick<ErrorDocument["error"], "code" | "message" | "remedy"> {
  return { code: error.code, message: error.message, remedy: remedy ?? null };
}

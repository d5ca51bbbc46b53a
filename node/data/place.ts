/** Where in somebody's data something stands, and what is said when it cannot be used. */
import { NodeError } from "../errors.ts";

/** A line of a file (`alice.jsonl:3`), or a row of a file without lines (`alice.parquet, row 3`). */
export interface Place {
  readonly file: string;
  /** From 1. */
  readonly line?: number;
  /** From 1. */
  readonly row?: number;
}

/** `file:line`, `file, row 3`, or the file alone. */
export function formatPlace({ file, line, row }: Place): string {
  if (line !== undefined) return `${file}:${line}`;
  return row === undefined ? file : `${file}, row ${row}`;
}

/** DATA_FORMAT in one line that begins with the place: what, and what to do. */
export function dataRefusal(place: Place, text: string, cause?: unknown): NodeError {
  return new NodeError("DATA_FORMAT", `${formatPlace(place)}: ${text}`, { ...place }, { cause });
}

/** What a value of JSON is, for error lines: "a list", "an object", "a number". */
export function describeValue(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

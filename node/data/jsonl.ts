/**
 * Rows of JSON, one a line: `{"prompt", "response"}`, or `{"instruction", "input", "output"}` where the input may be
 * empty or absent. Every other text, number or truth value of a row is kept as a field to split by.
 *
 * An instruction row becomes this prompt, the line `Input:` and its text left out where there is no input:
 *
 *     Task: <instruction>
 *     Input: <input>
 *     Answer:
 *
 * and the output is the response, on a line of its own. Prompt and response of the other form are joined as they stand;
 * where neither brings white space to the seam, a line break is put there.
 *
 * Some fields have a meaning: `"set"` names the set a row belongs to (train, validation or test; see held-out.ts),
 * `"overflow": "continue"` marks running text, and `"task"` or `"kind"` names the task (see record.ts).
 */
import { NodeError } from "../errors.ts";
import type { DataRecord } from "./record.ts";

const BYTE_ORDER_MARK = "\uFEFF";

/**
 * Records of all rows; blank lines are skipped.
 * Throws: NodeError DATA_FORMAT with `file:line: what, what to do`; DATA_FORMAT for a file without rows.
 */
export async function readJsonl(
  lines: AsyncIterable<string> | Iterable<string>,
  { file }: { readonly file: string },
): Promise<DataRecord[]> {
  const records: DataRecord[] = [];
  let number = 0;
  for await (const line of lines) {
    number++;
    const text = number === 1 && line.startsWith(BYTE_ORDER_MARK) ? line.slice(1) : line;
    if (text.trim() === "") continue;
    records.push(parseRow(text, { file, line: number }));
  }
  if (records.length === 0) {
    throw new NodeError("DATA_FORMAT", `${file} has no rows; write one JSON object a line`, { file });
  }
  return records;
}

/** One row a record, in the form that `readJsonl` reads back. */
export function formatJsonl(records: readonly DataRecord[]): string {
  return records
    .map(({ prompt, response, fields, overflow }) => {
      const marks = overflow === "continue" ? { overflow } : {};
      return `${JSON.stringify({ ...fields, prompt, response, ...marks })}\n`;
    })
    .join("");
}

/** Names that rows are written with; never fields. */
const RESERVED = ["prompt", "response", "overflow"];

interface Place {
  readonly file: string;
  readonly line: number;
}

type Row = Readonly<Record<string, unknown>>;

function parseRow(text: string, place: Place): DataRecord {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw refusal(place, "this is not JSON; write one complete object on the line", error);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw refusal(place, `this is ${describe(value)}; write a JSON object`);
  }
  const row = value as Row;
  const usesInstruction = !("prompt" in row) && ("instruction" in row || "output" in row);
  return usesInstruction ? instructionRecord(row, place) : promptRecord(row, place);
}

function promptRecord(row: Row, place: Place): DataRecord {
  const prompt = requireText(row, "prompt", place);
  const response = requireAnswer(row, "response", place);
  const joined = prompt === "" || /\s$/u.test(prompt) || /^\s/u.test(response);
  return record(row, joined ? prompt : `${prompt}\n`, response, []);
}

function instructionRecord(row: Row, place: Place): DataRecord {
  const instruction = requireText(row, "instruction", place);
  const input = row.input === undefined || row.input === null ? "" : requireText(row, "input", place);
  const output = requireAnswer(row, "output", place);
  const given = input.trim() === "" ? "" : `Input: ${input}\n`;
  const prompt = `Task: ${instruction}\n${given}Answer:\n`;
  return record(row, prompt, output, ["instruction", "input", "output"]);
}

function record(row: Row, prompt: string, response: string, used: readonly string[]): DataRecord {
  const others = Object.entries(row).filter(([name]) => !used.includes(name) && !RESERVED.includes(name));
  const fields = others.flatMap(([name, value]): [string, string][] =>
    typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? [[name, `${value}`]] : [],
  );
  return {
    prompt,
    response,
    fields: Object.fromEntries(fields),
    overflow: row.overflow === "continue" ? "continue" : "cut",
  };
}

function requireAnswer(row: Row, name: string, place: Place): string {
  const text = requireText(row, name, place);
  if (text === "") throw refusal(place, `"${name}" is empty; give an answer to learn, or drop the row`);
  return text;
}

function requireText(row: Row, name: string, place: Place): string {
  if (!Object.hasOwn(row, name)) {
    throw refusal(
      place,
      `"${name}" is missing; give "prompt" and "response", or "instruction" and "output" with an optional "input"`,
    );
  }
  const value = row[name];
  if (typeof value !== "string") throw refusal(place, `"${name}" is ${describe(value)}; make it text in quotes`);
  return value;
}

function describe(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function refusal({ file, line }: Place, text: string, cause?: unknown): NodeError {
  return new NodeError("DATA_FORMAT", `${file}:${line}: ${text}`, { file, line }, { cause });
}

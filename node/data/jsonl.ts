/**
 * Rows of JSON, one a line, as records; and records as such rows. Every text, number or truth value of a row that its
 * form does not read is kept as a field to split by.
 *
 * Some fields have a meaning: `"set"` names the set a row belongs to (train, validation or test; see held-out.ts),
 * `"overflow": "continue"` marks running text, and `"task"` or `"kind"` names the task (see record.ts).
 */
import { NodeError } from "../errors.ts";
import { jsonLineRows } from "./json-rows.ts";
import type { DataRecord } from "./record.ts";
import type { TextPieces } from "./row.ts";
import { recordOfRow } from "./row-reader.ts";

/**
 * Records of all rows; blank lines are skipped.
 * Throws: NodeError DATA_FORMAT with `file:line: what, what to do`; DATA_FORMAT for a file without rows.
 */
export async function readJsonl(lines: TextPieces, { file }: { readonly file: string }): Promise<DataRecord[]> {
  const records: DataRecord[] = [];
  for await (const row of jsonLineRows(lines, { file })) {
    const { record } = recordOfRow(row);
    if (record) records.push(record);
  }
  if (records.length > 0) return records;
  throw new NodeError("DATA_FORMAT", `${file} has no rows; write one JSON object a line`, { file });
}

/** One row a record, in the form that `readJsonl` reads back. */
export function formatJsonl(records: readonly DataRecord[]): string {
  return records.map((record) => `${JSON.stringify({ ...record.fields, ...formatted(record) })}\n`).join("");
}

function formatted({ prompt, response, overflow, question, asked, conversation }: DataRecord): object {
  const marks = overflow === "continue" ? { overflow } : {};
  if (asked) return { ...asked, output: response, ...marks };
  if (!conversation) return { prompt: question ?? prompt, response, ...marks };
  const { messages, tools, learntFrom } = conversation;
  const written = messages.map(({ role, content, more }) => ({ role, content, ...more }));
  const given = tools && { tools };
  if (learntFrom === 0) return { messages: written, ...given, ...marks };
  return { prompt: written.slice(0, learntFrom), completion: written.slice(learntFrom), ...given, ...marks };
}

/** What is said of a row that has no form: what it is where that is known, else the nearest form and the columns to name. */
import { closestName } from "../../protocol/closest-name.ts";
import { NodeError } from "../errors.ts";
import { dataRefusal, type Place } from "./place.ts";
import type { RowValues } from "./row.ts";
import { choiceColumns, questionColumn, suggestedColumns } from "./suggested-columns.ts";

/** The form that most of the row's columns belong to. */
export interface NearestForm {
  /** The column that is missing of it. */
  readonly lacked: string;
  /** How the form is written. */
  readonly says: string;
  /** Columns of the form. */
  readonly needs: readonly string[];
  /** How other forms are written, where no form is near. */
  readonly others?: string;
}

/** The refusal, for the caller to throw. */
export function unreadableRow(values: RowValues, place: Place, nearest: NearestForm): NodeError {
  const columns = Object.keys(values);
  const chosen = ["chosen", "preferred_output"].find((name) => columns.includes(name));
  if (chosen !== undefined) return preferenceRefusal(values, chosen, place);
  if ("replies" in Object(values.prompt)) {
    return dataRefusal(place, 'this is a tree of messages; write each thread as a row of "messages"');
  }
  if (columns.includes("role") && (columns.includes("content") || columns.includes("parts"))) {
    const todo = 'write each conversation as one row, {"messages": [...]}';
    return dataRefusal(
      place,
      `this is one message, which says nothing of the conversation that it belongs to; ${todo}`,
    );
  }
  const single = choiceColumns(values);
  if (single.length > 0) {
    const names = single.map((name) => `"${name}"`).join(", ");
    const todo = 'write them as a list "choices", beside "question" and "answer" (the number of the right one, from 0)';
    return dataRefusal(place, `the choices stand in columns of their own (${names}); ${todo}`);
  }
  const { lacked, says, others } = nearest;
  const known = others === undefined ? "" : ` (a row may also have ${others})`;
  const missing = `"${lacked}" is missing; give ${says}`;
  if (columns.some(isSentence)) {
    const first = `the row has ${namesOf(columns)}: put the names of the columns into the first line`;
    return dataRefusal(place, `${missing}; ${first}`);
  }
  const named = suggestedColumns(values);
  if (named !== undefined) return withColumns(place, `${missing}; columns ${named} would read this row`, named);
  const close = closeColumn(values, nearest);
  const map = close === undefined ? "" : `; a column of another name is mapped by columns ${close}`;
  return dataRefusal(place, `${missing}${known}; the row has ${namesOf(columns)}${map}`);
}

/** A refusal of which the remedy is a list of columns to name. */
export function withColumns(place: Place, text: string, columns: string): NodeError {
  const { code, message, facts } = dataRefusal(place, text);
  return new NodeError(code, message, { ...facts, columns, problem: "columns-unnamed" });
}

/** A number, or words in a row: what stands in a table without names in its first line. */
const isSentence = (name: string): boolean => /^-?\d+(?:[.,]\d+)?$/u.test(name) || name.trim().split(/\s+/u).length > 4;

const namesOf = (columns: readonly string[]): string => {
  const shown = columns.slice(0, 12).map((name) => `"${name.slice(0, 40)}"`);
  return columns.length === 0 ? "no columns" : `${shown.join(", ")}${columns.length > 12 ? " and more" : ""}`;
};

/** Columns that hold lists. */
const LISTS: readonly string[] = ["messages", "conversations", "choices", "tokens", "contents", "chat_messages"];

/** A column that is written nearly as the missing one. */
function closeColumn(values: RowValues, { lacked, needs }: NearestForm): string | undefined {
  const isList = LISTS.includes(lacked);
  const fits = (value: unknown): boolean => (isList ? Array.isArray(value) : typeof value === "string");
  const others = Object.keys(values).filter((name) => !needs.includes(name) && fits(values[name]));
  const close = closestName(lacked, others) ?? (lacked === "prompt" ? questionColumn(values) : undefined);
  return close === undefined ? undefined : `${lacked}=${close}`;
}

/** Of rows with an answer that is preferred to another. */
function preferenceRefusal(values: RowValues, chosen: string, place: Place): NodeError {
  const what = "this row has a preferred answer and another; weft learns answers, and no preferences";
  const isText = typeof values[chosen] === "string";
  const asked = typeof values.prompt === "string" || Array.isArray(values.prompt);
  if (!isText && !asked && (values[chosen] as { length?: number } | null)?.length === 1) {
    return dataRefusal(place, `${what}; write the preferred ones as rows of "messages"`);
  }
  const name = asked ? (isText ? "response" : "completion") : isText ? "text" : "messages";
  return withColumns(place, `${what}; columns ${name}=${chosen} learns the preferred ones`, `${name}=${chosen}`);
}

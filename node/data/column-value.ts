/**
 * What a column of a map of columns stands for: a column by its name, a part of one by a path of names and numbers
 * (`answers.text.0`), or the texts of several, each on lines of its own (`context+question`).
 */
import { dataRefusal, describeValue, type Place } from "./place.ts";
import type { RowValues } from "./row.ts";

/** The names of the columns that are read; a column that is called as the whole text comes first. */
export function rootsOf(text: string, columns: readonly string[]): readonly string[] {
  if (columns.includes(text)) return [text];
  return text.split("+").map((part) => rootOf(part.trim(), columns));
}

/** The longest name of a column that a path begins with; else what stands before its first dot. */
function rootOf(path: string, columns: readonly string[]): string {
  const names = path.split(".");
  const prefixes = names.map((_, i) => names.slice(0, i + 1).join("."));
  return prefixes.findLast((prefix) => columns.includes(prefix)) ?? names[0]!;
}

/**
 * The value of a text of the map in a row; null where a path leads to nothing. Every column that it names must be there.
 * Throws: DATA_FORMAT where one of several parts that are put together is no text.
 */
export function valueOfColumns(values: RowValues, text: string, place: Place): unknown {
  if (Object.hasOwn(values, text)) return values[text];
  const parts = text.split("+").map((part) => part.trim());
  const [first = ""] = parts;
  if (parts.length === 1) return valueAt(values, first);
  const texts = parts.map((part) => {
    const value = valueAt(values, part) ?? "";
    if (typeof value === "string") return value;
    if (typeof value === "number" || typeof value === "boolean") return `${value}`;
    throw dataRefusal(place, `"${part}" is ${describeValue(value)}; only texts are put together by ${text}`);
  });
  return texts.filter((one) => one.trim() !== "").join("\n");
}

function valueAt(values: RowValues, path: string): unknown {
  const root = rootOf(path, Object.keys(values));
  const rest = path.slice(root.length + 1);
  let value: unknown = values[root];
  for (const name of rest === "" ? [] : rest.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return null;
    value = (value as RowValues)[name];
  }
  return value ?? null;
}

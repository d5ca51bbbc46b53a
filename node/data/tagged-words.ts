/** Words with a tag each, as rows of named entities and parts of speech have them. */
import { jsonOfCell } from "./cell-json.ts";
import { dataRefusal, describeValue, type Place } from "./place.ts";
import type { DataRecord } from "./record.ts";
import type { RowValues } from "./row.ts";

/** The number of a tag that says nothing about its word, as PyTorch's losses have it. */
export const NO_TAG = -100;

/**
 * The words of `tokens` and their tags, by name or number.  A table as text has lists as JSON.
 * Throws: DATA_FORMAT at the place.
 */
export function taggedWords(
  values: RowValues,
  { column, place }: { readonly column: string; readonly place: Place },
): NonNullable<DataRecord["tagged"]> {
  const words = listOf(values.tokens, "tokens", place);
  const tags = listOf(values[column], column, place);
  if (words.length !== tags.length) {
    const text = `"tokens" has ${words.length} words and "${column}" ${tags.length} tags; give each word one`;
    throw dataRefusal(place, text);
  }
  if (words.length === 0) throw dataRefusal(place, '"tokens" is empty; give words, or drop the row');
  return {
    words: words.map((word, i) => {
      if (typeof word === "string") return word;
      throw dataRefusal(place, `tokens[${i}] is ${describeValue(word)}; make it text`);
    }),
    tags: tags.map((tag, i) => {
      if (typeof tag === "string") return tag;
      const number = typeof tag === "bigint" ? Number(tag) : tag;
      if (typeof number === "number" && Number.isSafeInteger(number) && (number >= 0 || number === NO_TAG))
        return number;
      throw dataRefusal(place, `${column}[${i}] is ${describeValue(tag)}; make it the name or the number of a class`);
    }),
  };
}

function listOf(value: unknown, name: string, place: Place): readonly unknown[] {
  if (Array.isArray(value)) return value;
  if (typeof value === "string" && /^\s*\[/u.test(value)) {
    const what = `"${name}" begins like a list and is no JSON`;
    return jsonOfCell(value, what, "write it as JSON", place) as readonly unknown[];
  }
  throw dataRefusal(place, `"${name}" is ${describeValue(value)}; make it a list`);
}

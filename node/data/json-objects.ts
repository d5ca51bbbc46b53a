/**
 * JSON objects that stand on several lines, one after another, and what is in an object that is no row itself: rows in a
 * list of it (`{"data": [...]}`), in lists by set (`{"train": [...], "test": [...]}`), or the chats of Telegram.
 */
import { type ChatLog, telegramLogs } from "./chat-log.ts";
import { type ColumnMap, mappedColumns } from "./column-map.ts";
import { isObject } from "./exported-chats.ts";
import { JsonNesting } from "./json-nesting.ts";
import { parseObject } from "./json-rows.ts";
import { dataRefusal } from "./place.ts";
import type { Row, RowValues, TextPieces } from "./row.ts";
import { formOfColumns } from "./row-forms.ts";

/** Characters of one object: it is read whole. */
export const OBJECT_CHARACTERS_MAX = 2 ** 28;

/** Names of sets, by what lists of rows are called. */
const SETS: Readonly<Record<string, "train" | "validation" | "test">> = {
  train: "train",
  training: "train",
  validation: "validation",
  valid: "validation",
  dev: "validation",
  test: "test",
};

/** What an object holds. */
export type ObjectContent = { readonly rows: Iterable<Row> } | { readonly logs: readonly ChatLog[] };

/**
 * What is in an object: itself where it is a row, else its chats, or the rows of its lists.
 * Throws: DATA_FORMAT for an object with several lists that are not named as sets are.
 */
export function contentOf({ values, place }: Row, columns: ColumnMap = new Map()): ObjectContent {
  const logs = telegramLogs(values);
  if (logs) return { logs };
  if (isRow(values, columns)) return { rows: [{ values, place }] };
  const lists = Object.entries(values).filter(([, value]) => isListOfObjects(value)) as [
    string,
    readonly RowValues[],
  ][];
  const [first] = lists;
  // No list: the row is refused by what it lacks, as any other.
  if (first === undefined) return { rows: [{ values, place }] };
  const areSets = lists.every(([name]) => Object.hasOwn(SETS, name.toLowerCase()));
  if (lists.length > 1 && !areSets) {
    const names = lists.map(([name]) => `"${name}"`).join(", ");
    throw dataRefusal(
      place,
      `the object has lists of rows in ${names}; save the one that is meant as a file of its own`,
    );
  }
  function* rows(): Generator<Row> {
    let row = 0;
    for (const [name, list] of lists) {
      const set = areSets && lists.length > 1 ? { set: SETS[name.toLowerCase()] } : {};
      for (const element of list) {
        row += 1;
        yield { values: { ...set, ...element }, place: { file: place.file, row } };
      }
    }
  }
  return { rows: rows() };
}

/** Whether an object at the head of a file stands for more than one row, or for none. */
export function holdsMore(values: RowValues, columns: ColumnMap): boolean {
  return telegramLogs(values) !== undefined || !isRow(values, columns);
}

const isRow = (values: RowValues, columns: ColumnMap): boolean =>
  formOfColumns(mappedColumns(Object.keys(values), columns)) !== undefined;

const isListOfObjects = (value: unknown): boolean => Array.isArray(value) && value.length > 0 && value.every(isObject);

/**
 * The objects of a text, however many lines each has.
 * Throws: DATA_FORMAT at the line that an object begins on, where it is no JSON, does not end, or is too long to be read.
 */
export async function* jsonObjects(pieces: TextPieces, { file }: { readonly file: string }): AsyncGenerator<Row> {
  const cutter = new ObjectCutter(file);
  for await (const piece of pieces) {
    for (const { text, line } of cutter.read(piece)) {
      const place = { file, line };
      yield { values: parseObject(text, place, "write one complete object on each line"), place };
    }
  }
  cutter.end();
}

/** Cuts a text where brackets close; what stands between is left to JSON.parse. */
class ObjectCutter {
  readonly #file: string;
  readonly #pending: string[] = [];
  #length = 0;
  readonly #nesting = new JsonNesting();
  #line = 1;
  #begin = 1;

  constructor(file: string) {
    this.#file = file;
  }

  /** The objects that end in this piece. */
  *read(piece: string): Generator<{ readonly text: string; readonly line: number }> {
    let from = 0;
    for (let i = 0; i < piece.length; i++) {
      const character = piece[i]!;
      if (character === "\n") this.#line += 1;
      const wasOutside = this.#nesting.depth === 0;
      if (wasOutside) {
        if (/[\s\uFEFF]/u.test(character)) continue;
        if (character !== "{") throw this.#refusal("text stands outside of the objects; write one object a line");
        [this.#begin, from] = [this.#line, i];
      }
      this.#nesting.read(character);
      if (wasOutside || this.#nesting.depth > 0) continue;
      this.#keep(piece.slice(from, i + 1));
      yield { text: this.#pending.join(""), line: this.#begin };
      this.#pending.length = 0;
      this.#length = 0;
    }
    if (this.#nesting.depth > 0) this.#keep(piece.slice(from));
  }

  /** Throws: DATA_FORMAT where an object has not ended. */
  end(): void {
    if (this.#nesting.depth > 0) {
      throw this.#refusal("the file ends before its object does; it is not complete, take it from its source again");
    }
  }

  #keep(text: string): void {
    this.#pending.push(text);
    this.#length += text.length;
    if (this.#length > OBJECT_CHARACTERS_MAX) {
      throw this.#refusal(`this object is longer than ${OBJECT_CHARACTERS_MAX} characters; write one row a line`);
    }
  }

  #refusal(text: string): Error {
    return dataRefusal({ file: this.#file, line: this.#nesting.depth > 0 ? this.#begin : this.#line }, text);
  }
}

/**
 * JSON objects that stand on several lines, one after another, and what is in an object that is no row itself: rows in a
 * list of it (`{"data": [...]}`), in lists by set (`{"train": [...], "test": [...]}`), or the chats of a messenger.
 */
import type { ChatLog } from "./chat-log.ts";
import { type ColumnMap, mappedColumns } from "./column-map.ts";
import { isObject } from "./exported-chats.ts";
import { JsonNesting } from "./json-nesting.ts";
import { parseObject } from "./json-rows.ts";
import { exportedLogs } from "./messenger-exports.ts";
import { dataRefusal, type Place } from "./place.ts";
import { squadRows } from "./published-rows.ts";
import type { Row, RowValues, TextPieces } from "./row.ts";
import { formOfColumns } from "./row-forms.ts";
import { setOfName } from "./set-names.ts";

/** Characters of one object: it is read whole. */
export const OBJECT_CHARACTERS_MAX = 2 ** 28;

/** What an object holds. */
export type ObjectContent = { readonly rows: Iterable<Row> } | { readonly logs: readonly ChatLog[] };

/**
 * What is in an object: itself where it is a row, else its chats, or the rows of its lists.
 * Throws: DATA_FORMAT for an object with several lists that are not named as sets are.
 */
export function contentOf({ values, place }: Row, columns: ColumnMap = new Map()): ObjectContent {
  const logs = exportedLogs(values);
  if (logs) return { logs };
  const squad = squadRows({ values, place });
  if (squad) return { rows: squad };
  refuseColumns(values, place);
  // A row of preferences, which is refused as one, has lists that are no rows.
  const isPreference = Object.hasOwn(values, "chosen") || Object.hasOwn(values, "preferred_output");
  if (isPreference || isRow(values, columns)) return { rows: [{ values, place }] };
  const lists = Object.entries(values).filter(([, value]) => isListOfObjects(value)) as [
    string,
    readonly RowValues[],
  ][];
  const [first] = lists;
  if (first === undefined) {
    const inner = innerList(values);
    if (inner === undefined) return { rows: [{ values, place }] };
    throw dataRefusal(place, `its rows stand in "${inner}"; save that list as a file of its own`);
  }
  const areSets = lists.every(([name]) => setOfName(name) !== undefined);
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
      const set = areSets && lists.length > 1 ? { set: setOfName(name) } : {};
      for (const element of list) {
        row += 1;
        yield { values: { ...set, ...unwrapped(element) }, place: { file: place.file, row } };
      }
    }
  }
  return { rows: rows() };
}

/** Rows of Hugging Face's viewer are the `row` of their elements. */
const unwrapped = ({ row_idx: index, row, ...others }: RowValues): RowValues => {
  if (typeof index === "number" && isObject(row)) return row;
  return { ...(index !== undefined && { row_idx: index }), ...(row !== undefined && { row }), ...others };
};

/** Where a list of objects stands further inside, such as `data.rows`. */
function innerList(values: RowValues, depth = 3): string | undefined {
  for (const [name, value] of Object.entries(values)) {
    if (isListOfObjects(value)) return name;
    const inner = depth > 0 && isObject(value) ? innerList(value, depth - 1) : undefined;
    if (inner !== undefined) return `${name}.${inner}`;
  }
  return undefined;
}

/** Whether an object holds a table by columns, as pandas writes one unless it is told otherwise. */
function isOfColumns(values: RowValues): boolean {
  const columns = Object.values(values);
  if (columns.length < 2) return false;
  if (Array.isArray(values.columns) && Array.isArray(values.data)) return values.data.every(Array.isArray);
  if (columns.every(isObject)) return columns.every((column) => Object.keys(column).join().startsWith("0"));
  const [first] = columns;
  const isLong = (column: unknown): boolean =>
    Array.isArray(column) && Array.isArray(first) && column.length === first.length && !column.some(isObject);
  return columns.every(isLong) && formOfColumns(Object.keys(values)) !== "tokens/tags";
}

/** Throws: DATA_FORMAT. */
function refuseColumns(values: RowValues, place: Place): void {
  const isNotebook = typeof values.nbformat === "number" && Array.isArray(values.cells);
  if (isNotebook) throw dataRefusal(place, "this is a notebook of Jupyter, which weft does not read; save its text");
  const byNumber = Object.entries(values);
  const describes = (entry: unknown): boolean =>
    isObject(entry) &&
    ["file_name", "hf_hub_url", "ms_hub_url", "script_url"].some((name) => Object.hasOwn(entry, name));
  if (byNumber.length > 0 && byNumber.every(([, entry]) => describes(entry))) {
    throw dataRefusal(
      place,
      "this describes data sets, as LLaMA-Factory does, and holds none; give a file that it names",
    );
  }
  if (byNumber.length > 1 && byNumber.every(([name, row], i) => name === `${i}` && isObject(row))) {
    throw dataRefusal(place, 'this is an object of rows by number; save them as a list (pandas: orient="records")');
  }
  const isRowByName = ([, row]: [string, unknown]): boolean =>
    isObject(row) && formOfColumns(Object.keys(row)) !== undefined;
  if (byNumber.length > 1 && byNumber.every(isRowByName)) {
    throw dataRefusal(place, "this is an object of rows by name; save them as a list, or one object a line");
  }
  if (!isOfColumns(values)) return;
  throw dataRefusal(place, 'this is a table by columns; save it by rows (pandas: to_json with orient="records")');
}

/** Whether an object at the head of a file stands for more than one row, or for none. */
export function holdsMore(values: RowValues, columns: ColumnMap): boolean {
  return exportedLogs(values) !== undefined || isOfColumns(values) || !isRow(values, columns);
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

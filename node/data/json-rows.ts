/** Rows of JSON: one object a line, or one list of objects that may stand on any number of lines. */
import { JsonNesting } from "./json-nesting.ts";
import { refuseTraps } from "./json-traps.ts";
import { LINE_LENGTH_MAX } from "./lines.ts";
import { dataRefusal, describeValue, type Place } from "./place.ts";
import type { Row, RowValues, TextPieces } from "./row.ts";

const BYTE_ORDER_MARK = "\uFEFF";

/** One row a line; blank lines are skipped.  Throws: DATA_FORMAT with file and line. */
export async function* jsonLineRows(lines: TextPieces, { file }: { readonly file: string }): AsyncGenerator<Row> {
  let line = 0;
  for await (const text of lines) {
    line += 1;
    // Files that were put one behind the other have one in the middle too.
    const bare = text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
    if (bare.trim() === "") continue;
    const place = { file, line };
    yield { values: parseObject(bare, place, "write one complete object on the line"), place };
  }
}

/** The objects of a list.  Throws: DATA_FORMAT with file and line, also where the list does not end. */
export async function* jsonArrayRows(pieces: TextPieces, { file }: { readonly file: string }): AsyncGenerator<Row> {
  const splitter = new ArraySplitter(file);
  for await (const piece of pieces) {
    for (const { text, line } of splitter.read(piece)) {
      const place = { file, line };
      yield { values: parseObject(text, place, "write the list again by a program"), place };
    }
  }
  splitter.end();
}

/** What a text that is no JSON looks like instead; empty where that is not known. */
function notationOf(text: string): string {
  if (/^\s*\{\s*'/u.test(text)) return " but Python's notation, as str() writes it and json.dumps does not";
  const number = /[:,[]\s*(-?Infinity|NaN)\b/u.exec(text.replace(/"(?:[^"\\]|\\.)*"/gu, '""'))?.[1];
  if (number !== undefined) return `, which has no ${number}`;
  if (/^\s*\{.*\}\s*,\s*$/su.test(text)) return ": a comma follows the object";
  if (/^\s*(?:\/\/|\/\*|#)/u.test(text)) return ", which has no comments";
  const bare = text.replace(/"(?:[^"\\]|\\.)*"/gu, '""');
  if (/,\s*[}\]]/u.test(bare)) return ": a comma stands before a closing bracket";
  if (/\}\s*\r\s*\{/u.test(bare)) return " on lines that end in LF, but on some that end in CR alone";
  if (/\}\s*\{/u.test(bare)) return ": several objects stand on the line";
  if (text.trim() === "") return ": nothing stands between two commas, or behind the last";
  return "";
}

/** Text as a JSON object.  Throws: DATA_FORMAT at the place, ending in what to do. */
export function parseObject(text: string, place: Place, todo: string): RowValues {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw dataRefusal(place, `this is not JSON${notationOf(text)}; ${todo}`, error);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw dataRefusal(place, `this is ${describeValue(value)}; write a JSON object`);
  }
  refuseTraps(text, value as RowValues, place);
  return value as RowValues;
}

/**
 * Cuts a list into its elements without reading them: brackets and strings are followed, JSON.parse reads what is
 * between two commas.
 */
class ArraySplitter {
  readonly #file: string;
  #state: "before" | "element" | "after" = "before";
  readonly #nesting = new JsonNesting();
  #pending: string[] = [];
  #length = 0;
  #line = 1;
  #elementLine = 1;
  #count = 0;

  constructor(file: string) {
    this.#file = file;
  }

  /** The elements that end in this piece. */
  *read(piece: string): Generator<{ readonly text: string; readonly line: number }> {
    let from = 0;
    for (let i = 0; i < piece.length; i++) {
      const character = piece[i]!;
      if (character === "\n") this.#line += 1;
      if (this.#state !== "element") {
        if (/[\s\uFEFF]/u.test(character)) continue;
        this.#outside(character);
        from = i + 1;
        continue;
      }
      if (!this.#endsElement(character)) continue;
      const element = this.#taken(piece.slice(from, i));
      from = i + 1;
      if (element) yield element;
      if (character === "]") this.#state = "after";
    }
    if (this.#state === "element") this.#keep(piece.slice(from));
  }

  /** Throws: DATA_FORMAT where the list has not ended. */
  end(): void {
    if (this.#state === "after") return;
    throw dataRefusal(
      { file: this.#file, line: this.#line },
      "the file ends before its list does; it is not complete, take it from its source again",
    );
  }

  #outside(character: string): void {
    if (this.#state === "before" && character === "[") {
      this.#state = "element";
      this.#elementLine = this.#line;
      return;
    }
    const text = "text stands outside of the list; write one list of objects, or one object a line";
    throw dataRefusal({ file: this.#file, line: this.#line }, text);
  }

  /** Whether the element ends before this character: a comma between elements, or the bracket that ends the list. */
  #endsElement(character: string): boolean {
    const isComma = character === "," && this.#nesting.depth === 0 && !this.#nesting.isString;
    this.#nesting.read(character);
    return isComma || (character === "]" && this.#nesting.depth < 0);
  }

  #keep(text: string): void {
    this.#pending.push(text);
    this.#length += text.length;
    if (this.#length > LINE_LENGTH_MAX) {
      const what = `this element is longer than ${LINE_LENGTH_MAX} characters; write one row an element`;
      throw dataRefusal({ file: this.#file, line: this.#elementLine }, what);
    }
  }

  #taken(last: string): { readonly text: string; readonly line: number } | undefined {
    const whole = [...this.#pending, last].join("");
    const line = this.#elementLine + (/^\s*/u.exec(whole)?.[0].split("\n").length ?? 1) - 1;
    this.#pending = [];
    this.#length = 0;
    this.#elementLine = this.#line;
    this.#count += 1;
    // An empty list has no first element; anywhere else nothing between two commas is a mistake that JSON.parse names.
    if (whole.trim() === "" && this.#count === 1 && this.#nesting.depth < 0) return undefined;
    return { text: whole, line };
  }
}

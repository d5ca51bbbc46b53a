/** Tables as text: CSV and TSV, their dialect found by trying, read strictly. The only user of csv-parse. */
import { CsvError, type Options, parse } from "csv-parse";
import { parse as parseWhole } from "csv-parse/sync";
import { LINE_LENGTH_MAX } from "./lines.ts";
import { dataRefusal } from "./place.ts";
import type { Row, TextPieces } from "./row.ts";

/** How a table is written as text. */
export interface Dialect {
  readonly delimiter: "," | "\t" | ";" | "|";
  /** Whether a field may stand in double quotes, with line breaks and doubled quotes in it. */
  readonly quoted: boolean;
  /** Whether some records end in CR LF and others in LF. */
  readonly mixed?: true;
  /** The names in the first record. */
  readonly columns: readonly string[];
}

const DELIMITERS = [",", "\t", ";", "|"] as const;

/** Longest name of a column; what is longer is a sentence. */
const COLUMN_NAME_MAX = 64;

/**
 * The dialect in which all records at the head of a text have as many fields as the first; the one with most columns
 * where there are several. Undefined where there is none of two columns or more.
 * isWhole: whether the head is all of the text; else its last record may be cut off.
 */
export function sniffDialect(head: string, { isWhole }: { readonly isWhole: boolean }): Dialect | undefined {
  const isMixed = /\r\n/u.test(head) && /(?<!\r)\n/u.test(head);
  const found = DELIMITERS.flatMap((delimiter) => {
    const ways = [true, false]
      .filter((quoted) => quoted || delimiter === "\t")
      .map((quoted) => ({ delimiter, quoted }));
    const more = isMixed ? ways.map((way) => ({ ...way, mixed: true as const })) : [];
    const dialect = [...ways, ...more].map((way) => tried(head, { ...way, isWhole })).find((one) => one !== undefined);
    return dialect ? [dialect] : [];
  });
  return found.toSorted((a, b) => b.columns.length - a.columns.length)[0];
}

/** A table of one column has no delimiter to be known by: its name is the first line. */
export function singleColumn(head: string): Dialect {
  const [first = ""] = head
    .replace(/^\uFEFF/u, "")
    .trimStart()
    .split(/\r?\n/u);
  return { delimiter: ",", quoted: true, columns: [first.trim().replace(/^"(.*)"$/u, "$1")] };
}

function tried(
  head: string,
  { isWhole, ...way }: Omit<Dialect, "columns"> & { readonly isWhole: boolean },
): Dialect | undefined {
  let records: string[][];
  try {
    // What follows the last line break may be half a record; so may be what that break stands in, if it is quoted.
    const text = isWhole ? head : head.slice(0, head.lastIndexOf("\n") + 1);
    records = parseWhole(text, { ...optionsOf(way), relax_column_count: false });
  } catch (error) {
    if (!isCutQuote(error, isWhole)) return undefined;
    records = recordsBefore(head, way);
  }
  const [columns, ...rows] = records;
  if (!columns || columns.length < 2 || rows.length === 0) return undefined;
  const isName = (name: string): boolean => name !== "" && name.length <= COLUMN_NAME_MAX && !name.includes("\n");
  return columns.every(isName) && new Set(columns).size === columns.length ? { ...way, columns } : undefined;
}

const isCutQuote = (error: unknown, isWhole: boolean): boolean =>
  !isWhole && error instanceof CsvError && error.code === "CSV_QUOTE_NOT_CLOSED";

/** The records before a quote that the end of the head cuts; none where they are malformed. */
function recordsBefore(head: string, dialect: Omit<Dialect, "columns">): string[][] {
  const records: string[][] = [];
  try {
    parseWhole(head, {
      ...optionsOf(dialect),
      on_record: (record: string[]) => {
        records.push(record);
        return null;
      },
    });
  } catch {
    // The quote that is cut ends the reading, as it must.
  }
  return records;
}

function optionsOf({ delimiter, quoted, mixed }: Omit<Dialect, "columns">): Options {
  return {
    // Without these the first line says how all of them end.
    ...(mixed && { record_delimiter: ["\r\n", "\n"] }),
    delimiter,
    quote: quoted ? '"' : false,
    bom: true,
    skip_empty_lines: true,
    // Fields of one record together; a file of any size passes through.
    max_record_size: LINE_LENGTH_MAX,
  } as Options;
}

/**
 * One row a record, by the names in the first; a field without text is an empty text.
 * Throws: DATA_FORMAT with the line of a record that is malformed or has another number of fields.
 */
export async function* csvRows(
  pieces: TextPieces,
  { file, dialect }: { readonly file: string; readonly dialect: Dialect },
): AsyncGenerator<Row> {
  const reader = new RecordReader(dialect);
  let columns: readonly string[] | undefined;
  for await (const records of reader.records(pieces)) {
    for (const { record, lines } of records) {
      if (columns === undefined) columns = columnNames(record, file);
      else yield { values: namedValues(columns, record), place: { file, line: lines - breaksIn(record) } };
    }
  }
  const error = reader.refusal;
  if (error === undefined) return;
  const { lines } = error as unknown as { lines?: number };
  const place = { file, ...(lines !== undefined && { line: lines }) };
  throw dataRefusal(place, csvText(error, columns ?? dialect.columns), error);
}

/** Throws: DATA_FORMAT where two columns with a name have the same. */
function columnNames(record: readonly string[], file: string): readonly string[] {
  const names = record.map((name) => name.trim());
  const twice = names.find((name, i) => name !== "" && names.indexOf(name) < i);
  if (twice === undefined) return names;
  throw dataRefusal({ file, line: 1 }, `two columns are named "${twice}"; rename one of them, or take it out`);
}

/** Texts without the line `sep=;` that Excel is told the delimiter by; the line stays, empty, so that lines keep their numbers. */
export async function* withoutDialectLine(pieces: AsyncIterable<string>): AsyncGenerator<string> {
  let isFirst = true;
  for await (const piece of pieces) {
    yield isFirst ? piece.replace(/^(\uFEFF?)sep=[,;|\t](?=\r?\n)/iu, "$1") : piece;
    isFirst = false;
  }
}

function namedValues(columns: readonly string[], record: readonly string[]): Readonly<Record<string, string>> {
  const values: Record<string, string> = {};
  // As entries: a column may be called __proto__.
  if (columns.includes("__proto__")) return Object.fromEntries(columns.map((name, i) => [name, record[i]!]));
  for (const [i, name] of columns.entries()) values[name] = record[i]!;
  return values;
}

/** Line breaks within the fields of a record: its line is the one on which it begins. */
function breaksIn(record: readonly string[]): number {
  let breaks = 0;
  for (const field of record) {
    for (let at = field.indexOf("\n"); at >= 0; at = field.indexOf("\n", at + 1)) breaks += 1;
  }
  return breaks;
}

/** A record, and the lines that were read when it ended. */
interface ReadRecord {
  readonly record: readonly string[];
  readonly lines: number;
}

/** Records in groups, as many as a piece of text completes: a stream of single records costs a third more. */
class RecordReader {
  readonly #dialect: Dialect;
  #done: ReadRecord[] = [];
  /** What stopped the reading; undefined where all was read. */
  refusal: CsvError | undefined;

  constructor(dialect: Dialect) {
    this.#dialect = dialect;
  }

  /** The records before what is malformed, if anything is. */
  async *records(pieces: TextPieces): AsyncGenerator<readonly ReadRecord[]> {
    const parser = parse({
      ...optionsOf(this.#dialect),
      on_record: (record: string[], { lines }: { readonly lines: number }) => {
        this.#done.push({ record, lines });
        return null;
      },
    } as Options);
    const ended = new Promise<void>((resolve, reject) => parser.once("end", resolve).once("error", reject).resume());
    // It is awaited at the end; until then the call that wrote the piece tells of the error.
    ended.catch(() => undefined);
    try {
      for await (const piece of pieces) {
        await new Promise<void>((resolve, reject) => {
          parser.write(piece, (error) => (error ? reject(error) : resolve()));
        });
        yield this.#taken();
      }
      parser.end();
      await ended;
    } catch (error) {
      if (!(error instanceof CsvError)) throw error;
      this.refusal = error;
    } finally {
      parser.destroy();
    }
    yield this.#taken();
  }

  #taken(): readonly ReadRecord[] {
    const done = this.#done;
    this.#done = [];
    return done;
  }
}

function csvText(error: CsvError, columns: readonly string[]): string {
  switch (error.code) {
    case "CSV_RECORD_INCONSISTENT_FIELDS_LENGTH":
    case "CSV_RECORD_INCONSISTENT_COLUMNS": {
      const found = (error as unknown as { record?: readonly string[] }).record?.length;
      return `this record has ${found ?? "another number of"} fields, ${columns.length > 0 ? `the first line ${columns.length}` : "unlike the first line"}; put a field that holds the delimiter in double quotes`;
    }
    case "CSV_QUOTE_NOT_CLOSED":
      return "a quoted field does not end; close it by a double quote";
    case "CSV_MAX_RECORD_SIZE":
      return `this record is longer than ${LINE_LENGTH_MAX} characters; is a double quote missing?`;
    default:
      return "a double quote stands within a field; put the field in double quotes and double those in it";
  }
}

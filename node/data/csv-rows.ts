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
  const found = DELIMITERS.flatMap((delimiter) => {
    const dialect = [true, false]
      .filter((quoted) => quoted || delimiter === "\t")
      .map((quoted) => tried(head, { delimiter, quoted, isWhole }))
      .find((one) => one !== undefined);
    return dialect ? [dialect] : [];
  });
  return found.toSorted((a, b) => b.columns.length - a.columns.length)[0];
}

/** A table of one column has no delimiter to be known by: its name is the first line. */
export function singleColumn(head: string): Dialect {
  const [first = ""] = head.replace(/^\uFEFF/u, "").split(/\r?\n/u);
  return { delimiter: ",", quoted: true, columns: [first.trim().replace(/^"(.*)"$/u, "$1")] };
}

function tried(
  head: string,
  { delimiter, quoted, isWhole }: Omit<Dialect, "columns"> & { readonly isWhole: boolean },
): Dialect | undefined {
  let records: string[][];
  try {
    // What follows the last line break may be half a record; so may be what that break stands in, if it is quoted.
    const text = isWhole ? head : head.slice(0, head.lastIndexOf("\n") + 1);
    records = parseWhole(text, { ...optionsOf({ delimiter, quoted }), relax_column_count: false });
  } catch (error) {
    if (!isCutQuote(error, isWhole)) return undefined;
    records = recordsBefore(head, { delimiter, quoted });
  }
  const [columns, ...rows] = records;
  if (!columns || columns.length < 2 || rows.length === 0) return undefined;
  const isName = (name: string): boolean => name !== "" && name.length <= COLUMN_NAME_MAX && !name.includes("\n");
  return columns.every(isName) && new Set(columns).size === columns.length ? { delimiter, quoted, columns } : undefined;
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

function optionsOf({ delimiter, quoted }: Omit<Dialect, "columns">): Options {
  return {
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
  const parser = parse({ ...optionsOf(dialect), info: true });
  const feeding = feed(parser, pieces);
  feeding.catch((error: Error) => parser.destroy(error));
  let columns: readonly string[] | undefined;
  try {
    for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: { lines: number } }>) {
      if (columns === undefined) columns = record.map((name) => name.trim());
      else {
        const names = columns;
        yield {
          values: Object.fromEntries(record.map((field, i) => [names[i]!, field])),
          place: {
            file,
            line: info.lines - record.reduce((breaks, field) => breaks + field.split("\n").length - 1, 0),
          },
        };
      }
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const { lines } = error as unknown as { lines?: number };
    throw dataRefusal(
      { file, ...(lines !== undefined && { line: lines }) },
      csvText(error, columns ?? dialect.columns),
      error,
    );
  } finally {
    parser.destroy();
  }
  await feeding;
}

async function feed(parser: ReturnType<typeof parse>, pieces: TextPieces): Promise<void> {
  for await (const piece of pieces) {
    if (parser.destroyed) return;
    if (!parser.write(piece)) {
      await new Promise<void>((done) => {
        const goOn = (): void => {
          parser.off("drain", goOn);
          parser.off("close", goOn);
          done();
        };
        parser.once("drain", goOn);
        parser.once("close", goOn);
      });
    }
  }
  parser.end();
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

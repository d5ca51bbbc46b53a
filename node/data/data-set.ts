/** A file of any form as rows or as running text, and in one line what it turned out to be. */
import { arrowRows, type Unzstd } from "./arrow-rows.ts";
import { type ColumnMap, mapColumns } from "./column-map.ts";
import { csvRows } from "./csv-rows.ts";
import type { Magic, Packing, TableForm } from "./file-magic.ts";
import { jsonArrayRows, jsonLineRows } from "./json-rows.ts";
import { linesOfText } from "./lines.ts";
import { parquetRows, type RandomBytes } from "./parquet-rows.ts";
import { dataRefusal } from "./place.ts";
import { readParagraphs } from "./plain-text.ts";
import type { DataRecord } from "./record.ts";
import type { BytePieces, Row, TextPieces } from "./row.ts";
import { columnsOfForm, type RowFormName, RowReader } from "./row-forms.ts";
import { looksLikePlay, readSpeeches } from "./speakers.ts";
import { decodedText } from "./text-decoder.ts";
import { HEAD_CHARACTERS, type TextForm, textForm } from "./text-form.ts";

/** A file of data, opened and unpacked. */
export interface DataFile {
  /** For error lines. */
  readonly file: string;
  /** Its name without what it is packed by. */
  readonly name: string;
  readonly packings: readonly Packing[];
  readonly magic: Exclude<Magic, { readonly kind: "packed" }> | undefined;
  readonly pieces: BytePieces;
  random(): Promise<RandomBytes>;
}

/** What the owner of a file says about it. */
export interface ReadOptions {
  readonly columns?: ColumnMap | undefined;
  /** Of text; default utf-8. */
  readonly charset?: string | undefined;
  readonly unzstd?: Unzstd | undefined;
}

/** What a file, or a folder of files, turned out to be; complete once all records are read. */
export class DataFindings {
  /** Forms of files, such as "CSV, gzip", by how many files have them. */
  readonly forms = new Map<string, number>();
  /** Records by the form of their row; of running text "speech" or "paragraph". */
  readonly rows = new Map<RowFormName | "speech" | "paragraph", number>();
  /** Columns that no form reads. They divide records among peers, or nothing. */
  readonly unread = new Set<string>();

  /** Such as `CSV, gzip; 120 rows of instruction; not read: id`. */
  line(): string {
    const counted = [...this.forms].map(([form, count]) => (count === 1 ? form : `${count} files of ${form}`));
    const rows = [...this.rows].map(([form, count]) => {
      if (form !== "speech" && form !== "paragraph") return `${count} ${count === 1 ? "row" : "rows"} of ${form}`;
      return `${count} ${count === 1 ? form : form === "speech" ? "speeches" : "paragraphs"}`;
    });
    const unread = [...this.unread].slice(0, UNREAD_SHOWN);
    const others = unread.length > 0 ? `; not trained on: ${unread.join(", ")}` : "";
    return `${counted.join(", ")}; ${rows.join(", ")}${others}`;
  }
}

const UNREAD_SHOWN = 8;
/** Names that say something about a row; they are read. */
const MARKS = new Set(["set", "task", "kind", "overflow", "speaker"]);

/** Characters of a text file that is read whole: well under the longest string of the runtime, 2^29. */
const TEXT_CHARACTERS_MAX = 2 ** 28;

const TABLES: Readonly<Record<TableForm, string>> = {
  parquet: "Parquet",
  "arrow-file": "Arrow",
  "arrow-stream": "Arrow (stream)",
};

/**
 * The records of a file, one after another; what it is gets noted in `found`.
 * Throws: DATA_FORMAT where its bytes, its form or one of its rows is refused, naming file and line or row.
 */
export async function* recordsOfFile(
  opened: DataFile,
  options: ReadOptions,
  found: DataFindings,
): AsyncGenerator<DataRecord> {
  const { file, magic, packings } = opened;
  const note = (form: string): void => {
    const name = [form, ...packings].join(", ");
    found.forms.set(name, (found.forms.get(name) ?? 0) + 1);
  };
  if (magic?.kind === "foreign")
    throw dataRefusal({ file }, `this is ${magic.name}, which weft does not read; ${magic.todo}`);
  if (magic !== undefined) {
    note(TABLES[magic.form]);
    const rows =
      magic.form === "parquet"
        ? parquetRows(await opened.random(), { file })
        : arrowRows(opened.pieces, { file, unzstd: options.unzstd });
    yield* records(rows, options, found, file);
    return;
  }
  const { charset } = options;
  const pieces = decodedText(opened.pieces, { file, ...(charset !== undefined && { charset }) });
  const { head, isWhole, all } = await headOfText(pieces);
  const { columns } = options;
  const form = textForm({ head, isWhole, file, name: opened.name, ...(columns && { columns }) });
  note(formName(form));
  if (form.form === "text") yield* runningText(await wholeText(all, file), { file, found });
  else yield* records(rowsOfText(form, all, file), options, found, file);
}

function rowsOfText(form: Exclude<TextForm, { readonly form: "text" }>, pieces: TextPieces, file: string) {
  switch (form.form) {
    case "json-lines":
      return jsonLineRows(linesOfText(pieces, { file }), { file });
    case "json-array":
      return jsonArrayRows(pieces, { file });
    case "csv":
      return csvRows(pieces, { file, dialect: form.dialect });
  }
}

async function* records(
  rows: AsyncIterable<Row>,
  { columns = new Map() }: ReadOptions,
  found: DataFindings,
  file: string,
): AsyncGenerator<DataRecord> {
  const reader = new RowReader();
  let count = 0;
  for await (const row of rows) {
    const mapped = mapColumns(row, columns);
    const { record, form } = reader.read(mapped);
    count += 1;
    found.rows.set(form, (found.rows.get(form) ?? 0) + 1);
    if (found.unread.size <= UNREAD_SHOWN) noteUnread(Object.keys(mapped.values), form, found);
    yield record;
  }
  if (count === 0) throw dataRefusal({ file }, "the file has no rows; give at least one");
}

function noteUnread(columns: readonly string[], form: RowFormName, found: DataFindings): void {
  const unseen = columns.filter((name) => !found.unread.has(name) && !MARKS.has(name));
  if (unseen.length === 0) return;
  const read = columnsOfForm(form);
  for (const name of unseen) {
    if (found.unread.size <= UNREAD_SHOWN && !read.includes(name) && !MARKS.has(name)) found.unread.add(name);
  }
}

function runningText(text: string, { file, found }: { readonly file: string; readonly found: DataFindings }) {
  const isPlay = looksLikePlay(text);
  const read = isPlay ? readSpeeches(text, { file }) : readParagraphs(text, { file });
  const kind = isPlay ? "speech" : "paragraph";
  found.rows.set(kind, (found.rows.get(kind) ?? 0) + read.length);
  return read;
}

async function wholeText(pieces: AsyncIterable<string>, file: string): Promise<string> {
  const parts: string[] = [];
  let length = 0;
  for await (const piece of pieces) {
    parts.push(piece);
    length += piece.length;
    if (length > TEXT_CHARACTERS_MAX) {
      const text = `a text of more than ${TEXT_CHARACTERS_MAX} characters is not read whole; write it as JSON lines with a "text" in each`;
      throw dataRefusal({ file }, text);
    }
  }
  return parts.join("");
}

async function headOfText(pieces: AsyncGenerator<string>) {
  const first: string[] = [];
  let length = 0;
  let isWhole = false;
  while (length < HEAD_CHARACTERS) {
    const next = await pieces.next();
    if (next.done) {
      isWhole = true;
      break;
    }
    first.push(next.value);
    length += next.value.length;
  }
  async function* all(): AsyncGenerator<string> {
    yield* first;
    if (!isWhole) yield* pieces;
  }
  return { head: first.join(""), isWhole, all: all() };
}

function formName(form: TextForm): string {
  switch (form.form) {
    case "json-lines":
      return "JSON lines";
    case "json-array":
      return "a JSON list";
    case "csv":
      return CSV_NAMES[form.dialect.delimiter];
    case "text":
      return "text";
  }
}

const CSV_NAMES = {
  ",": "CSV",
  "\t": "TSV",
  ";": "CSV (parted by semicolons)",
  "|": "CSV (parted by bars)",
} as const;

/** A file of any form as rows or as running text, and in one line what it turned out to be. */
import type { Unzstd } from "./arrow-rows.ts";
import { type ChatLog, logRecords, speakersOf, spokenLog, whatsAppLog } from "./chat-log.ts";
import { type ColumnMap, mapColumns } from "./column-map.ts";
import { conllRows } from "./conll-rows.ts";
import { csvRows, withoutDialectLine } from "./csv-rows.ts";
import type { DataFindings } from "./data-findings.ts";
import type { Magic, Packing, TableForm } from "./file-magic.ts";
import { contentOf, jsonObjects } from "./json-objects.ts";
import { jsonArrayRows, jsonLineRows } from "./json-rows.ts";
import { linesOfText } from "./lines.ts";
import { LostCharacters } from "./lost-characters.ts";
import { withSlack } from "./messenger-exports.ts";
import type { RandomBytes } from "./parquet-rows.ts";
import { dataRefusal, type Place } from "./place.ts";
import { readParagraphs } from "./plain-text.ts";
import type { DataRecord } from "./record.ts";
import type { RoleMap } from "./role-map.ts";
import type { BytePieces, ClassNames, Row, TextPieces } from "./row.ts";
import { RowReader } from "./row-reader.ts";
import { SilentRows } from "./silent-rows.ts";
import { looksLikePlay, readSpeeches } from "./speakers.ts";
import { decodedText } from "./text-decoder.ts";
import { HEAD_CHARACTERS, type TextForm, textForm } from "./text-form.ts";
import { unlikelyText } from "./unlikely-text.ts";
import { withColumns } from "./unreadable-row.ts";
import { thoughtsOf } from "./unwritten-thoughts.ts";
import { WrittenTurns } from "./written-turns.ts";

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
  /** What the roles of conversations are called; with it, a chat between people has an assistant. */
  readonly roles?: RoleMap | undefined;
  /** Of text; default utf-8. */
  readonly charset?: string | undefined;
  readonly unzstd?: Unzstd | undefined;
  /** What the data set calls its classes, where the file does not say it. */
  readonly classes?: ClassNames | undefined;
  /** The set that the file's name puts all its rows into; a row that names its own stays there. */
  readonly set?: "train" | "validation" | "test" | undefined;
}

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
  const { set } = options;
  for await (const record of recordsAsTheyAre(opened, options, found)) {
    yield set === undefined ? record : { ...record, fields: { set, ...record.fields } };
  }
}

async function* recordsAsTheyAre(
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
    yield* records(await rowsOfTable(magic.form, opened, options), options, found, file);
    return;
  }
  const { charset } = options;
  const pieces = decodedText(opened.pieces, { file, ...(charset !== undefined && { charset }) });
  const { head, isWhole, all } = await headOfText(withoutDialectLine(pieces));
  const { columns } = options;
  const form = textForm({ head, isWhole, file, name: opened.name, ...(columns && { columns }) });
  if (form.form === "text") {
    const text = await wholeText(all, file);
    yield* runningText(text, { file, name: opened.name, found, roles: options.roles, note });
    return;
  }
  note(formName(form));
  yield* records(rowsOfText(form, all, { file, options }), options, found, file);
}

/** The readers of tables are loaded for tables alone: they bring many modules with them, and most peers have text. */
async function rowsOfTable(
  form: TableForm,
  { file, pieces, random }: DataFile,
  { unzstd }: ReadOptions,
): Promise<AsyncIterable<Row>> {
  if (form === "parquet") return (await import("./parquet-rows.ts")).parquetRows(await random(), { file });
  return (await import("./arrow-rows.ts")).arrowRows(pieces, { file, unzstd });
}

function rowsOfText(
  form: Exclude<TextForm, { readonly form: "text" }>,
  pieces: TextPieces,
  { file, options }: { readonly file: string; readonly options: ReadOptions },
): AsyncIterable<Row | ChatLog> {
  switch (form.form) {
    case "json-lines":
      return jsonLineRows(linesOfText(pieces, { file }), { file });
    case "json-array":
      return withSlack(jsonArrayRows(pieces, { file }));
    case "json-objects":
      return rowsOfObjects(jsonObjects(pieces, { file }), options);
    case "conll":
      return conllRows(linesOfText(pieces, { file }), { file });
    case "csv":
      return csvRows(pieces, { file, dialect: form.dialect });
  }
}

async function* rowsOfObjects(objects: AsyncIterable<Row>, { columns }: ReadOptions): AsyncGenerator<Row | ChatLog> {
  for await (const object of objects) {
    const content = contentOf(object, columns);
    yield* "logs" in content ? content.logs : content.rows;
  }
}

async function* records(
  rows: AsyncIterable<Row | ChatLog>,
  { columns = new Map(), roles, classes }: ReadOptions,
  found: DataFindings,
  file: string,
): AsyncGenerator<DataRecord> {
  const reader = new RowReader({ roles, named: new Set(columns.keys()) });
  const silent = new SilentRows(found);
  const [lost, written] = [new LostCharacters(), new WrittenTurns()];
  let count = 0;
  for await (const row of rows) {
    count += 1;
    if ("entries" in row) {
      // A chat of an account may be empty; that the file has none at all is said below.
      if (row.entries.length > 0) yield* recordsOfLog(row, { place: { file }, found, roles });
      continue;
    }
    const hasNames = row.classes !== undefined && row.classes.size > 0;
    const mapped = mapColumns(hasNames ? row : { ...row, classes }, columns);
    const read = silent.unless(() => reader.read(mapped));
    if (read === undefined) continue;
    const { record, form, leftOut = 0, isUnwanted, unlearnt } = read;
    if (record !== undefined) for (const watch of [lost, written]) watch.see(record);
    if (unlearnt !== undefined) found.warnings.add(`${file}: ${unlearnt}`);
    found.leaveOut("messages without text", leftOut);
    if (isUnwanted) {
      found.leaveOut("answers with label false", 1);
      continue;
    }
    found.addUnread(Object.keys(mapped.values), form);
    if (record === undefined) found.leaveOut("conversations without an answer", 1);
    else {
      found.add(form, 1);
      found.hasConversations ||= record.conversation !== undefined;
      for (const name of record.conversation ? thoughtsOf(record.conversation) : []) {
        found.thoughts.set(name, (found.thoughts.get(name) ?? 0) + 1);
      }
      yield record;
    }
  }
  if (count === 0) throw dataRefusal({ file }, "the file has no rows; give at least one");
  silent.end(count, { file });
  for (const warning of [...lost.warnings(), ...written.warnings()]) found.warnings.add(`${file}: ${warning}`);
  reader.end({ file });
  requireConversations(found, { file }, roles);
}

function recordsOfLog(
  log: ChatLog,
  {
    place,
    found,
    roles,
  }: { readonly place: Place; readonly found: DataFindings; readonly roles?: RoleMap | undefined },
): readonly DataRecord[] {
  const { records: days, silentDays } = logRecords(log, place, roles);
  found.add("day", days.length);
  found.leaveOut("days without an answer", silentDays);
  found.leaveOut("messages without text", log.leftOut);
  found.chats.add(log.form);
  for (const speaker of speakersOf(log.entries)) found.speakers.add(speaker);
  found.hasConversations ||= days.length > 0;
  found.learnsEverybody ||= roles === undefined;
  return days;
}

function requireConversations(found: DataFindings, place: Place, roles: RoleMap | undefined): void {
  if (roles === undefined || found.hasConversations) return;
  throw dataRefusal(place, "roles are given, but nobody speaks with anybody here; leave them out");
}

function runningText(
  text: string,
  at: {
    readonly file: string;
    readonly name: string;
    readonly found: DataFindings;
    readonly roles: RoleMap | undefined;
    readonly note: (form: string) => void;
  },
): readonly DataRecord[] {
  const { file, name, found, roles, note } = at;
  const log = whatsAppLog(text) ?? (roles && spokenLog(text));
  if (log) {
    note(log.form);
    return recordsOfLog(log, { place: { file }, found, roles });
  }
  note("text");
  const isPlay = !tellUnlikely(text, { file, name, found }) && looksLikePlay(text);
  const read = isPlay ? readSpeeches(text, { file }) : readParagraphs(text, { file });
  found.add(isPlay ? "speech" : "paragraph", read.length);
  requireConversations(found, { file }, roles);
  return read;
}

/** Whether a text is no prose, which is told.  Throws: DATA_FORMAT for a table whose columns nobody named, but not in a file called a text. */
function tellUnlikely(
  text: string,
  { file, name, found }: { readonly file: string; readonly name: string; readonly found: DataFindings },
): boolean {
  const unlikely = unlikelyText({
    head: text.slice(0, HEAD_CHARACTERS),
    isWhole: text.length <= HEAD_CHARACTERS,
    name,
  });
  if (unlikely === undefined) return false;
  const { what, todo, columns } = unlikely;
  if (columns !== undefined && !/\.(?:txt|text|md|markdown)$/iu.test(name)) {
    throw withColumns({ file }, `${what}; ${todo}, or name the file .txt to train on it as running text`, columns);
  }
  found.warnings.add(`${file}: ${what}, and it is trained on as running text; ${todo}`);
  return columns === undefined;
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

function formName(form: Exclude<TextForm, { readonly form: "text" }>): string {
  switch (form.form) {
    case "json-lines":
      return "JSON lines";
    case "json-array":
      return "a JSON list";
    case "csv":
      return CSV_NAMES[form.dialect.delimiter];
    case "json-objects":
      return "JSON objects";
    case "conll":
      return "CoNLL";
  }
}

const CSV_NAMES = {
  ",": "CSV",
  "\t": "TSV",
  ";": "CSV (parted by semicolons)",
  "|": "CSV (parted by bars)",
} as const;

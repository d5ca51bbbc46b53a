/** Which form a text has, by what stands in it; its file's name decides only where both would do. */
import { type ColumnMap, mappedColumns } from "./column-map.ts";
import { looksLikeConll } from "./conll-rows.ts";
import { type Dialect, singleColumn, sniffDialect } from "./csv-rows.ts";
import { isObject } from "./exported-chats.ts";
import { refuseForeignText } from "./foreign-text.ts";
import { withoutStrings } from "./json-nesting.ts";
import { holdsMore } from "./json-objects.ts";
import { dataRefusal } from "./place.ts";
import type { RowValues } from "./row.ts";
import { formOfColumns } from "./row-forms.ts";

/** The form of a text, with the dialect of a table. */
export type TextForm =
  | { readonly form: "json-lines" }
  | { readonly form: "json-array" }
  /** Objects on several lines each, or one object that holds the rows. */
  | { readonly form: "json-objects" }
  | { readonly form: "csv"; readonly dialect: Dialect }
  /** Words with a tag each, a word a line. */
  | { readonly form: "conll" }
  | { readonly form: "text" };

/** Characters of a text that its form is decided by. */
export const HEAD_CHARACTERS = 65_536;

/** The beginning of a text, and what its file is called. */
export interface TextHead {
  /** The first HEAD_CHARACTERS, or all. */
  readonly head: string;
  readonly isWhole: boolean;
  /** For error lines. */
  readonly file: string;
  /** The name of the file without what it is packed by, such as `rows.csv` of `rows.csv.gz`. */
  readonly name: string;
  readonly columns?: ColumnMap;
}

/**
 * JSON where the text begins like it, a table where all records at its head have the fields of the first and that names
 * columns that weft knows (or the file's name says that it is a table), else running text.
 * Throws: DATA_FORMAT for a text that is empty, that its name calls JSON but that is none, or that is XML or HTML.
 */
export function textForm({ head, isWhole, file, name, columns = new Map() }: TextHead): TextForm {
  const text = head.replace(/^\uFEFF/u, "").trimStart();
  const named = nameForm(name);
  if (text === "" && isWhole) throw emptyRefusal(file, named);
  refuseForeignText(text, file);
  if (/^\[\s*(?:[{\]]|$)/u.test(text)) return { form: "json-array" };
  if (/^\{\s*["}]/u.test(text) && looksLikeJsonLines(text, named)) {
    return { form: standsOnLines(text, { isWhole, named, columns }) ? "json-lines" : "json-objects" };
  }
  if (named === "json" && text.startsWith("[")) return { form: "json-array" };
  if (looksLikeConll(head, { isWhole })) return { form: "conll" };
  const table = tableForm({ head, isWhole, file, name, columns }, named);
  if (table) return table;
  if (named === "json-lines" || named === "json") return { form: "json-lines" };
  // Tokens of models look like tags.
  const isOfModel = /^<(?:s|bos|think|user|system)>/u.test(text);
  if (!isOfModel && /^<(?:\?xml|!doctype|html|[a-z]+[ >])/iu.test(text) && /<\/[a-z]|\/>|\?>/iu.test(text)) {
    throw dataRefusal({ file }, "this is XML or HTML, not text; extract its text, or save its rows as JSON lines");
  }
  return { form: "text" };
}

type NameForm = "json-lines" | "json" | "csv" | "tsv" | undefined;

function nameForm(name: string): NameForm {
  if (/\.(?:jsonl|ndjson)$/iu.test(name)) return "json-lines";
  if (/\.json$/iu.test(name)) return "json";
  if (/\.csv$/iu.test(name)) return "csv";
  return /\.(?:tsv|tab)$/iu.test(name) ? "tsv" : undefined;
}

/** An object on the first line, or one that a name or a colon behind a name shows to be meant as JSON. */
function looksLikeJsonLines(text: string, named: NameForm): boolean {
  if (named === "json-lines" || named === "json") return true;
  return /^\{\s*(?:\}|"(?:[^"\\\n]|\\.)*"\s*:)/u.test(text);
}

/**
 * Whether each line has an object of its own. It has not where the first line leaves brackets open, or where it is all
 * there is, and holds rows rather than being one.
 */
function standsOnLines(
  text: string,
  { isWhole, named, columns }: { readonly isWhole: boolean; readonly named: NameForm; readonly columns: ColumnMap },
): boolean {
  const [first, ...others] = text.split(/\r?\n/u) as [string, ...string[]];
  const hasMore = others.some((line) => line.trim() !== "");
  // The line is longer than the head: that is a row where the name says lines, and all of the file where it does not.
  if (others.length === 0 && !isWhole) return named !== "json";
  const values = objectOrUndefined(first);
  if (values === undefined) return bracketsLeftOpen(first) <= 0 || !(hasMore || !isWhole);
  return hasMore || !isWhole || !holdsMore(values, columns);
}

function objectOrUndefined(line: string): RowValues | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Brackets that a line opens and does not close, outside of strings. */
function bracketsLeftOpen(line: string): number {
  const bare = withoutStrings(line);
  return (bare.match(/[{[]/gu)?.length ?? 0) - (bare.match(/[}\]]/gu)?.length ?? 0);
}

function tableForm(
  { head, isWhole, file, columns = new Map() }: TextHead,
  named: NameForm,
): { readonly form: "csv"; readonly dialect: Dialect } | undefined {
  const isTable = named === "csv" || named === "tsv";
  const dialect = sniffDialect(head, { isWhole });
  if (dialect && (isTable || formOfColumns(mappedColumns(dialect.columns, columns)))) return { form: "csv", dialect };
  if (!isTable) return undefined;
  const single = singleColumn(head);
  if (formOfColumns(mappedColumns(single.columns, columns))) return { form: "csv", dialect: single };
  // Malformed within the head: the reader of the whole table says in which line.
  const delimiter = [",", "\t", ";", "|"].find((one) => single.columns[0]?.includes(one)) as
    | Dialect["delimiter"]
    | undefined;
  if (delimiter) return { form: "csv", dialect: { delimiter, quoted: true, columns: [] } };
  throw dataRefusal(
    { file, line: 1 },
    `the first line names no columns that weft knows, such as "prompt,response" or "text"; name them there, or map them by columns`,
  );
}

function emptyRefusal(file: string, named: NameForm): Error {
  return named === undefined
    ? dataRefusal({ file }, "the file is empty; give a file with text in it")
    : dataRefusal({ file }, "the file has no rows; give at least one");
}

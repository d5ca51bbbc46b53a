/**
 * Words with tags as the CoNLL tasks have them: a word a line, its columns parted by blanks or tabs, the tag last, and a
 * blank line between texts (Tjong Kim Sang and De Meulder 2003, aclanthology W03-0419). `-DOCSTART-` is passed over.
 */
import { dataRefusal } from "./place.ts";
import type { Row, TextPieces } from "./row.ts";

/** A class of an entity's word: outside, or at a place of a named kind. */
const TAG = /^(?:O|[BIESLU]-[\p{L}\p{N}_.-]{1,60})$/u;
const LINES_LOOKED_AT = 200;

/** Whether every line at a text's head is a word with a tag; at least one of them names a kind. */
export function looksLikeConll(head: string, { isWhole }: { readonly isWhole: boolean }): boolean {
  const all = head.replace(/^\uFEFF/u, "").split(/\r?\n/u);
  const lines = (isWhole ? all : all.slice(0, -1)).filter((line) => line.trim() !== "").slice(0, LINES_LOOKED_AT);
  const columns = lines.map(columnsOf);
  const count = columns[0]?.length ?? 0;
  if (count < 2 || columns.some((one) => one.length !== count && one[0] !== "-DOCSTART-")) return false;
  const tags = columns.map((one) => one.at(-1)!);
  return tags.every((tag) => TAG.test(tag)) && tags.some((tag) => tag !== "O");
}

const columnsOf = (line: string): readonly string[] => line.trim().split(/[ \t]+/u);

/** One row a text, of `tokens` and `ner_tags`.  Throws: DATA_FORMAT at the line of a word without a tag. */
export async function* conllRows(lines: TextPieces, { file }: { readonly file: string }): AsyncGenerator<Row> {
  let line = 0;
  let begin = 1;
  let words: string[] = [];
  let tags: string[] = [];
  const row = (): Row => ({ values: { tokens: words, ner_tags: tags }, place: { file, line: begin } });
  for await (const text of lines) {
    line += 1;
    if (text.trim() === "") {
      if (words.length > 0) yield row();
      words = [];
      tags = [];
      continue;
    }
    const columns = columnsOf(text.replace(/^\uFEFF/u, ""));
    if (columns[0] === "-DOCSTART-") continue;
    if (columns.length < 2) throw dataRefusal({ file, line }, `"${columns[0]}" has no tag; write one behind it`);
    if (words.length === 0) begin = line;
    words.push(columns[0]!);
    tags.push(columns.at(-1)!);
  }
  if (words.length > 0) yield row();
}

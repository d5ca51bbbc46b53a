/** Files that are text to look at and that no one means to train on as they stand: known by how they begin. */
import { dataRefusal } from "./place.ts";

interface ForeignText {
  readonly name: string;
  readonly begins: RegExp;
  readonly todo: string;
}

const AS_ROWS = "save the rows as JSON lines or CSV";
const AS_TEXT = "save its text as a plain text file";

/** Sources: the formats' own descriptions. */
const FOREIGN: readonly ForeignText[] = [
  {
    name: "a pointer of Git LFS and not the data themselves",
    begins: /^version https:\/\/git-lfs\.github\.com\/spec\//u,
    todo: "fetch the file itself (git lfs pull), or download it",
  },
  { name: "an RTF document", begins: /^\{\\rtf\d/u, todo: AS_TEXT },
  {
    name: "a file of subtitles (WebVTT)",
    begins: /^WEBVTT(?:[ \t\r\n]|$)/u,
    todo: "take the times out, and leave what is said",
  },
  {
    name: "a file of subtitles (SubRip)",
    begins: /^\d+[ \t]*\r?\n\d{2}:\d{2}:\d{2}[,.]\d{3} --> \d{2}:\d{2}/u,
    todo: "take the times out, and leave what is said",
  },
  {
    name: "a mailbox",
    begins: /^From \S+ .*\d{4}\r?\n(?:>?[A-Za-z-]+:? .*\r?\n){2}/u,
    todo: "save the mails' text, or rows of question and answer",
  },
  {
    name: "a file of JavaScript that holds data",
    begins: /^window\.[A-Za-z0-9_.]+ = [[{]/u,
    todo: `take away what stands before the first bracket, or ${AS_ROWS}`,
  },
  {
    name: "CoNLL-U",
    begins: /^(?:#.*\r?\n)*1(?:-\d+)?(?:\t[^\t\r\n]*){9}\r?\n/u,
    todo: 'save words and tags as rows of "tokens" and "ner_tags"',
  },
  {
    name: "YAML",
    begins:
      /^(?:---[ \t]*\r?\n)?- ["']?(?:prompt|response|instruction|input|output|question|answer|messages|conversations|text|completion)["']?:(?:\s|$)/u,
    todo: AS_ROWS,
  },
  { name: "an iCalendar or vCard file", begins: /^BEGIN:V(?:CALENDAR|CARD)/u, todo: AS_TEXT },
  { name: "PostScript", begins: /^%!PS/u, todo: "extract its text" },
];

/** Throws: DATA_FORMAT for a text that begins like one of these.  text: without white space before it. */
export function refuseForeignText(text: string, file: string): void {
  const found = FOREIGN.find(({ begins }) => begins.test(text));
  if (found) throw dataRefusal({ file }, `this is ${found.name}, which weft does not read; ${found.todo}`);
}

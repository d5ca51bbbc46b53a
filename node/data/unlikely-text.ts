/** Texts that read as running text and are likely to be meant as something else: source code, markup, tables. */
import { sniffDialect } from "./csv-rows.ts";
import { writtenMark } from "./written-turns.ts";

/** What a text is by how its file is called. */
const BY_NAME: readonly (readonly [ending: RegExp, what: string])[] = [
  [/\.(?:tex|ltx|sty|cls|bib)$/iu, "LaTeX"],
  [/\.sql$/iu, "SQL"],
  [/\.(?:ya?ml|toml|ini|cfg|conf|properties|env)$/iu, "a file of settings"],
  [/\.(?:xml|html?|xhtml|svg|rss)$/iu, "markup"],
  [/\.log$/iu, "a log"],
  [/\.(?:rst|adoc|org)$/iu, "text with markup"],
  [
    /\.(?:py|pyi|js|mjs|cjs|jsx|ts|tsx|c|h|cc|cpp|hpp|cs|java|kt|scala|go|rs|rb|php|pl|lua|sh|bash|zsh|ps1|swift|r|jl|hs|ml|clj|ex|exs|erl|dart|vue|css|scss|f90|asm|sol|m|ipynb|jinja2?)$/iu,
    "source code",
  ],
];

/** The same by what stands at the head of it; each of them seldom stands in prose. */
const BY_HEAD: readonly (readonly [sign: RegExp, what: string])[] = [
  [/^\s*(?:%.*\n\s*)*\\(?:documentclass|documentstyle|begin\{document\}|usepackage)/u, "LaTeX"],
  [
    /^\s*(?:(?:--|\/\*|#).*\n\s*)*(?:CREATE TABLE|INSERT INTO|DROP TABLE|BEGIN TRANSACTION|PRAGMA|SELECT \S+ FROM)\b/iu,
    "SQL",
  ],
  [/^#!\s*\//u, "source code"],
  [/^(?:\[?\d{4}-\d\d-\d\d[T ,]+\d\d:\d\d:\d\d.*\r?\n){3}/u, "a log"],
  [
    /^\s*#{2,3} (?:Instruction|Human|User|Input|Question|Prompt):/iu,
    "examples written out with marks such as ### Instruction:",
  ],
  [
    /^\s*(?:(?:\/\/|\/\*|#).*\n\s*)*(?:#include\s*[<"]|package [\w.]+;|using [\w.]+;|import [\w.]+;|<\?php)/u,
    "source code",
  ],
  [/^\s*(?:#.*\n\s*)*(?:import \w+(?: as \w+)?|from [\w.]+ import .+)\r?\n/u, "source code"],
];

/** Records of a table, at least, for their fields to be no chance. */
const RECORDS_MIN = 5;

/** Why a text is unlikely to be meant as running text, and what to do. */
export interface UnlikelyText {
  readonly what: string;
  readonly todo: string;
  /** How the columns of a table may be named. */
  readonly columns?: string;
}

/** head: the beginning of the text; name: of its file, without what it is packed by.  Undefined for what looks like running text. */
export function unlikelyText(at: {
  readonly head: string;
  readonly isWhole: boolean;
  readonly name: string;
}): UnlikelyText | undefined {
  const { head, isWhole, name } = at;
  const text = head.replace(/^\uFEFF/u, "");
  const what = BY_NAME.find(([ending]) => ending.test(name))?.[1] ?? BY_HEAD.find(([sign]) => sign.test(text))?.[1];
  if (what !== undefined) {
    return { what: `this is ${what}`, todo: "if examples are meant, save them as JSON lines or CSV" };
  }
  const mark = writtenMark(text);
  if (mark !== undefined) {
    const said = `this is a conversation written out with marks such as ${mark}`;
    return { what: said, todo: 'to learn the answers alone, save the turns as JSON lines with "messages" in each' };
  }
  const dialect = sniffDialect(head, { isWhole });
  if (dialect === undefined || recordsOf(text) < RECORDS_MIN) return undefined;
  const [first = "", second = ""] = dialect.columns;
  const columns = `prompt=${first},response=${second}`;
  return {
    what: `each line has ${dialect.columns.length} fields, as a table has`,
    todo: `if it is a table whose first line names the columns, columns ${columns} or the like reads it`,
    columns,
  };
}

const recordsOf = (text: string): number => text.split("\n").filter((line) => line.trim() !== "").length;

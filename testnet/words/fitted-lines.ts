/** Lines of a view as a terminal has room for them: what is drawn over has to stand on as many lines as it seems to. */
import { counted } from "../../node/index.ts";

/** The terminal, in characters and lines. */
export interface Room {
  readonly columns: number;
  /** Unlimited when absent. */
  readonly rows?: number | undefined;
}

/** Under the titles of a status, which have as many columns. */
const INDENT = 12;
/** Too few columns to fold lines in. */
const FOLDED_COLUMNS_MIN = 2 * INDENT;
/** Characters that take two columns: East Asian scripts and pictures (Unicode Standard Annex 11, wide and fullwidth). */
const WIDE =
  /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/u;
const MARK = /\p{M}/u;

/**
 * The lines, each no wider than the terminal without its last column, and no more of them than it shows at once: of more, the
 * last one says how many are not there.  folded: a line that is too wide goes on below, indented, where it has a blank.
 */
export function fittedLines(
  lines: readonly string[],
  { columns, rows = Number.POSITIVE_INFINITY }: Room,
  { folded = false }: { readonly folded?: boolean } = {},
): readonly string[] {
  const width = Math.max(1, columns - 1);
  const fitting = lines.flatMap((line) => (folded && columns >= FOLDED_COLUMNS_MIN ? fold(line, width) : [line]));
  // Behind the last line stands the cursor, on a line of its own.
  const shown = Math.max(1, rows - 1);
  if (fitting.length <= shown) return fitting.map((line) => cut(line, width));
  const more = `… ${counted(fitting.length - shown + 1, "more line")}; a taller terminal shows them`;
  return [...fitting.slice(0, shown - 1), more].map((line) => cut(line, width));
}

const widthOf = (character: string): number => (MARK.test(character) ? 0 : WIDE.test(character) ? 2 : 1);

/** As much of a line as fits. */
function cut(line: string, width: number): string {
  let text = "";
  let taken = 0;
  for (const character of line) {
    taken += widthOf(character);
    if (taken > width) return text;
    text += character;
  }
  return text;
}

function fold(line: string, width: number): string[] {
  const folded: string[] = [];
  for (let rest = line; ; ) {
    const head = cut(rest, width);
    // A blank within the indent parts nothing.
    const blank = rest.length === head.length ? -1 : rest.lastIndexOf(" ", head.length);
    if (blank <= INDENT) return [...folded, rest];
    folded.push(rest.slice(0, blank).trimEnd());
    rest = " ".repeat(INDENT) + rest.slice(blank + 1).trimStart();
  }
}

/**
 * What no text means in rows: U+FFFD, which stands for what an earlier reader could not decode, controls, and what tables write
 * for a value that is missing, for an error, or around a number that is to stay text.
 */
import { type DataRecord, questionOf } from "./record.ts";

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const CONTROL = /[\u0000-\u0008\u000e-\u001a\u001c-\u001f]/;

/** pandas, R, SQL and spreadsheets; None is left out, which may be a class. */
const MISSING = /^(?:NaN|nan|<NA>|NULL|null|#N\/A|#REF!|#VALUE!|#DIV\/0!|#NAME\?|#NULL!|#NUM!)$/u;
const FORMULA = /^="[^"]*"$/u;

/** Counts the rows of one file that have some. */
export class LostCharacters {
  #replaced = 0;
  #controls = 0;
  #formulas = 0;
  readonly #missing = new Map<string, number>();

  /** Looks at what is trained on of a row. */
  see(record: DataRecord): void {
    const { prompt, response, conversation } = record;
    const texts = conversation === undefined ? [questionOf(record).trim(), response.trim()] : [];
    const missing = texts.find((text) => MISSING.test(text));
    if (missing !== undefined) this.#missing.set(missing, (this.#missing.get(missing) ?? 0) + 1);
    if (texts.some((text) => FORMULA.test(text))) this.#formulas += 1;
    if (prompt.includes("\uFFFD") || response.includes("\uFFFD")) this.#replaced += 1;
    if (CONTROL.test(prompt) || CONTROL.test(response)) this.#controls += 1;
  }

  /** A sentence for each sort that was found. */
  warnings(): readonly string[] {
    const rows = (count: number): string => (count === 1 ? "1 row has" : `${count} rows have`);
    return [
      ...(this.#replaced > 0
        ? [
            `${rows(this.#replaced)} U+FFFD in place of characters that were lost before; take the text from its source again`,
          ]
        : []),
      ...(this.#controls > 0
        ? [`${rows(this.#controls)} control characters such as NUL, which are trained on; take them out`]
        : []),
      ...[...this.#missing].map(
        ([text, count]) =>
          `${rows(count)} "${text}" alone for a text, as programs write a value that is missing; it is trained on, drop what is none`,
      ),
      ...(this.#formulas > 0
        ? [
            `${rows(this.#formulas)} formulas of a spreadsheet (="..."), which are trained on as they stand; save the values`,
          ]
        : []),
    ];
  }
}

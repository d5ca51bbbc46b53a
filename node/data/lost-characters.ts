/** Characters in rows that no text means: U+FFFD, which stands for what an earlier reader could not decode, and controls. */
import type { DataRecord } from "./record.ts";

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const CONTROL = /[\u0000-\u0008\u000e-\u001a\u001c-\u001f]/;

/** Counts the rows of one file that have some. */
export class LostCharacters {
  #replaced = 0;
  #controls = 0;

  /** Looks at what is trained on of a row. */
  see({ prompt, response }: DataRecord): void {
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
    ];
  }
}

/**
 * Text as a terminal may be given it. Names in files of models and adapters, labels of requests and messages of errors come
 * from others: a terminal would obey what is hidden in them, and show something else than what is there.
 */

/**
 * Control characters but line ends (both kinds) and tabs, marks that turn the direction of writing, separators that end a line, and
 * what nothing is drawn for: joiners and operators that are not seen, annotations, and the tags in which a whole text can hide. What
 * scripts need to be written well stays, such as the joiners of emoji and the blank of no width between words.
 */
const HIDDEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are looked for
  /\r(?!\n)|[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u180e\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;

/** The text with each hidden character written out as `\u001b`, which means the same in JSON. */
export function visibleText(text: string): string {
  return text.replace(HIDDEN, writtenOut);
}

/** Each half of a character by itself, as JSON has them. */
const writtenOut = (one: string): string =>
  Array.from({ length: one.length }, (_, i) => `\\u${one.charCodeAt(i).toString(16).padStart(4, "0")}`).join("");

/** The same in one line: a name of others that ends a line would write the next one, which looks like weft's own. */
export function visibleLine(text: string): string {
  return visibleText(text.replace(/\r?\n/g, "\\n"));
}

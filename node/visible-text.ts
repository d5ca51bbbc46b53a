/**
 * Text as a terminal may be given it. Names in files of models and adapters, labels of requests and messages of errors come
 * from others: a terminal would obey what is hidden in them, and show something else than what is there.
 */

/** Control characters but line ends (both kinds) and tabs, marks that turn the direction of writing, and separators that end a line. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are looked for
const HIDDEN = /\r(?!\n)|[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** The text with each hidden character written out as `\u001b`, which means the same in JSON. */
export function visibleText(text: string): string {
  return text.replace(HIDDEN, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** The same in one line: a name of others that ends a line would write the next one, which looks like weft's own. */
export function visibleLine(text: string): string {
  return visibleText(text.replace(/\r?\n/g, "\\n"));
}

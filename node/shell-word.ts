/** Words of a command line that weft tells people to type. */

/** A text as one word of a POSIX shell: itself where that is plain, else in quotes. */
export const shellWord = (text: string): string =>
  /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;

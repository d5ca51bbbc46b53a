/** Lines of a text that comes in pieces. */
import { dataRefusal } from "./place.ts";
import type { TextPieces } from "./row.ts";

/** Longest line in characters: thousands of times what any model reads at once. */
export const LINE_LENGTH_MAX = 2 ** 24;

/**
 * The lines, one after another, without their breaks (\n, and a \r before it stays for the reader of the line); a text
 * of any size passes through a bounded buffer.
 * Throws: DATA_FORMAT naming the line that is longer than LINE_LENGTH_MAX characters.
 */
export async function* linesOfText(pieces: TextPieces, { file }: { readonly file: string }): AsyncGenerator<string> {
  let pending: string[] = [];
  let length = 0;
  let number = 1;
  for await (const piece of pieces) {
    const [head, ...rest] = piece.split("\n") as [string, ...string[]];
    pending.push(head);
    length += head.length;
    if (rest.length > 0) {
      yield pending.join("");
      const tail = rest.pop()!;
      yield* rest;
      pending = [tail];
      length = tail.length;
      number += rest.length + 1;
    }
    if (length > LINE_LENGTH_MAX) {
      throw dataRefusal(
        { file, line: number },
        `this line is longer than ${LINE_LENGTH_MAX} characters; write one row a line`,
      );
    }
  }
  if (length > 0) yield pending.join("");
}

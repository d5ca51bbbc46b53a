/** A row in which nothing is left to learn: an answer that is empty, null, or white space alone. */
import { NodeError } from "../errors.ts";
import { dataRefusal, type Place } from "./place.ts";

/** White space, and characters that show nothing, such as zero-width blanks. */
const NOTHING = /^[\s\p{Default_Ignorable_Code_Point}]*$/u;

/** Whether there is nothing to see in a text. */
export const isBlank = (text: string): boolean => NOTHING.test(text);

/** A refusal that a file with other rows survives: the row is left out and counted as `what`. */
export class NoAnswer extends NodeError {
  readonly what: string;

  /** what: such rows, such as "rows without an answer". */
  constructor(place: Place, text: string, what = "rows without an answer") {
    const { code, message, facts } = dataRefusal(place, text);
    super(code, message, facts);
    this.what = what;
  }
}

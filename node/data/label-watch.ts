/** Labels that are missing, over all rows of a file: one that is null is no text to learn, and -1 alone is no label. */
import { NoAnswer } from "./no-answer.ts";
import { dataRefusal, type Place } from "./place.ts";
import type { RowValues } from "./row.ts";
import type { RowFormName } from "./row-forms.ts";

/** Watches the column `label` of rows of text. */
export class LabelWatch {
  #given = 0;
  #withheld = 0;
  #textsWithout = 0;

  /**
   * Throws: NoAnswer for a text whose label is null where other texts have one; DATA_FORMAT for the first label behind texts that
   * have none, which were taken for running text.
   */
  see(form: RowFormName, values: RowValues, place: Place): void {
    if (form === "text" && values.label === null) {
      if (this.#given > 0) {
        throw new NoAnswer(place, '"label" is null; give one, or drop the row', "rows without a label");
      }
      this.#textsWithout += 1;
    }
    if (form !== "text/label") return;
    this.#given += 1;
    if (values.label === -1 || values.label === "-1") this.#withheld += 1;
    if (this.#textsWithout === 0) return;
    const text = `this text has a label, and ${this.#textsWithout} before it have none (null); drop those rows, or take the column "label" out`;
    throw dataRefusal(place, text);
  }

  /** Throws: DATA_FORMAT where all labels are -1, as in test sets whose labels are withheld. */
  end(place: Place): void {
    if (this.#given < 2 || this.#withheld < this.#given) return;
    throw dataRefusal(place, "every label is -1, which stands for labels that are withheld; take a file that has them");
  }
}

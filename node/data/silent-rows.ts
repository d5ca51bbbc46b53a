/** Rows in which nothing is left to learn: left out and counted, as long as a file has others. */
import type { DataFindings } from "./data-findings.ts";
import { NoAnswer } from "./no-answer.ts";
import type { Place } from "./place.ts";

/** Of one file. */
export class SilentRows {
  readonly #found: DataFindings;
  #count = 0;
  #first: NoAnswer | undefined;

  constructor(found: DataFindings) {
    this.#found = found;
  }

  /** What `read` gives; undefined for a row without an answer, which is counted.  Throws: whatever else it throws. */
  unless<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch (cause) {
      if (!(cause instanceof NoAnswer)) throw cause;
      this.#first ??= cause;
      this.#count += 1;
      this.#found.leaveOut(cause.what, 1);
      return undefined;
    }
  }

  /** rows: of the file, these among them.  Throws: NoAnswer, the first one, where no row is left. */
  end(rows: number, { file }: Place): void {
    if (this.#first === undefined) return;
    if (this.#count === rows) throw this.#first;
    if (2 * this.#count > rows) {
      this.#found.warnings.add(`${file}: ${this.#count} of ${rows} rows have nothing to learn and are left out`);
    }
  }
}

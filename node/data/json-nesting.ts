/**
 * How deep brackets of JSON are open, character by character, strings left out: enough to cut a text where a value ends,
 * without building any. Own, because readers of streams of JSON build every value a second time.
 */
export class JsonNesting {
  #depth = 0;
  #isString = false;
  #isEscaped = false;

  /** Brackets that are open. */
  get depth(): number {
    return this.#depth;
  }

  /** Whether the next character belongs to a string. */
  get isString(): boolean {
    return this.#isString;
  }

  /** Take the next character. */
  read(character: string): void {
    if (this.#isString) {
      if (this.#isEscaped) this.#isEscaped = false;
      else if (character === "\\") this.#isEscaped = true;
      else if (character === '"') this.#isString = false;
      return;
    }
    if (character === '"') this.#isString = true;
    else if (character === "{" || character === "[") this.#depth += 1;
    else if (character === "}" || character === "]") this.#depth -= 1;
  }
}

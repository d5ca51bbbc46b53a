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

/** Where a string of JSON that begins at `from` ends: behind its closing quote, or at the end of a text that cuts it. */
export function endOfString(text: string, from: number): number {
  let end = text.indexOf('"', from + 1);
  while (end >= 0) {
    let before = end - 1;
    while (text[before] === "\\") before -= 1;
    // Quotes behind an odd number of backslashes belong to the string.
    if ((end - before) % 2 === 1) return end + 1;
    end = text.indexOf('"', end + 1);
  }
  return text.length;
}

/** A text with each of its strings empty; a regular expression for strings fails on very long ones. */
export function withoutStrings(text: string): string {
  const parts: string[] = [];
  let from = 0;
  for (let at = text.indexOf('"'); at >= 0; at = text.indexOf('"', from)) {
    parts.push(text.slice(from, at), '""');
    from = endOfString(text, at);
  }
  return parts.join("") + text.slice(from);
}

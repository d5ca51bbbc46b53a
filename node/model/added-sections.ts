/**
 * Where added tokens stand in a text: the leftmost first, of several the longest, as Hugging Face's own tokenizers find them.
 * Source: huggingface/tokenizers, tokenizer/added_vocabulary.rs (find_matches).
 */

/** An added token as it stands in texts. */
export interface SoughtToken {
  readonly content: string;
  /** Whether it takes the blanks before and behind it with it. */
  readonly lstrip: boolean;
  readonly rstrip: boolean;
}

/** A stretch of a text. */
export interface Section<T> {
  readonly text: string;
  /** Where it begins. */
  readonly at: number;
  /** The token that it is; absent for text. */
  readonly token?: T;
}

/** Finds tokens in texts. */
export class AddedTokens<T extends SoughtToken> {
  /** By their first code unit, the longest first. */
  readonly #byFirst = new Map<string, readonly (readonly [text: string, token: T])[]>();

  /** tokens: each with the text that stands for it. */
  constructor(tokens: Iterable<readonly [text: string, token: T]>) {
    for (const entry of tokens) {
      const [text] = entry;
      if (text === "") continue;
      const others = (this.#byFirst.get(text[0]!) ?? []).filter(([other]) => other !== text);
      this.#byFirst.set(text[0]!, [...others, entry]);
    }
    for (const [first, entries] of this.#byFirst) {
      this.#byFirst.set(
        first,
        entries.toSorted(([a], [b]) => b.length - a.length),
      );
    }
  }

  /** The text as tokens and what stands between them; stretches without characters are left out. */
  sections(text: string): readonly Section<T>[] {
    const found: Section<T>[] = [];
    let read = 0;
    const between = (end: number): void => {
      if (end > read) found.push({ text: text.slice(read, end), at: read });
    };
    for (let at = 0; at < text.length; at++) {
      const entry = this.#byFirst.get(text[at]!)?.find(([content]) => text.startsWith(content, at));
      if (entry === undefined) continue;
      const [content, token] = entry;
      let [begin, end] = [at, at + content.length];
      if (token.lstrip) {
        while (begin > read && isBlank(text[begin - 1]!)) begin--;
        begin = Math.max(begin, read);
      }
      if (token.rstrip) while (end < text.length && isBlank(text[end]!)) end++;
      between(begin);
      if (end > begin) found.push({ text: text.slice(begin, end), at: begin, token });
      read = end;
      // The next one may begin in the blanks behind this one.
      at += content.length - 1;
    }
    between(text.length);
    return found;
  }
}

const isBlank = (character: string): boolean => /\p{White_Space}/u.test(character);

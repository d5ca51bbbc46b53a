/**
 * Conversations that are written out in running text, with the marks of a chat template or of a prompt. All of such a text is learnt, the
 * questions too, which is seldom what is meant.
 */
import type { DataRecord } from "./record.ts";

/** What such a text has, all of it, and how that is named. */
const MARKS: readonly (readonly [mark: string, ...signs: RegExp[]])[] = [
  ["<|im_start|>", /<\|im_start\|>\s*assistant/u],
  ["<|start_header_id|>", /<\|start_header_id\|>\s*assistant/u],
  ["<start_of_turn>", /<start_of_turn>\s*model/u],
  ["<|assistant|>", /<\|assistant\|>/iu],
  ["[INST]", /\[INST\]/u, /\[\/INST\]/u],
  ["### Response:", /^#{2,3} (?:Response|Assistant|Answer|Output):?\s*$/imu],
  ["Assistant:", /^(?:Human|User): /imu, /^(?:Assistant|AI|Bot|ChatGPT|Claude): /imu],
];

/** The mark of a conversation that is written out in a text; undefined where there is none. */
export function writtenMark(text: string): string | undefined {
  return MARKS.find(([, ...signs]) => signs.every((sign) => sign.test(text)))?.[0];
}

/** Counts the running texts of one file that are conversations. */
export class WrittenTurns {
  #texts = 0;
  #first: string | undefined;

  /** Looks at what is trained on of a row. */
  see({ prompt, response, conversation }: DataRecord): void {
    if (conversation !== undefined || prompt.trim() !== "") return;
    const mark = writtenMark(response);
    if (mark === undefined) return;
    this.#texts += 1;
    this.#first ??= mark;
  }

  /** A sentence where there are some. */
  warnings(): readonly string[] {
    if (this.#first === undefined) return [];
    const texts = this.#texts === 1 ? "1 text is a conversation" : `${this.#texts} texts are conversations`;
    const what = `${texts} written out, with marks such as ${this.#first}: all of it is learnt, questions too`;
    return [`${what}; to learn the answers alone, save the turns as rows of "messages"`];
  }
}

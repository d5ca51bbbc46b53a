/**
 * The frame: what stands around a question and its answer when they become tokens. It is recorded with an adapter, so
 * that a prompt later is put to the model as those were that it was trained on.
 */
import type { DataRecord } from "./record.ts";
import { instructionPrompt } from "./row-forms.ts";

/**
 * `plain`: the prompt as it stands. `lines`: a line break behind it. `instruction`: `Task: … Answer:` around it.
 * `turns`: the turns of a conversation on lines of their own. `template`: as a chat template writes them.
 */
export const FRAMES = ["plain", "lines", "instruction", "turns", "template"] as const;
/** One of the frames. */
export type FrameName = (typeof FRAMES)[number];

/** The frame that a record is trained in.  hasTemplate: whether conversations are written by a chat template. */
export function frameOfRecord({ asked, conversation, question }: DataRecord, hasTemplate: boolean): FrameName {
  if (conversation) return hasTemplate ? "template" : "turns";
  if (asked) return "instruction";
  return question === undefined ? "plain" : "lines";
}

/** What a question becomes before it is tokens, where no chat template writes it. */
export function framedPrompt(frame: Exclude<FrameName, "template">, question: string): string {
  switch (frame) {
    case "plain":
      return question;
    case "lines":
    case "turns":
      return question === "" || /\s$/u.test(question) ? question : `${question}\n`;
    case "instruction":
      return instructionPrompt(question);
  }
}

/** A frame in words, as commands print it. */
export const FRAME_WORDS: Readonly<Record<FrameName, string>> = {
  plain: "prompt and response as they stand",
  lines: "prompt, line break, response",
  instruction: '"Task: …", "Input: …" where there is one, "Answer:", response',
  template: "the chat template, the assistant's turns learnt",
  turns: "turns on lines of their own, the assistant's ended by the end token",
};

/** Counts frames of records, and says which most of them have. */
export class FrameCount {
  readonly #counts = new Map<FrameName, number>();
  readonly #hasTemplate: boolean;

  /** hasTemplate: whether conversations are written by a chat template. */
  constructor({ hasTemplate }: { readonly hasTemplate: boolean }) {
    this.#hasTemplate = hasTemplate;
  }

  add(record: DataRecord): void {
    const frame = frameOfRecord(record, this.#hasTemplate);
    this.#counts.set(frame, (this.#counts.get(frame) ?? 0) + 1);
  }

  /** The frame of most records; `plain` where there are none. */
  most(): FrameName {
    return [...this.#counts].toSorted(([, a], [, b]) => b - a)[0]?.[0] ?? "plain";
  }
}

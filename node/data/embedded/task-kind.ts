/** One kind of small task: its name, and a generator of prompts with the one right answer. */
import type { Prng } from "../../../protocol/prng.ts";

/** The response starts with a space, so that prompt + response is running text. */
export interface Task {
  readonly prompt: string;
  readonly response: string;
}

/** A generator of tasks of one kind. */
export interface TaskKind {
  readonly name: string;
  /** Base kinds are what the base model is pre-trained on; tuned kinds are new to it and meant for fine-tuning. */
  readonly group: "base" | "tuned";
  generate(prng: Prng): Task;
}

/** A task as text: `instruction: content ->` and the answer's words, one space before each. */
export function task(options: {
  readonly instruction: string;
  readonly content: string;
  readonly answer: readonly string[];
}): Task {
  return {
    prompt: `${options.instruction}: ${options.content} ->`,
    response: options.answer.map((word) => ` ${word}`).join(""),
  };
}

/**
 * One row of private data as text, before it becomes tokens: the prompt, the answer, and the other fields of the row.
 */
import type { Conversation } from "./conversation.ts";

/** A prompt and its response, and what else is known of them. */
export interface DataRecord {
  readonly prompt: string;
  readonly response: string;
  /** Named text values that records may be split among peers by, such as `speaker` or `kind`. */
  readonly fields: Readonly<Record<string, string>>;
  /**
   * What becomes of a record that is longer than an example may be: `cut` drops what does not fit, `continue` makes
   * further examples of the rest, as suits running text.
   */
  readonly overflow: "cut" | "continue";
  /** The prompt as its owner wrote it, where `prompt` has a line break more. */
  readonly question?: string;
  /** The instruction that `prompt` is made of, and its input where there is one. */
  readonly asked?: { readonly instruction: string; readonly input?: string };
  /** A conversation of several turns; `prompt` and `response` are then its plain text. */
  readonly conversation?: Conversation;
  /** Words and their tags, as many; `prompt` and `response` are then all of either, with blanks between them. */
  readonly tagged?: { readonly words: readonly string[]; readonly tags: readonly (string | number)[] };
  /** The class by its number, where the row names it so; `response` is then its name by `classes`, else its digits. */
  readonly classNumber?: number;
  /** What the data set calls the classes that `classNumber` and `tagged` name by number. */
  readonly classes?: readonly string[];
}

/** Fields that name a record's task, the first that is there. */
const TASK_FIELDS = ["task", "kind"] as const;

/** The task that a record belongs to, by its field `task` or else `kind`; empty without either, for its examples. */
export function taskOf({ fields }: DataRecord): { readonly task?: string } {
  const name = TASK_FIELDS.find((field) => Object.hasOwn(fields, field));
  return name === undefined ? {} : { task: fields[name]! };
}

/** What was asked, without anything that a frame adds: an instruction and its input are two paragraphs. */
export function questionOf({ prompt, question, asked }: DataRecord): string {
  if (asked === undefined) return question ?? prompt;
  return asked.input === undefined ? asked.instruction : `${asked.instruction}\n\n${asked.input}`;
}

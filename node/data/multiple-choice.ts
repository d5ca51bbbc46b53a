/** Questions with choices: written out with a letter each, and answered by the letter and the text of the right one. */
import { jsonOfCell } from "./cell-json.ts";
import { dataRefusal, describeValue, type Place } from "./place.ts";

/** One of the answers to choose from. */
export interface Choice {
  /** A, B, C and so on, or as the row names it. */
  readonly label: string;
  readonly text: string;
}

/** Choices that letters are enough for. */
const CHOICES_MAX = 26;

/**
 * The choices of a row: a list of texts, or the object of lists `{"text", "label"}` of ARC and CommonsenseQA.
 * Throws: DATA_FORMAT at the place.
 */
export function choiceTexts(value: unknown, place: Place): readonly Choice[] {
  const given = typeof value === "string" && /^\s*[[{]/u.test(value) ? parsed(value, place) : value;
  const isObject = typeof given === "object" && given !== null && !Array.isArray(given);
  const { text, label } = (isObject ? given : { text: given }) as { readonly text?: unknown; readonly label?: unknown };
  if (!Array.isArray(text) || text.length < 2 || text.length > CHOICES_MAX) {
    const what = Array.isArray(text) ? `a list of ${text.length}` : describeValue(given);
    throw dataRefusal(place, `"choices" is ${what}; give a list of 2 to ${CHOICES_MAX} texts`);
  }
  return text.map((one: unknown, i): Choice => {
    if (typeof one !== "string") throw dataRefusal(place, `choices[${i}] is ${describeValue(one)}; make it text`);
    const name: unknown = Array.isArray(label) ? label[i] : undefined;
    return { label: typeof name === "string" ? name : String.fromCharCode(65 + i), text: one };
  });
}

/**
 * The question with its choices below it, and the right one.  answer: its number from 0, its letter, or its text.
 * Throws: DATA_FORMAT where the answer names no choice.
 */
export function multipleChoice(
  question: string,
  choices: readonly Choice[],
  { answer, column, place }: { readonly answer: unknown; readonly column: string; readonly place: Place },
): { readonly prompt: string; readonly response: string } {
  const right = rightChoice(choices, answer);
  if (right === undefined) {
    const names = choices.map(({ label }) => label).join(", ");
    const shown = JSON.stringify(answer)?.slice(0, 60) ?? "missing";
    throw dataRefusal(
      place,
      `"${column}" is ${shown}, which is none of the choices ${names}; give a letter, or a number from 0`,
    );
  }
  const listed = choices.map(({ label, text }) => `${label}. ${text}`).join("\n");
  return { prompt: `${question}\n${listed}\nAnswer:`, response: ` ${right.label}. ${right.text}` };
}

function rightChoice(choices: readonly Choice[], answer: unknown): Choice | undefined {
  if (typeof answer === "number") return choices[answer];
  if (typeof answer !== "string") return undefined;
  const word = answer.trim();
  const named = choices.find(({ label, text }) => label === word || text === answer);
  if (named) return named;
  return /^\d+$/u.test(word) ? choices[Number(word)] : undefined;
}

function parsed(text: string, place: Place): unknown {
  return jsonOfCell(text, '"choices" is text but no JSON', "give a list of texts", place);
}

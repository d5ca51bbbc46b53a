/**
 * Columns beside those that a form reads which are likely to belong to what is learnt: an answer beside a running text, or what a
 * question is about. By names of public data sets; nothing is read by them.
 */
import type { RowValues } from "./row.ts";
import type { RowFormName } from "./row-forms.ts";

const ANSWERS = "answer response output completion reply summary highlights solution code target translation".split(
  " ",
);
const LABELS = "labels class category sentiment intent emotion rating stars target".split(" ");
const CONTEXTS =
  "context passage article document background support evidence system system_prompt history input".split(" ");

/** The column in which each form has what is asked. */
const ASKED: Readonly<Partial<Record<RowFormName, string>>> = {
  "prompt/response": "prompt",
  "prompt/completion": "prompt",
  instruction: "instruction",
  "multiple choice": "question",
  "question/answer": "question",
};

const isText = (value: unknown): value is string => typeof value === "string" && value.trim() !== "";

/** A column of words that looks like the answer to the row's text. */
export function answerBeside(values: RowValues): string | undefined {
  return ANSWERS.find((name) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    return isText(value) && /\s/u.test(value.trim()) && value !== values.text;
  });
}

/** What to say of a row's columns that its form leaves out; undefined where there is nothing to say. */
export function unlearntColumn(values: RowValues, form: RowFormName): string | undefined {
  if (form === "text") {
    const isClass = (value: unknown): boolean => Number.isSafeInteger(value) || (isText(value) && value.length <= 40);
    const name = LABELS.find((one) => Object.hasOwn(values, one) && isClass(values[one]));
    if (name === undefined) return severalClasses(values);
    return `the column "${name}" is not trained on; columns text=text,label=${name} would learn it`;
  }
  const asked = ASKED[form];
  if (asked === undefined) return undefined;
  // An instruction's input and context are read.
  const names = form === "instruction" ? CONTEXTS.filter((name) => name !== "input" && name !== "context") : CONTEXTS;
  const name = names.find((one) => Object.hasOwn(values, one) && (isText(values[one]) || hasEntries(values[one])));
  if (name === undefined || Array.isArray(values[asked])) return undefined;
  const what = `the column "${name}" is not trained on`;
  return isText(values[name]) ? `${what}; columns ${asked}=${name}+${asked} would put it before the ${asked}` : what;
}

/** A list of classes beside a text, of which weft learns one. */
function severalClasses(values: RowValues): string | undefined {
  const isWord = (value: unknown): boolean =>
    Number.isSafeInteger(value) || typeof value === "boolean" || isText(value);
  const isList = (value: unknown): boolean => Array.isArray(value) && value.length > 0 && value.every(isWord);
  const name = [...LABELS, "label", "tags"].find((one) => Object.hasOwn(values, one) && isList(values[one]));
  const what = "is not trained on: it has several classes for one text, and weft learns one of each";
  return name === undefined ? undefined : `the column "${name}" ${what}`;
}

const hasEntries = (value: unknown): boolean => Array.isArray(value) && value.length > 0;

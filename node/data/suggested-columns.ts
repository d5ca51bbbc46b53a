/**
 * What a map of columns should say for a row of no known form, told by what its columns are called and hold. The names are those of
 * public data sets; nothing is read by them, they only make the line that a person types.
 */
import { isObject } from "./exported-chats.ts";
import type { RowValues } from "./row.ts";

/** By how likely it is: the first that a row has is taken. */
const QUESTIONS =
  "question query instruction prompt problem request user human task goal intent dialogue dialog source input inputs ctx frage";
const CONTEXTS =
  "context passage article document background support evidence story paragraph facts history code_context";
const ANSWERS =
  "answer response output completion target reply assistant bot chatbot solution summary highlights answers final_answer best_answer generated_solution canonical_solution gold result code sql translation outputs targets antwort";
const TEXTS =
  "text sentence content body document article review tweet comment message paragraph passage story raw_content markdown transcript transcription description abstract utterance";
const LABELS = "label labels class category sentiment intent emotion coarse_label fine_label rating stars topic";
const CHOICES = "choices options endings candidates alternatives";
/** Two texts of which one label says how they stand to each other. */
const PAIRS = [
  ["premise", "hypothesis"],
  ["sentence1", "sentence2"],
  ["question1", "question2"],
  ["text1", "text2"],
  ["sentencea", "sentenceb"],
  ["question", "sentence"],
];

/** What to give for a row's columns, such as `prompt=frage,response=antwort`; undefined where nothing fits. */
export function suggestedColumns(values: RowValues): string | undefined {
  const row = new NamedColumns(values);
  const ways = [chat, choices, words, pair, translation, instructed, asked, labelled, running, two];
  for (const way of ways) {
    const columns = way(row);
    if (columns !== undefined) return columns;
  }
  return undefined;
}

/** The same for a row with a list of choices alone. */
export function choiceSuggestion(values: RowValues): string | undefined {
  return choices(new NamedColumns(values));
}

/** The column of a row that asks something, as far as its name tells. */
export function questionColumn(values: RowValues): string | undefined {
  return new NamedColumns(values).find(QUESTIONS, isText);
}

/** Columns that hold one choice each, such as `option1` and `option2`; empty where there are none. */
export function choiceColumns(values: RowValues): readonly string[] {
  const stems = new Map<string, string[]>();
  for (const [name, value] of Object.entries(values)) {
    const stem = /^(.*?)[_ ]?(?:[1-9]|[A-Ea-e])$/u.exec(name)?.[1] ?? "";
    if (!/^(?:sol|opt|option|choice|answer|ending|alternative)s?$/iu.test(stem) || !isText(value)) continue;
    stems.set(stem, [...(stems.get(stem) ?? []), name]);
  }
  return [...stems.values()].find((names) => names.length > 1) ?? [];
}

/** A row's columns by their bare names: `Best Answer`, `best-answer` and `bestAnswer` are `best_answer`. */
class NamedColumns {
  readonly values: RowValues;
  readonly #byName: ReadonlyMap<string, string>;

  constructor(values: RowValues) {
    // A name with the marks of the list of columns cannot stand in it.
    this.values = Object.fromEntries(Object.entries(values).filter(([name]) => !/[,=]/u.test(name)));
    this.#byName = new Map(Object.keys(this.values).map((name) => [bare(name), name]));
  }

  /** The first of these names that is a column and holds what is asked for. */
  find(names: string, holds: (value: unknown) => boolean): string | undefined {
    for (const name of names.split(" ")) {
      const column = this.#byName.get(bare(name));
      if (column !== undefined && holds(this.values[column])) return column;
    }
    return undefined;
  }

  /** A column that answers, or the place of the answer in it. */
  answer(): string | undefined {
    const column = this.find(ANSWERS, (value) => placeOfText(value) !== undefined);
    return column === undefined ? undefined : `${column}${placeOfText(this.values[column])}`;
  }
}

const bare = (name: string): string => name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
const isText = (value: unknown): boolean => typeof value === "string" && value.trim() !== "";
const isWord = (value: unknown): boolean =>
  (typeof value === "string" && value.trim() !== "" && value.length <= 60) ||
  typeof value === "boolean" ||
  Number.isSafeInteger(value);

/** Where the text of an answer stands in its column: `.text.0` as in SQuAD, `.value` as in TriviaQA, `.0` in a list. */
export function placeOfText(value: unknown): string | undefined {
  if (isText(value) || typeof value === "number") return "";
  if (Array.isArray(value)) {
    if (isText(value[0])) return ".0";
    return isObject(value[0]) && isText(value[0].text) ? ".0.text" : undefined;
  }
  if (!isObject(value)) return undefined;
  if (Array.isArray(value.text)) return isText(value.text[0]) ? ".text.0" : undefined;
  return ["text", "value"].filter((name) => isText(value[name])).map((name) => `.${name}`)[0];
}

/** A list of turns under another name. */
function chat({ values }: NamedColumns): string | undefined {
  for (const [name, value] of Object.entries(values)) {
    const [first] = Array.isArray(value) ? value : [];
    const isSpoken = Array.isArray(value) && value.length > 1 && value.every(isText);
    if (isSpoken && /^(?:data|turns|chat|dialogs?|dialogues?|conversations?)$/iu.test(name))
      return `conversations=${name}`;
    if (!isObject(first)) continue;
    if ("role" in first && "content" in first) return `messages=${name}`;
    if ("from" in first && "value" in first) return `conversations=${name}`;
  }
  return undefined;
}

function choices(row: NamedColumns): string | undefined {
  const isList = (value: unknown): boolean => Array.isArray(value) && value.length > 1 && value.every(isText);
  const list = row.find(CHOICES, (value) => isList(value) || (isObject(value) && isList(value.text)));
  const asked = row.find(`question question_stem stem query problem ctx ${QUESTIONS}`, isText);
  const right = row.find("answer answer_key answer_idx answer_index answer_id correct label gold target", isWord);
  if (list === undefined || asked === undefined || right === undefined) return undefined;
  return `question=${withContext(row, asked)},choices=${list},answer=${right}`;
}

function words({ values }: NamedColumns): string | undefined {
  const lists = Object.entries(values).filter((one): one is [string, unknown[]] => Array.isArray(one[1]));
  const texts = lists.find(([name, list]) => /token|word/iu.test(name) && list.length > 0 && list.every(isText));
  const tags = lists.find(
    ([name, list]) => name !== texts?.[0] && list.length === texts?.[1].length && list.every(isWord),
  );
  return texts && tags && `tokens=${texts[0]},tags=${tags[0]}`;
}

function pair(row: NamedColumns): string | undefined {
  const label = row.find(LABELS, isWord);
  if (label === undefined) return undefined;
  for (const names of PAIRS) {
    const columns = names.map((name) => row.find(name, isText));
    if (columns.every((column) => column !== undefined)) return `text=${columns.join("+")},label=${label}`;
  }
  return undefined;
}

/** An object with one text in each of two languages. */
function translation({ values }: NamedColumns): string | undefined {
  for (const [name, value] of Object.entries(values)) {
    if (!isObject(value) || !/^translations?$/iu.test(name)) continue;
    const [from, to] = Object.keys(value).filter((language) => isText(value[language]));
    if (from !== undefined && to !== undefined) {
      return `prompt=${name}.${from},response=${name}.${to}`;
    }
  }
  return undefined;
}

/** The three columns of an instruction in other letters. */
function instructed(row: NamedColumns): string | undefined {
  const [asked, input] = [row.find("instruction", isText), row.find("input", (value) => typeof value === "string")];
  const answer = row.find("output response", isText);
  if (asked === undefined || input === undefined || answer === undefined) return undefined;
  return `instruction=${asked},input=${input},output=${answer}`;
}

function asked(row: NamedColumns): string | undefined {
  const answer = row.answer();
  if (answer === undefined) return undefined;
  const column = answer.split(".")[0];
  const holds = (value: unknown): boolean => isText(value) && value !== row.values[column!];
  const question = row.find(QUESTIONS, holds);
  if (question !== undefined) return `prompt=${withContext(row, question)},response=${answer}`;
  const text = row.find(`${CONTEXTS} ${TEXTS}`, holds);
  return text === undefined ? undefined : `prompt=${text},response=${answer}`;
}

/** What the question is about stands before it, and what the system says before all. */
function withContext(row: NamedColumns, question: string): string {
  const before = [row.find("system_prompt system", isText), row.find(CONTEXTS, isText)];
  return [...before.filter((one) => one !== undefined && one !== question), question].join("+");
}

function labelled(row: NamedColumns): string | undefined {
  const label = row.find(LABELS, isWord);
  const text = row.find(TEXTS, (value) => isText(value) && (label === undefined || value !== row.values[label]));
  return label === undefined || text === undefined ? undefined : `text=${text},label=${label}`;
}

function running(row: NamedColumns): string | undefined {
  // Whoever asks wants an answer learnt, and not the question's company.
  if (row.find("question query instruction prompt problem", isText) !== undefined) return undefined;
  const named = row.find(TEXTS, isText);
  return named === undefined ? undefined : `text=${named}`;
}

/** Two texts and no more: most likely the first is asked and the second the answer. */
function two({ values }: NamedColumns): string | undefined {
  const entries = Object.entries(values);
  const [first, second] = entries.map(([name]) => name);
  const isPair = entries.length === 2 && entries.every(([, value]) => isText(value));
  return isPair ? `prompt=${first},response=${second}` : undefined;
}

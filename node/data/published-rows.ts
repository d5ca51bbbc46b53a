/** Rows of public data sets that have a form of their own: SQuAD, and HellaSwag. */
import { jsonOfCell } from "./cell-json.ts";
import { isObject } from "./exported-chats.ts";
import { NoAnswer } from "./no-answer.ts";
import { dataRefusal, describeValue, type Place } from "./place.ts";
import type { Row, RowValues } from "./row.ts";

/** What is asked, and what is to be learnt. */
interface Asked {
  readonly question: string;
  readonly answer: string;
}

/**
 * `context`, `question` and `answers`: the first answer is learnt, behind the context and the question on lines of their own.
 * Throws: DATA_FORMAT at the place; NoAnswer where the context holds none, as in SQuAD 2.
 */
export function readingParts(values: RowValues, place: Place): Asked {
  const { answers } = values;
  const given = typeof answers === "string" && /^\s*[[{]/u.test(answers) ? parsed(answers, place) : answers;
  const list: unknown = isObject(given) ? given.text : given;
  const first: unknown = Array.isArray(list) ? list[0] : list;
  const answer = isObject(first) ? first.text : first;
  if (answer === undefined || answer === null || answer === "") {
    throw new NoAnswer(place, '"answers" is empty; give an answer, or drop the row', "questions without an answer");
  }
  if (typeof answer !== "string") {
    throw dataRefusal(place, `"answers" is ${describeValue(answers)}; give {"text": ["the answer"]}`);
  }
  const [context, question] = ["context", "question"].map((name) => textOf(values, name, place));
  return { question: `${context}\n${question}`, answer };
}

/**
 * `ctx`, `endings` and `label`: the right ending is learnt behind the context and a blank.
 * Throws: DATA_FORMAT at the place; NoAnswer where the label is withheld, as in test sets.
 */
export function endingParts(values: RowValues, place: Place): Asked {
  const { endings, label } = values;
  const list = typeof endings === "string" && /^\s*\[/u.test(endings) ? parsed(endings, place) : endings;
  if (label === "" || label === null || label === -1 || label === "-1") {
    throw new NoAnswer(
      place,
      '"label" names no ending; give its number from 0, or drop the row',
      "rows without a label",
    );
  }
  if (!Array.isArray(list)) throw dataRefusal(place, `"endings" is ${describeValue(list)}; give a list of texts`);
  const number = typeof label === "string" && /^\d{1,3}$/u.test(label) ? Number(label) : label;
  const right: unknown = typeof number === "number" ? list[number] : undefined;
  if (typeof right !== "string") {
    throw dataRefusal(place, `"label" names none of the ${list.length} endings; give its number from 0`);
  }
  return { question: textOf(values, "ctx", place), answer: ` ${right.trimStart()}` };
}

/** The rows in SQuAD's own file: `{"data": [{"paragraphs": [{"context", "qas": [...]}]}]}`; undefined for another object. */
export function squadRows({ values, place }: Row): Iterable<Row> | undefined {
  const { data } = values;
  if (
    !Array.isArray(data) ||
    data.length === 0 ||
    !data.every((one) => isObject(one) && Array.isArray(one.paragraphs))
  ) {
    return undefined;
  }
  const articles = data as readonly { readonly title?: unknown; readonly paragraphs: readonly unknown[] }[];
  function* rows(): Generator<Row> {
    let row = 0;
    for (const { title, paragraphs } of articles) {
      for (const { context, qas } of paragraphs.filter(isObject)) {
        for (const asked of Array.isArray(qas) ? qas.filter(isObject) : []) {
          row += 1;
          yield {
            values: { ...(title !== undefined && { title }), context, ...asked },
            place: { file: place.file, row },
          };
        }
      }
    }
  }
  return rows();
}

function textOf(values: RowValues, name: string, place: Place): string {
  const value = values[name];
  if (typeof value === "string") return value;
  throw dataRefusal(place, `"${name}" is ${describeValue(value)}; make it text in quotes`);
}

function parsed(text: string, place: Place): unknown {
  return jsonOfCell(text, "a column begins like a list and is no JSON", "write it as JSON", place);
}

/** Reads rows as records, each by the form that its columns have. */
import { withClassNames } from "./class-names.ts";
import { hasAnswer } from "./conversation-rows.ts";
import { LabelWatch } from "./label-watch.ts";
import { NoAnswer } from "./no-answer.ts";
import type { Place } from "./place.ts";
import type { DataRecord } from "./record.ts";
import type { RoleMap } from "./role-map.ts";
import type { Row, RowValues } from "./row.ts";
import {
  ANSWER_COLUMNS,
  columnsOfForm,
  FORMS,
  formOfColumns,
  missingOf,
  ROW_FORMS,
  type RowFormName,
  TAGS,
} from "./row-forms.ts";
import { choiceSuggestion } from "./suggested-columns.ts";
import { answerBeside, unlearntColumn } from "./unlearnt-columns.ts";
import { unreadableRow, withColumns } from "./unreadable-row.ts";

/** A form, and the columns that it reads. */
interface FoundForm {
  readonly form: RowFormName;
  readonly used: readonly string[];
}

/** What became of a row. */
export interface ReadRow {
  readonly form: RowFormName;
  /** Absent for a conversation of an export in which the assistant says nothing. */
  readonly record?: DataRecord;
  /** Messages of an export that hold no text. */
  readonly leftOut?: number;
  /** Of a row of `prompt`, `completion` and `label` (KTO): that its answer is marked as a bad one. */
  readonly isUnwanted?: true;
  /** A column that the form does not read and that is likely to belong to what is learnt, in words. */
  readonly unlearnt?: string;
}

/** What a reader of rows goes by. */
export interface RowReaderOptions {
  /** What the roles of conversations are called, besides their usual names. */
  readonly roles?: RoleMap | undefined;
  /** Columns that their owner has named; these are meant as they are read. */
  readonly named?: ReadonlySet<string> | undefined;
}

/** Reads rows as records. Most rows have the columns of the one before, and then its form, which is looked for once. */
export class RowReader {
  #columns: readonly string[] | undefined;
  #found: FoundForm | undefined;
  readonly #roles: RoleMap | undefined;
  readonly #named: ReadonlySet<string>;
  readonly #labels = new LabelWatch();

  constructor({ roles, named = new Set() }: RowReaderOptions = {}) {
    this.#roles = roles;
    this.#named = named;
  }

  /** Throws: DATA_FORMAT where every label that was read stands for one that is withheld. */
  end(place: Place): void {
    this.#labels.end(place);
  }

  /** A row as a record, and the form that it has.  Throws: DATA_FORMAT at the row's place, naming the nearest form. */
  read(row: Row): ReadRow {
    const { form, record, ...read } = this.#read(row);
    return { form, ...read, ...(record && { record: withClasses(record, form, row) }) };
  }

  #read(row: Row): ReadRow {
    const { place } = row;
    let { values } = row;
    const all = Object.keys(values);
    const columns = all.filter((name) => values[name] !== null && values[name] !== undefined);
    if (this.#found === undefined || !this.#columns || !isSame(columns, this.#columns)) {
      const form = formOfColumns(columns) ?? formOfColumns(all);
      if (form === undefined) throw unknownForm(values, place);
      // A row that leaves columns empty may have its form by them all the same: that is looked for each time.
      this.#found = { form, used: columnsOfForm(form) };
      this.#columns = columns.length === all.length ? columns : undefined;
    }
    const { form, used } = this.#found;
    const { chat, read } = FORMS[form];
    if (row.classes !== undefined && row.classes.size > 0)
      values = withClassNames(row, NAMED_COLUMNS[form] ?? [], row.classes);
    const roles = this.#roles;
    if (form === "prompt/completion" && /^false$/iu.test(`${values.label}`)) return { form, isUnwanted: true };
    if (columns.length < all.length) requireGivenAnswer(values, all, place);
    this.#labels.see(form, values, place);
    if (form === "text" && !this.#named.has("text")) refuseAnswerBeside(values, place);
    if (form === "question/answer" && !this.#named.has("answer")) refuseChoicesBeside(values, place);
    const unlearnt = this.#named.size === 0 ? unlearntColumn(values, form) : undefined;
    if (!chat) return { form, record: read(values, place, used, roles), ...(unlearnt !== undefined && { unlearnt }) };
    const { messages, leftOut } = chat(values, place);
    if (!hasAnswer(messages, roles)) return { form, leftOut };
    return { form, leftOut, record: read({ ...values, messages }, place, [...used, "messages"], roles) };
  }
}

/** Columns of text in which a class stands by its name, also where the file has its number. */
const NAMED_COLUMNS: Readonly<Partial<Record<RowFormName, readonly string[]>>> = {
  "prompt/response": ["response"],
  "prompt/completion": ["completion"],
  instruction: ["output", "response"],
  "question/answer": ["answer"],
  "text/label": ["label"],
};

/** What the data set calls the classes of a record, and the number that the row has. */
function withClasses(record: DataRecord, form: RowFormName, { values, classes }: Row): DataRecord {
  const column = form === "text/label" ? "label" : TAGS.find((name) => Object.hasOwn(values, name));
  const names = column === undefined ? undefined : classes?.get(column);
  if (names === undefined || (form !== "text/label" && form !== "tokens/tags")) return record;
  if (form === "text/label") {
    const classNumber = names.indexOf(record.response);
    return classNumber < 0 ? record : { ...record, classNumber, classes: names };
  }
  const tags = record.tagged?.tags.map((tag) => (typeof tag === "number" ? (names[tag] ?? tag) : tag)) ?? [];
  return { ...record, response: tags.join(" "), classes: names };
}

/** A row that says by all its columns what is asked, and has null for the answer, is no row of another form.  Throws: NoAnswer. */
function requireGivenAnswer(values: RowValues, all: readonly string[], place: Place): void {
  const form = formOfColumns(all);
  if (form === undefined || form === "text/label") return;
  const { needs } = FORMS[form];
  const nulls = needs.filter((need) => [need].flat().every((name) => (values[name] ?? null) === null));
  const isAnswer = (name: string): boolean => (ANSWER_COLUMNS as readonly string[]).includes(name);
  if (nulls.length === 0 || nulls.length === needs.length || !nulls.flat().every(isAnswer)) return;
  const name = nulls.flat().find((one) => Object.hasOwn(values, one));
  throw new NoAnswer(place, `"${name}" is null; give an answer to learn, or drop the row`);
}

/** Throws: DATA_FORMAT for a text with what looks like its answer: which of them is meant is for the owner to say. */
function refuseAnswerBeside(values: RowValues, place: Place): void {
  const name = answerBeside(values);
  if (name === undefined) return;
  const text = `the row has "text" and "${name}"; columns prompt=text,response=${name} learns "${name}", columns text=text the text alone`;
  throw withColumns(place, text, `prompt=text,response=${name}`);
}

/** Throws: DATA_FORMAT for a question with a list of choices under another name, of which the answer is one. */
function refuseChoicesBeside(values: RowValues, place: Place): void {
  const columns = choiceSuggestion(values);
  if (columns === undefined) return;
  const text = `the row has choices beside "question" and "answer"; columns ${columns} reads them, columns question=question,answer=answer leaves them out`;
  throw withColumns(place, text, columns);
}

const isSame = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((name, i) => name === b[i]);

/** One row as a record; see `RowReader`.  Throws: as its `read`. */
export function recordOfRow(row: Row, roles?: RoleMap): ReadRow {
  return new RowReader({ roles }).read(row);
}

/** The form that most of the row's columns belong to, and what is missing of it. */
function unknownForm(values: RowValues, place: Place): Error {
  const columns = Object.keys(values);
  const missing = (name: RowFormName): readonly string[] => missingOf(FORMS[name], columns);
  const nearest = ROW_FORMS.map((name) => ({
    name,
    lacks: missing(name),
    has: FORMS[name].needs.length - missing(name).length,
  })).toSorted((a, b) => b.has - a.has || a.lacks.length - b.lacks.length)[0]!;
  const isNear = nearest.has > 0;
  const form = FORMS[isNear ? nearest.name : "prompt/response"];
  const [lacked = ""] = missingOf(form, columns);
  const { says, needs } = form;
  return unreadableRow(values, place, { lacked, says, needs: needs.flat(), ...(!isNear && { others: otherForms() }) });
}

const otherForms = (): string =>
  ROW_FORMS.slice(1)
    .map((name) => FORMS[name].needs.map((need) => `"${[need].flat()[0]}"`).join(" and "))
    .join("; ");

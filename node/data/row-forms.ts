/**
 * The forms of rows that people keep examples in, each known by the names of its columns, and what becomes of a row:
 * docs/DATA.md shows one of each.
 *
 * An instruction row becomes this prompt, the line `Input:` and its text left out where there is no input:
 *
 *     Task: <instruction>
 *     Input: <input>
 *     Answer:
 *
 * and the answer is the response, on a line of its own. In all other forms prompt and response are joined as they
 * stand; where neither brings white space to the seam, a line break is put there.
 */
import { closestName } from "../../protocol/closest-name.ts";
import { plainConversation } from "./conversation.ts";
import { conversationOf, hasAnswer, isMessageList } from "./conversation-rows.ts";
import { chatGptChat, claudeChat, type ExportedChat, geminiChat } from "./exported-chats.ts";
import { choiceTexts, multipleChoice } from "./multiple-choice.ts";
import { dataRefusal, describeValue, type Place } from "./place.ts";
import type { DataRecord } from "./record.ts";
import type { RoleMap } from "./role-map.ts";
import type { Row, RowValues } from "./row.ts";
import { taggedWords } from "./tagged-words.ts";

/** All forms, in the order in which they are looked for. */
export const ROW_FORMS = [
  "prompt/response",
  "prompt/completion",
  "messages",
  "conversations",
  "ChatGPT export",
  "Claude export",
  "contents",
  "instruction",
  "multiple choice",
  "question/answer",
  "tokens/tags",
  "text/label",
  "text",
] as const;
/** One of them. */
export type RowFormName = (typeof ROW_FORMS)[number];

interface RowForm {
  /** Columns that it must have; of a list in it, one. */
  readonly needs: readonly (string | readonly string[])[];
  readonly may?: readonly string[];
  /** How it is written, for error lines. */
  readonly says: string;
  readonly read: (values: RowValues, place: Place, used: readonly string[], roles?: RoleMap) => DataRecord;
  /** Of services' exports: the messages that the row holds, which `read` then finds in the column "messages". */
  readonly chat?: (values: RowValues, place: Place) => ExportedChat;
}

/** Names that rows are written with; never fields. */
const RESERVED = ["prompt", "response", "overflow"];

const ANSWERS = ["output", "response"] as const;
const KEYS = ["answer", "answerKey"] as const;
const TAGS = ["ner_tags", "tags", "labels"] as const;

/** The form of a service's export, which has its conversation in one column. */
function exported(column: string, form: Pick<RowForm, "may" | "says" | "chat">): RowForm {
  return {
    ...form,
    needs: [column],
    read: (values, place, used, roles) =>
      conversationRecord(values, place, { used, roles, columns: ["messages"], learntFrom: "messages" }),
  };
}

/** In the order in which they are looked for: a row may have the columns of several. */
const FORMS: Readonly<Record<RowFormName, RowForm>> = {
  "prompt/response": {
    needs: ["prompt", "response"],
    says: '"prompt" and "response", or "instruction" and "output" with an optional "input"',
    read: (values, place, used) => answered(values, place, { used, prompt: "prompt", response: "response" }),
  },
  "prompt/completion": {
    needs: ["prompt", "completion"],
    may: ["tools", "system"],
    says: '"prompt" and "completion"',
    read: (values, place, used, roles) =>
      isMessageList(values.prompt) || isMessageList(values.completion)
        ? conversationRecord(values, place, {
            used,
            roles,
            columns: ["prompt", "completion"],
            learntFrom: "completion",
          })
        : answered(values, place, { used, prompt: "prompt", response: "completion" }),
  },
  messages: {
    needs: ["messages"],
    may: ["tools", "functions", "system"],
    says: '"messages", a list of {"role", "content"}',
    read: (values, place, used, roles) =>
      conversationRecord(values, place, { used, roles, columns: ["messages"], learntFrom: "messages" }),
  },
  conversations: {
    needs: ["conversations"],
    may: ["tools", "functions", "system"],
    says: '"conversations", a list of {"from", "value"}',
    read: (values, place, used, roles) =>
      conversationRecord(values, place, { used, roles, columns: ["conversations"], learntFrom: "conversations" }),
  },
  "ChatGPT export": exported("mapping", {
    may: ["current_node"],
    says: '"mapping", as ChatGPT exports conversations',
    chat: chatGptChat,
  }),
  "Claude export": exported("chat_messages", {
    says: '"chat_messages", as Claude exports conversations',
    chat: claudeChat,
  }),
  contents: exported("contents", {
    may: ["systemInstruction", "system_instruction"],
    says: '"contents", a list of {"role", "parts"} as of Gemini',
    chat: geminiChat,
  }),
  instruction: {
    needs: ["instruction", ANSWERS],
    may: ["input", "context"],
    says: '"instruction" and "output" with an optional "input"',
    read: instructionRecord,
  },
  "multiple choice": {
    needs: ["question", "choices", KEYS],
    says: '"question", "choices" and "answer"',
    read: choiceRecord,
  },
  "question/answer": {
    needs: ["question", "answer"],
    says: '"question" and "answer"',
    read: (values, place, used) => answered(values, place, { used, prompt: "question", response: "answer" }),
  },
  "tokens/tags": {
    needs: ["tokens", TAGS],
    says: '"tokens", a list of words, and "ner_tags", "tags" or "labels", a list as long',
    read: taggedRecord,
  },
  "text/label": {
    needs: ["text", "label"],
    says: '"text" and "label"',
    read: labelRecord,
  },
  text: {
    needs: ["text"],
    says: '"text"',
    read: (values, place, used) => {
      if (Object.hasOwn(values, "role") && Object.hasOwn(values, "parent_id")) {
        throw dataRefusal(place, 'this is one message of a tree; write each thread as a row of "messages"');
      }
      const text = requireAnswer(values, "text", place, FORMS.text);
      return record(values, { prompt: "", response: text, overflow: "continue", used });
    },
  },
};

/** The form of a row with these columns; undefined where it is none. */
export function formOfColumns(columns: readonly string[]): RowFormName | undefined {
  return ROW_FORMS.find((name) => missingOf(FORMS[name], columns).length === 0);
}

/** All columns that a form reads; the others are kept as fields where they are short values. */
export function columnsOfForm(name: RowFormName): readonly string[] {
  const { needs, may = [] } = FORMS[name];
  return [...needs.flat(), ...may];
}

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
}

/** Reads rows as records. Most rows have the columns of the one before, and then its form, which is looked for once. */
export class RowReader {
  #columns: readonly string[] | undefined;
  #found: FoundForm | undefined;
  readonly #roles: RoleMap | undefined;

  /** roles: what the roles of conversations are called, besides their usual names. */
  constructor(roles?: RoleMap) {
    this.#roles = roles;
  }

  /** A row as a record, and the form that it has.  Throws: DATA_FORMAT at the row's place, naming the nearest form. */
  read({ values, place }: Row): ReadRow {
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
    const roles = this.#roles;
    if (form === "prompt/completion" && /^false$/iu.test(`${values.label}`)) return { form, isUnwanted: true };
    if (!chat) return { form, record: read(values, place, used, roles) };
    const { messages, leftOut } = chat(values, place);
    if (!hasAnswer(messages, roles)) return { form, leftOut };
    return { form, leftOut, record: read({ ...values, messages }, place, [...used, "messages"], roles) };
  }
}

const isSame = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((name, i) => name === b[i]);

/** One row as a record; see `RowReader`.  Throws: as its `read`. */
export function recordOfRow(row: Row, roles?: RoleMap): ReadRow {
  return new RowReader(roles).read(row);
}

function missingOf({ needs }: RowForm, columns: readonly string[]): readonly string[] {
  const has = (name: string): boolean => columns.includes(name);
  return needs.flatMap((need) => {
    if (typeof need === "string") return has(need) ? [] : [need];
    return need.some(has) ? [] : [need[0]!];
  });
}

/** The form that most of the row's columns belong to, and what is missing of it. */
function unknownForm(values: RowValues, place: Place): Error {
  const columns = Object.keys(values);
  const chosen = ["chosen", "preferred_output"].find((name) => columns.includes(name));
  if (chosen !== undefined) return preferenceRefusal(values, chosen, place);
  if ("replies" in Object(values.prompt)) {
    return dataRefusal(place, 'this is a tree of messages; write each thread as a row of "messages"');
  }
  const missing = (name: RowFormName): readonly string[] => missingOf(FORMS[name], columns);
  const nearest = ROW_FORMS.map((name) => ({
    name,
    lacks: missing(name),
    has: FORMS[name].needs.length - missing(name).length,
  })).toSorted((a, b) => b.has - a.has || a.lacks.length - b.lacks.length)[0]!;
  const form = FORMS[nearest.has > 0 ? nearest.name : "prompt/response"];
  const [lacked = ""] = missingOf(form, columns);
  const isList = LISTS.includes(lacked);
  const fits = (value: unknown): boolean => (isList ? Array.isArray(value) : typeof value === "string");
  const others = columns
    .filter((name) => !form.needs.flat().includes(name) && !NUMBERS.test(name) && fits(values[name]))
    .slice(0, 8);
  const close = closestName(lacked, others);
  const example = close ?? others[0];
  const map = example === undefined ? "" : `; a column of another name is mapped by columns ${lacked}=${example}`;
  const known = nearest.has > 0 ? "" : ` (a row may also have ${otherForms()})`;
  return dataRefusal(place, `"${lacked}" is missing; give ${form.says}${known}${map}`);
}

/** Columns that hold lists, and names of columns that number rows. */
const LISTS: readonly string[] = ["messages", "conversations", "choices", "tokens", "contents", "chat_messages"];
const NUMBERS = /^(?:id|idx|ind|index|uuid|guid)$|_id$/iu;

/** Of rows with an answer that is preferred to another. */
function preferenceRefusal(values: RowValues, chosen: string, place: Place): Error {
  const what = "this row has a preferred answer and another; weft learns answers, and no preferences";
  const isText = typeof values[chosen] === "string";
  const asked = typeof values.prompt === "string" || Array.isArray(values.prompt);
  if (!isText && !asked && (values[chosen] as { length?: number } | null)?.length === 1) {
    return dataRefusal(place, `${what}; write the preferred ones as rows of "messages"`);
  }
  const name = asked ? (isText ? "response" : "completion") : isText ? "text" : "messages";
  return dataRefusal(place, `${what}; columns ${name}=${chosen} learns the preferred ones`);
}

const otherForms = (): string =>
  ROW_FORMS.slice(1)
    .map((name) => FORMS[name].says.split(",")[0])
    .join("; ");

function answered(
  values: RowValues,
  place: Place,
  { used, prompt, response }: { readonly used: readonly string[]; readonly prompt: string; readonly response: string },
): DataRecord {
  const form =
    FORMS[
      response === "response" ? "prompt/response" : response === "answer" ? "question/answer" : "prompt/completion"
    ];
  const question = requireText(values, prompt, place, form);
  const answer = requireAnswer(values, response, place, form);
  return joined(values, { question, answer, used });
}

/** Prompt and response as they stand, with a line break where no white space parts them. */
function joined(
  values: RowValues,
  { question, answer, used }: { readonly question: string; readonly answer: string; readonly used: readonly string[] },
): DataRecord {
  if (question === "" || /\s$/u.test(question) || /^\s/u.test(answer)) {
    return record(values, { prompt: question, response: answer, used });
  }
  return { ...record(values, { prompt: `${question}\n`, response: answer, used }), question };
}

function instructionRecord(values: RowValues, place: Place, used: readonly string[]): DataRecord {
  const form = FORMS.instruction;
  const instruction = requireText(values, "instruction", place, form);
  const input = inputOf(values, place, form);
  const answer = ANSWERS.find((name) => Object.hasOwn(values, name)) ?? "output";
  const output = requireAnswer(values, answer, place, form);
  const isGiven = input.trim() !== "";
  return {
    ...record(values, { prompt: instructionPrompt(instruction, input), response: output, used }),
    asked: { instruction, ...(isGiven && { input }) },
  };
}

/** `input`, or `context` as Dolly calls it.  Throws: DATA_FORMAT where both are given. */
function inputOf(values: RowValues, place: Place, form: RowForm): string {
  const given = ["input", "context"].filter((name) => values[name] !== undefined && values[name] !== null);
  const texts = given.map((name) => requireText(values, name, place, form)).filter((text) => text.trim() !== "");
  if (texts.length <= 1) return texts[0] ?? "";
  throw dataRefusal(place, '"input" and "context" both hold text; put them together in one');
}

/** The prompt that is made of an instruction and what it is about. */
export function instructionPrompt(instruction: string, input = ""): string {
  return `Task: ${instruction}\n${input.trim() === "" ? "" : `Input: ${input}\n`}Answer:\n`;
}

function choiceRecord(values: RowValues, place: Place, used: readonly string[]): DataRecord {
  const form = FORMS["multiple choice"];
  const question = requireText(values, "question", place, form);
  const choices = choiceTexts(values.choices, place);
  const key = KEYS.find((name) => Object.hasOwn(values, name)) ?? "answer";
  const { prompt, response } = multipleChoice(question, choices, { answer: values[key], column: key, place });
  return joined(values, { question: prompt, answer: response, used: [...used, "answer", "answerKey"] });
}

function labelRecord(values: RowValues, place: Place, used: readonly string[]): DataRecord {
  const form = FORMS["text/label"];
  const text = requireText(values, "text", place, form);
  const { label } = values;
  // A table as text writes numbers as digits.
  const number = typeof label === "string" && /^\d{1,9}$/u.test(label) ? Number(label) : label;
  if (typeof number === "number" && Number.isSafeInteger(number) && number >= 0) {
    return { ...joined(values, { question: text, answer: String(number), used }), classNumber: number };
  }
  return joined(values, { question: text, answer: requireAnswer(values, "label", place, form), used });
}

function taggedRecord(values: RowValues, place: Place, used: readonly string[]): DataRecord {
  const column = TAGS.find((name) => Object.hasOwn(values, name)) ?? "ner_tags";
  const tagged = taggedWords(values, { column, place });
  const parts = { prompt: `${tagged.words.join(" ")}\n`, response: tagged.tags.join(" "), used };
  return { ...record(values, parts), question: tagged.words.join(" "), tagged };
}

function conversationRecord(
  values: RowValues,
  place: Place,
  at: {
    readonly used: readonly string[];
    readonly columns: readonly string[];
    readonly learntFrom: string;
    readonly roles: RoleMap | undefined;
  },
): DataRecord {
  const { learntFrom, roles } = at;
  const conversation = conversationOf(values, at.columns, { place, learntFrom, ...(roles && { roles }) });
  return { ...record(values, { ...plainConversation(conversation), used: at.used }), conversation };
}

function record(
  values: RowValues,
  parts: {
    readonly prompt: string;
    readonly response: string;
    readonly overflow?: "continue";
    readonly used: readonly string[];
  },
): DataRecord {
  const { prompt, response, overflow, used } = parts;
  const others = Object.entries(values).filter(([name]) => !used.includes(name) && !RESERVED.includes(name));
  const fields = others.flatMap(([name, value]): [string, string][] =>
    typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? [[name, `${value}`]] : [],
  );
  return {
    prompt,
    response,
    fields: Object.fromEntries(fields),
    overflow: overflow ?? (values.overflow === "continue" ? "continue" : "cut"),
  };
}

function requireAnswer(values: RowValues, name: string, place: Place, form: RowForm): string {
  const text = requireText(values, name, place, form);
  if (text === "") throw dataRefusal(place, `"${name}" is empty; give an answer to learn, or drop the row`);
  return text;
}

function requireText(values: RowValues, name: string, place: Place, form: RowForm): string {
  if (!Object.hasOwn(values, name)) throw dataRefusal(place, `"${name}" is missing; give ${form.says}`);
  const value = values[name];
  if (typeof value !== "string")
    throw dataRefusal(place, `"${name}" is ${describeValue(value)}; make it text in quotes`);
  return value;
}

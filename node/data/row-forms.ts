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
import { plainConversation } from "./conversation.ts";
import { conversationOf, isMessageList } from "./conversation-rows.ts";
import { chatGptChat, claudeChat, type ExportedChat, geminiChat } from "./exported-chats.ts";
import { choiceTexts, multipleChoice } from "./multiple-choice.ts";
import { isBlank, NoAnswer } from "./no-answer.ts";
import { dataRefusal, describeValue, type Place } from "./place.ts";
import { endingParts, readingParts } from "./published-rows.ts";
import type { DataRecord } from "./record.ts";
import type { RoleMap } from "./role-map.ts";
import type { RowValues } from "./row.ts";
import { placeOfText } from "./suggested-columns.ts";
import { taggedWords } from "./tagged-words.ts";
import { withColumns } from "./unreadable-row.ts";

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
  "reading",
  "endings",
  "question/answer",
  "tokens/tags",
  "text/label",
  "text",
] as const;
/** One of them. */
export type RowFormName = (typeof ROW_FORMS)[number];

/** What makes a form. */
export interface RowForm {
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
/** Columns that hold what is learnt, of the forms that ask something. */
export const ANSWER_COLUMNS = ["response", "completion", "answers", ...ANSWERS, ...KEYS] as const;
/** LMSYS and WildChat leave the plural out. */
const TURNS = ["conversations", "conversation"] as const;
/** Columns that hold the classes of words. */
export const TAGS = ["ner_tags", "tags", "labels"] as const;

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
export const FORMS: Readonly<Record<RowFormName, RowForm>> = {
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
    needs: [TURNS],
    may: ["tools", "functions", "system"],
    says: '"conversations", a list of {"from", "value"}',
    read: (values, place, used, roles) => {
      const column = TURNS.find((name) => Object.hasOwn(values, name)) ?? "conversations";
      return conversationRecord(values, place, { used, roles, columns: [column], learntFrom: column });
    },
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
  reading: {
    needs: ["context", "question", "answers"],
    says: '"context", "question" and "answers", as SQuAD has them',
    read: (values, place, used) => {
      const { question, answer } = readingParts(values, place);
      return joined(values, { question, answer, used });
    },
  },
  endings: {
    needs: ["ctx", "endings", "label"],
    says: '"ctx", "endings" and "label", as HellaSwag has them',
    read: (values, place, used) => {
      const { question, answer } = endingParts(values, place);
      return record(values, { prompt: question, response: answer, used });
    },
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

/** Columns that a row lacks of a form. */
export function missingOf({ needs }: RowForm, columns: readonly string[]): readonly string[] {
  const has = (name: string): boolean => columns.includes(name);
  return needs.flatMap((need) => {
    if (typeof need === "string") return has(need) ? [] : [need];
    return need.some(has) ? [] : [need[0]!];
  });
}

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
  if (values[key] === null || values[key] === "") {
    throw new NoAnswer(
      place,
      `"${key}" is ${values[key] === null ? "null" : "empty"}; give an answer, or drop the row`,
    );
  }
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

/** Columns in which data sets have numbers and truth values. */
const MAY_BE_NUMBERS: readonly string[] = ["answer", "label"];

/** What is to be learnt: text, or a value that every table would write as the same text. */
function requireAnswer(values: RowValues, name: string, place: Place, form: RowForm): string {
  const value = Object.hasOwn(values, name) ? values[name] : undefined;
  if (value === null) throw new NoAnswer(place, `"${name}" is null; give an answer to learn, or drop the row`);
  if (MAY_BE_NUMBERS.includes(name)) {
    if (typeof value === "boolean" || Number.isSafeInteger(value)) return `${value as boolean | number}`;
    if (typeof value === "number") {
      throw dataRefusal(place, `"${name}" is no whole number; write it as text, with the digits that are meant`);
    }
  }
  const inner = typeof value === "object" ? placeOfText(value) : undefined;
  if (inner !== undefined) {
    const columns = `${name}=${name}${inner}`;
    throw withColumns(
      place,
      `"${name}" is ${describeValue(value)}; columns ${columns} reads the first text in it`,
      columns,
    );
  }
  const text = requireText(values, name, place, form);
  if (!isBlank(text)) return text;
  const what = text === "" ? "is empty" : "holds white space alone";
  const rows = name === "text" ? "rows without text" : undefined;
  throw new NoAnswer(place, `"${name}" ${what}; give an answer to learn, or drop the row`, rows);
}

function requireText(values: RowValues, name: string, place: Place, form: RowForm): string {
  if (!Object.hasOwn(values, name)) throw dataRefusal(place, `"${name}" is missing; give ${form.says}`);
  const value = values[name];
  if (typeof value !== "string")
    throw dataRefusal(place, `"${name}" is ${describeValue(value)}; make it text in quotes`);
  return value;
}

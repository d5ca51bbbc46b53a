/** Reads conversations out of rows: messages of OpenAI's form, and the turns of ShareGPT. */
import { closestName } from "../../protocol/closest-name.ts";
import { jsonOfCell } from "./cell-json.ts";
import { type Conversation, isLearnt, type Message, plainTurn, type Role } from "./conversation.ts";
import { isBlank, NoAnswer } from "./no-answer.ts";
import { dataRefusal, describeValue, type Place } from "./place.ts";
import type { RoleMap } from "./role-map.ts";
import type { RowValues } from "./row.ts";

/** Names of the roles in public data sets, both forms together. */
const ROLE_NAMES: Readonly<Record<string, Role>> = {
  system: "system",
  developer: "system",
  user: "user",
  human: "user",
  prompter: "user",
  assistant: "assistant",
  gpt: "assistant",
  chatgpt: "assistant",
  bing: "assistant",
  bard: "assistant",
  bot: "assistant",
  chatbot: "assistant",
  ai: "assistant",
  model: "assistant",
  function_call: "assistant",
  tool: "tool",
  function: "tool",
  observation: "tool",
  tool_response: "tool",
};

/** Whether a value is a list of messages rather than text: also as JSON in the field of a table. */
export function isMessageList(value: unknown): boolean {
  return Array.isArray(value) || (typeof value === "string" && /^\s*\[\s*\{/u.test(value));
}

/**
 * The conversation in the lists of messages of these columns, one after another.
 * learntFrom: the column from which on the assistant's turns are learnt; roles: what else the roles are called.
 * Throws: DATA_FORMAT at the place for what is no conversation, or one in which the assistant says nothing.
 */
export function conversationOf(
  values: RowValues,
  columns: readonly string[],
  { place, learntFrom, roles }: { readonly place: Place; readonly learntFrom: string; readonly roles?: RoleMap },
): Conversation {
  const system = systemOf(values.system, place);
  const messages: Message[] = [];
  let from = 0;
  for (const column of columns) {
    if (column === learntFrom) from = messages.length;
    for (const [i, turn] of turnsOf(listOf(values[column], column, place)).entries()) {
      messages.push(messageOf(turn, `${column}[${i}]`, { place, ...(roles && { roles }) }));
    }
  }
  if (system !== undefined && messages[0]?.role !== "system") {
    messages.unshift({ role: "system", content: system });
    if (from > 0) from += 1;
  }
  const says = (message: Message, i: number): boolean =>
    isLearnt({ messages, learntFrom: from }, message, i) &&
    (!isBlank(plainTurn(message)) || message.more !== undefined);
  if (!messages.some(says)) {
    const text = `in "${learntFrom}" the assistant says nothing; give a turn to learn, or drop the row`;
    throw new NoAnswer(place, text, "conversations without an answer");
  }
  const tools = toolsOf(values.tools, place) ?? functionsOf(values.functions);
  return { messages, ...(tools && { tools }), learntFrom: from };
}

/** What stands in the column `system`: text, or parts of text as Bedrock has them.  Throws: DATA_FORMAT for what is neither. */
function systemOf(value: unknown, place: Place): string | undefined {
  if (value === null || value === undefined || value === "") return undefined;
  if (typeof value === "string") return value;
  const texts = (Array.isArray(value) ? value : [value]).map(
    (part: unknown) => (part as { text?: unknown } | null)?.text,
  );
  if (texts.every((text) => typeof text === "string")) return texts.join("\n") || undefined;
  throw dataRefusal(place, `"system" is ${describeValue(value)}; make it text in quotes`);
}

/** Whether the assistant says anything in these messages. */
export function hasAnswer(messages: readonly { readonly role: unknown }[], roles?: RoleMap): boolean {
  return messages.some(({ role }) => typeof role === "string" && roleOf(role.toLowerCase(), roles) === "assistant");
}

function listOf(value: unknown, column: string, place: Place): readonly unknown[] {
  const list = typeof value === "string" ? parsed(value, column, place) : value;
  if (Array.isArray(list) && list.length > 0) return list;
  const text = `"${column}" is ${Array.isArray(list) ? "an empty list" : describeValue(list)}; give a list of messages`;
  if (list === null || Array.isArray(list)) throw new NoAnswer(place, text, "conversations without an answer");
  throw dataRefusal(place, text);
}

/**
 * Turns as messages: texts are the user's and the assistant's in turn, as LIMA has them, and an object of `input` and `output`
 * is one of each.
 */
function turnsOf(list: readonly unknown[]): readonly unknown[] {
  if (list.length > 1 && list.every((turn) => typeof turn === "string")) {
    return list.map((content, i) => ({ role: i % 2 === 0 ? "user" : "assistant", content }));
  }
  return list.flatMap((turn): readonly unknown[] => {
    const { input, output, role, from } = Object(turn) as RowValues;
    if (typeof input !== "string" || typeof output !== "string" || role !== undefined || from !== undefined)
      return [turn];
    return [
      { role: "user", content: input },
      { role: "assistant", content: output },
    ];
  });
}

function parsed(text: string, column: string, place: Place): unknown {
  return jsonOfCell(text, `"${column}" is text but no JSON`, "give a list of messages", place);
}

function messageOf(
  turn: unknown,
  name: string,
  { place, roles }: { readonly place: Place; readonly roles?: RoleMap },
): Message {
  if (typeof turn !== "object" || turn === null || Array.isArray(turn)) {
    throw dataRefusal(place, `${name} is ${describeValue(turn)}; give an object with "role" and "content"`);
  }
  const { role, content, from, value, ...rest } = turn as RowValues;
  const isShareGpt = role === undefined && from !== undefined;
  const word = isShareGpt ? from : role;
  const known = typeof word === "string" ? roleOf(word.toLowerCase(), roles) : undefined;
  if (known === undefined) {
    throw dataRefusal(place, unknownRole(name, isShareGpt ? "from" : "role", word));
  }
  const present = Object.entries(withToolCalls(rest)).filter(([, part]) => part !== null && part !== undefined);
  const more = Object.fromEntries(present);
  const said = textOf(isShareGpt ? value : content, { name, field: isShareGpt ? "value" : "content", place, more });
  const heard = isShareGpt ? value : content;
  const silent = heard === null ? "null" : heard === undefined ? "missing" : undefined;
  return { role: known, content: said, ...(silent && { silent }), ...(present.length > 0 && { more }) };
}

/** OpenAI's older `function_call` is a tool call. */
function withToolCalls({ function_call: call, ...rest }: RowValues): RowValues {
  if (typeof call !== "object" || call === null) return rest;
  return { tool_calls: [{ type: "function", function: call }], ...rest };
}

/** The older `functions` as descriptions of tools. */
function functionsOf(value: unknown): readonly unknown[] | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  return value.map((one: unknown) => ({ type: "function", function: one }));
}

function roleOf(word: string, roles?: RoleMap): Role | undefined {
  return roles?.get(word) ?? (Object.hasOwn(ROLE_NAMES, word) ? ROLE_NAMES[word] : undefined);
}

function unknownRole(name: string, field: string, word: unknown): string {
  const names = Object.keys(ROLE_NAMES);
  if (typeof word !== "string") return `${name} has no "${field}"; give one of ${names.join(", ")}`;
  const near = closestName(word, names);
  const said = word.slice(0, 40);
  const hint = near ? `did you mean "${near}"?` : `use one of ${names.join(", ")}`;
  return `${name} has the ${field} "${said}", which is none that weft knows; ${hint}; a role of another name is mapped by roles assistant=${said}`;
}

/** The text of a turn; a list of parts is their texts together, as templates of text models write them. */
function textOf(
  content: unknown,
  at: { readonly name: string; readonly field: string; readonly place: Place; readonly more: RowValues },
): string {
  const { name, field, place, more } = at;
  if (typeof content === "string") return content;
  if ((content === null || content === undefined) && Array.isArray(more.tool_calls)) return "";
  if (Array.isArray(content)) {
    const texts = content.map((part: unknown) => (part as { text?: unknown } | null)?.text);
    if (texts.every((text) => typeof text === "string")) return texts.join("");
    throw dataRefusal(place, `${name} has parts that are no text, such as images; weft trains on text alone`);
  }
  if (content === undefined) throw dataRefusal(place, `${name} has no "${field}"; give what is said`);
  throw dataRefusal(place, `"${field}" of ${name} is ${describeValue(content)}; make it text in quotes`);
}

function toolsOf(value: unknown, place: Place): readonly unknown[] | undefined {
  const list = typeof value === "string" && value.trim() !== "" ? parsed(value, "tools", place) : value;
  if (list === null || list === undefined || list === "") return undefined;
  if (Array.isArray(list)) return list.length > 0 ? list : undefined;
  throw dataRefusal(place, `"tools" is ${describeValue(list)}; give a list of tool descriptions`);
}

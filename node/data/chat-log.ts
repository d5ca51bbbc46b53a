/**
 * Chats between people, as messengers export them: who says what on which day. A day is a conversation: where roles are
 * given it has turns, of which the assistant's are learnt; else it is text to be learnt whole, each message behind its
 * speaker's name.
 */
import { closestName } from "../../protocol/closest-name.ts";
import { type Message, plainConversation } from "./conversation.ts";
import { isObject } from "./exported-chats.ts";
import { dataRefusal, type Place } from "./place.ts";
import type { DataRecord } from "./record.ts";
import type { RoleMap } from "./role-map.ts";
import type { RowValues } from "./row.ts";

/** One message. */
export interface LogEntry {
  readonly speaker: string;
  /** The day as the file writes it, or the number of the block between blank lines; only whether it changes counts. */
  readonly day: string;
  readonly text: string;
}

/** A chat, and how many of its messages were passed over because they hold no text: pictures, calls, notices. */
export interface ChatLog {
  readonly form: `${"WhatsApp" | "Telegram" | "Discord" | "Messenger" | "Teams" | "Slack"} chat` | "chat";
  readonly entries: readonly LogEntry[];
  readonly leftOut: number;
}

/** `31.12.23`, of which only whether it changes counts, and the time behind it. */
const DAY = String.raw`(\d{1,4}[./-]\d{1,2}[./-]\d{1,4})`;
const TIME = String.raw`\d{1,2}[:.]\d{2}(?:[:.]\d{2})?(?:\s?[AaPp]\.?\s?[Mm]\.?)?`;
/**
 * `[31.12.23, 22:05:11] Name: text` and `12/31/23, 10:05 PM - Name: text`, in the ways of all countries. Lines of a program's log begin
 * with a date too: in brackets as ISO writes it, without a comma, or with nothing behind it.
 */
const WHATSAPP = [
  new RegExp(String.raw`^[\u200E\u200F]?\[(?!\d{4}-\d\d-\d\d\s)${DAY},?\s+${TIME}\]\s(.*)$`, "u"),
  new RegExp(String.raw`^[\u200E\u200F]?${DAY},?\s+${TIME}\s[-–]\s(.*)$`, "u"),
];

/** The day and what stands behind it; undefined for a line without. */
function datedLine(line: string): RegExpExecArray | undefined {
  return WHATSAPP.map((form) => form.exec(line)).find((found) => found !== null) ?? undefined;
}

/** `Name: text`. */
const SPOKEN = /^([^:\n]{1,60}?):(?:\s+(.*))?$/u;
/** What stands for a picture or a call: in angle brackets, or behind the mark that WhatsApp puts before its own words. */
const NO_TEXT = /^(?:\u200E.*|<[^<>]{1,80}>|)$/u;

const LINES_LOOKED_AT = 40;

/** A text as a chat of WhatsApp; undefined where most of its first lines have no date. */
export function whatsAppLog(text: string): ChatLog | undefined {
  const lines = linesOf(text);
  const head = lines.filter((line) => line.trim() !== "").slice(0, LINES_LOOKED_AT);
  if (head.length === 0 || head.filter((line) => datedLine(line) !== undefined).length <= head.length / 2)
    return undefined;
  const entries: LogEntry[] = [];
  let leftOut = 0;
  let isKept = false;
  for (const line of lines) {
    const [, day, rest] = datedLine(line) ?? [];
    if (day === undefined || rest === undefined) {
      if (isKept && entries.length > 0) entries.push(withLine(entries.pop()!, line));
      continue;
    }
    const [, speaker, said = ""] = SPOKEN.exec(rest) ?? [];
    isKept = speaker !== undefined && !NO_TEXT.test(said.trim());
    if (isKept && speaker !== undefined) entries.push({ speaker: bareSpeaker(speaker), day, text: said });
    else leftOut += 1;
  }
  return { form: "WhatsApp chat", entries: entries.map(trimmed), leftOut };
}

/** A text whose lines are `Name: text`, a conversation between two blank lines; undefined where most lines have no name. */
export function spokenLog(text: string): ChatLog | undefined {
  const lines = linesOf(text);
  const filled = lines.filter((line) => line.trim() !== "");
  const speakers = new Set(filled.flatMap((line) => SPOKEN.exec(line)?.[1] ?? []));
  const spoken = filled.filter((line) => SPOKEN.test(line)).length;
  if (spoken <= filled.length / 2 || speakers.size > spoken / 2) return undefined;
  const entries: LogEntry[] = [];
  let block = 0;
  for (const line of lines) {
    const [, speaker, said = ""] = SPOKEN.exec(line) ?? [];
    if (line.trim() === "") block += 1;
    else if (speaker !== undefined) entries.push({ speaker: bareSpeaker(speaker), day: `${block}`, text: said });
    else if (entries.length > 0) entries.push(withLine(entries.pop()!, line));
  }
  return { form: "chat", entries: entries.map(trimmed).filter(({ text: said }) => said !== ""), leftOut: 0 };
}

/** The chats of Telegram's `result.json`: of one chat, or of a whole account; undefined for another object. */
export function telegramLogs(values: RowValues): readonly ChatLog[] | undefined {
  const chats = isObject(values.chats) && Array.isArray(values.chats.list) ? values.chats.list : [values];
  const logs = chats.map((chat: unknown) => (isObject(chat) ? telegramLog(chat) : undefined));
  return logs.length > 0 && logs.every((log) => log !== undefined) ? logs : undefined;
}

function telegramLog({ messages }: RowValues): ChatLog | undefined {
  if (!Array.isArray(messages) || !messages.every(isTelegramMessage)) return undefined;
  const entries = messages.flatMap((message: RowValues): LogEntry[] => {
    const { type, date, from, text } = message;
    const said = telegramText(text);
    if (type !== "message" || typeof from !== "string" || said.trim() === "") return [];
    return [{ speaker: bareSpeaker(from), day: String(date).slice(0, 10), text: said.trim() }];
  });
  return { form: "Telegram chat", entries, leftOut: messages.length - entries.length };
}

function isTelegramMessage(message: unknown): boolean {
  return isObject(message) && typeof message.type === "string" && typeof message.date === "string" && "text" in message;
}

/** A text, or a list of texts and of pieces with a style. */
function telegramText(text: unknown): string {
  if (typeof text === "string") return text;
  if (!Array.isArray(text)) return "";
  return text.map((part: unknown) => (isObject(part) ? part.text : part)).join("");
}

/** The records of a chat, and how many of its days were passed over because the assistant says nothing. */
export interface LogRecords {
  readonly records: readonly DataRecord[];
  readonly silentDays: number;
}

/**
 * One record a day. With roles, messages of one speaker after another are one turn, and who has no role there is a user.
 * Throws: DATA_FORMAT at the place for a chat without messages, or one in which nobody is the assistant.
 */
export function logRecords({ entries }: ChatLog, place: Place, roles?: RoleMap): LogRecords {
  if (entries.length === 0) throw dataRefusal(place, "the chat has no messages with text; export it again");
  const days = [...groupsOf(entries, ({ day }) => day)];
  if (!roles) return { records: days.map(textOfDay), silentDays: 0 };
  requireAssistant(entries, place, roles);
  const conversations = days.map((day): readonly Message[] =>
    [...groupsOf(day, ({ speaker }) => speaker)].map((turn) => ({
      role: roles.get(turn[0]!.speaker.toLowerCase()) ?? "user",
      content: turn.map(({ text }) => text).join("\n"),
    })),
  );
  const kept = conversations.filter((messages) => messages.some(({ role }) => role === "assistant"));
  return { records: kept.map(conversationOfDay), silentDays: conversations.length - kept.length };
}

/** The speakers of chats, those who say most first. */
export function speakersOf(entries: readonly LogEntry[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const { speaker } of entries) counts.set(speaker, (counts.get(speaker) ?? 0) + 1);
  return [...counts].toSorted(([, a], [, b]) => b - a).map(([speaker]) => speaker);
}

function requireAssistant(entries: readonly LogEntry[], place: Place, roles: RoleMap): void {
  const speakers = speakersOf(entries);
  if (speakers.some((speaker) => roles.get(speaker.toLowerCase()) === "assistant")) return;
  const names = [...roles].filter(([, role]) => role === "assistant").map(([name]) => name);
  const near = closestName(names[0]!, speakers);
  const hint = near === undefined ? `it has ${speakers.slice(0, 12).join(", ")}` : `did you mean "${near}"?`;
  throw dataRefusal(place, `the chat has no speaker "${names.join('" or "')}"; ${hint}`);
}

function textOfDay(day: readonly LogEntry[]): DataRecord {
  const text = day.map((entry) => `${entry.speaker}: ${entry.text}`).join("\n");
  return { prompt: "", response: text, fields: {}, overflow: "continue" };
}

function conversationOfDay(messages: readonly Message[]): DataRecord {
  const conversation = { messages, learntFrom: 0 };
  return { ...plainConversation(conversation), fields: {}, overflow: "cut", conversation };
}

/** Neighbouring entries with the same key. */
function* groupsOf(entries: readonly LogEntry[], key: (entry: LogEntry) => string): Generator<readonly LogEntry[]> {
  let group: LogEntry[] = [];
  for (const entry of entries) {
    if (group.length > 0 && key(group[0]!) !== key(entry)) {
      yield group;
      group = [];
    }
    group.push(entry);
  }
  if (group.length > 0) yield group;
}

const linesOf = (text: string): readonly string[] => text.replace(/^\uFEFF/u, "").split(/\r\n|\n|\r/u);
/** A speaker's name without marks of direction. */
export const bareSpeaker = (speaker: string): string =>
  speaker.replace(/[\u200E\u200F\u202A-\u202E\u2066-\u2069~]/gu, "").trim();
const withLine = (entry: LogEntry, line: string): LogEntry => ({ ...entry, text: `${entry.text}\n${line}` });
const trimmed = (entry: LogEntry): LogEntry => ({ ...entry, text: entry.text.trim() });

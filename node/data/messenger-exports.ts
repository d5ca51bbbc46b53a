/**
 * Chats as messengers and work places export them in JSON: Discord (by DiscordChatExporter), Facebook Messenger and
 * Instagram, Microsoft Teams and Skype, Slack. Each becomes who says what on which day.
 */
import { bareSpeaker, type ChatLog, type LogEntry, telegramLogs } from "./chat-log.ts";
import { isObject } from "./exported-chats.ts";
import type { Row, RowValues } from "./row.ts";

/** The chats in an object of such an export; undefined for another object. */
export function exportedLogs(values: RowValues): readonly ChatLog[] | undefined {
  return telegramLogs(values) ?? discordLogs(values) ?? messengerLogs(values) ?? teamsLogs(values);
}

/** What is read of one message; without text it is passed over. */
interface Said {
  readonly speaker: unknown;
  readonly day: string;
  readonly text: unknown;
}

function logOf(form: ChatLog["form"], messages: readonly RowValues[], read: (message: RowValues) => Said): ChatLog {
  const entries = messages.flatMap((message): LogEntry[] => {
    const { speaker, day, text } = read(message);
    if (typeof speaker !== "string" || typeof text !== "string" || text.trim() === "") return [];
    return [{ speaker: bareSpeaker(speaker), day, text: text.trim() }];
  });
  return { form, entries, leftOut: messages.length - entries.length };
}

/** A list of objects of which each passes, and at least one is there. */
function listOf(value: unknown, test: (message: RowValues) => boolean): readonly RowValues[] | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  return value.every((one) => isObject(one) && test(one)) ? (value as readonly RowValues[]) : undefined;
}

const has = (values: RowValues, ...names: readonly string[]): boolean =>
  names.every((name) => Object.hasOwn(values, name));
const textAt = (values: unknown, ...names: readonly string[]): string | undefined =>
  names
    .map((name) => (isObject(values) ? values[name] : undefined))
    .find((value): value is string => typeof value === "string" && value !== "");
const dayOfTime = (milliseconds: unknown): string => {
  const time = new Date(Number(milliseconds));
  return Number.isNaN(time.getTime()) ? "" : time.toISOString().slice(0, 10);
};

/** `{guild, channel, messages: [{author, timestamp, content}]}`. */
function discordLogs({ messages }: RowValues): readonly ChatLog[] | undefined {
  const list = listOf(messages, (one) => isObject(one.author) && has(one, "content", "timestamp"));
  const read = ({ author, timestamp, content }: RowValues): Said => ({
    speaker: textAt(author, "nickname", "name"),
    day: String(timestamp).slice(0, 10),
    text: content,
  });
  return list && [logOf("Discord chat", list, read)];
}

/** `{participants, messages: [{sender_name, timestamp_ms, content}]}`, the newest first. */
function messengerLogs({ messages }: RowValues): readonly ChatLog[] | undefined {
  const list = listOf(messages, (one) => has(one, "sender_name", "timestamp_ms"));
  if (!list) return undefined;
  const ordered = list.toSorted((a, b) => Number(a.timestamp_ms) - Number(b.timestamp_ms));
  const read = (message: RowValues): Said => ({
    speaker: mended(message.sender_name),
    day: dayOfTime(message.timestamp_ms),
    text: mended(message.content),
  });
  return [logOf("Messenger chat", ordered, read)];
}

/** These exports write the bytes of UTF-8 as characters of their own; text that is no such writing stays. */
function mended(text: unknown): unknown {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: bytes written as characters are what is looked for
  if (typeof text !== "string" || !/^[\u0000-\u00FF]*$/u.test(text) || !/[\u0080-\u00FF]/u.test(text)) return text;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(text, (one) => one.charCodeAt(0)));
  } catch {
    return text;
  }
}

/** `{conversations: [{MessageList: [{from, displayName, originalarrivaltime, content}]}]}`, the newest first. */
function teamsLogs({ conversations }: RowValues): readonly ChatLog[] | undefined {
  const chats = listOf(conversations, (one) => Array.isArray(one.MessageList));
  return chats?.map(({ MessageList: list }) => {
    const messages = (list as readonly unknown[]).filter(isObject);
    const ordered = messages.toSorted((a, b) => timeOf(a) - timeOf(b));
    return logOf("Teams chat", ordered, (message) => ({
      speaker: textAt(message, "displayName", "from"),
      day: String(message.originalarrivaltime).slice(0, 10),
      text: /^(?:RichText(?:\/Html)?|Text)$/iu.test(String(message.messagetype))
        ? plainText(message.content)
        : undefined,
    }));
  });
}

const timeOf = ({ originalarrivaltime: time }: RowValues): number => Date.parse(String(time)) || 0;

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', apos: "'", nbsp: " ", amp: "&" };

/** The text of a message that is written in HTML. */
function plainText(html: unknown): string | undefined {
  if (typeof html !== "string") return undefined;
  const lines = html.replace(/<(?:br|\/p|\/div|\/li)\b[^>]*>/giu, "\n").replace(/<[^<>]*>/gu, "");
  return withoutEntities(lines).trim();
}

const withoutEntities = (text: string): string =>
  text.replace(
    /&(lt|gt|quot|apos|nbsp|amp|#39);/gu,
    (whole, name: string) => ENTITIES[name] ?? (name === "#39" ? "'" : whole),
  );

/** Whether a row is a message of Slack: `{type: "message", user, text, ts}`. */
const isSlackMessage = ({ type, ts, text }: RowValues): boolean =>
  type === "message" &&
  typeof ts === "string" &&
  /^\d+\.\d+$/u.test(ts) &&
  (typeof text === "string" || text === undefined);

/** Rows as they are, or, where the first is a message of Slack, the chat of all of them. */
export async function* withSlack(rows: AsyncIterable<Row>): AsyncGenerator<Row | ChatLog> {
  const messages: RowValues[] = [];
  let isSlack: boolean | undefined;
  for await (const row of rows) {
    isSlack ??= isSlackMessage(row.values);
    if (isSlack) messages.push(row.values);
    else yield row;
  }
  if (isSlack) yield slackLog(messages);
}

function slackLog(messages: readonly RowValues[]): ChatLog {
  const names = new Map<string, string>();
  for (const message of messages) {
    const name = textAt(message.user_profile, "display_name", "real_name", "name") ?? textAt(message, "username");
    if (typeof message.user === "string" && name !== undefined) names.set(message.user, name);
  }
  const ordered = messages.toSorted((a, b) => Number(a.ts) - Number(b.ts));
  return logOf("Slack chat", ordered, (message) => {
    const user = textAt(message, "user", "bot_id");
    // Who joins or leaves says nothing; what has been changed or answered in a thread does.
    const isNotice =
      typeof message.subtype === "string" && /_(?:join|leave|topic|purpose|name|archive)$/u.test(message.subtype);
    return {
      speaker: user === undefined ? textAt(message, "username") : (names.get(user) ?? user),
      day: dayOfTime(Number(message.ts) * 1000),
      text: isNotice || typeof message.text !== "string" ? undefined : slackText(message.text, names),
    };
  });
}

/** `<@U1>` is a name, `<https://…|word>` its word. */
function slackText(text: string, names: ReadonlyMap<string, string>): string {
  const plain = text.replace(
    /<([@#!]?)([^<>|]*)(?:\|([^<>]*))?>/gu,
    (_, mark: string, target: string, word?: string) => {
      if (mark === "") return word ?? target;
      return `${mark === "!" ? "@" : mark}${word ?? names.get(target) ?? target}`;
    },
  );
  return withoutEntities(plain);
}

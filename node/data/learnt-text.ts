/**
 * Which characters of a rendered conversation are the turns to learn. Where the template has `{% generation %}` blocks,
 * they say it. Else a turn is found by what the template writes up to it and with it; where those are not the beginnings
 * of the whole text, by writing other words in the turn's place and looking what stays.
 */
import { NodeError } from "../errors.ts";
import type { ChatTemplate, MarkedText, TemplateInput } from "../model/chat-template.ts";
import { type Conversation, isLearnt, type Message } from "./conversation.ts";

/** The text of a conversation, and the ranges [from, to) of its characters that are learnt, in order. */
export interface LearntText {
  readonly text: string;
  readonly learnt: readonly (readonly [from: number, to: number])[];
  /** Whether the template says so itself. */
  readonly isMarked: boolean;
}

/** Stands for a turn's content while it is looked for: private characters that no text has. */
const STAND_IN = "\u{F0A03}\u{F0A04}";

/** A message as a template reads it. */
export function templateMessage({ role, content, silent, more }: Message): Readonly<Record<string, unknown>> {
  if (silent === "missing") return { role, ...more };
  return { role, content: silent === "null" ? null : content, ...more };
}

/** Throws: DATA_FORMAT where the template refuses the conversation, or where a turn cannot be found in its text. */
export function learntText(template: ChatTemplate, conversation: Conversation): LearntText {
  const input = inputOf(conversation);
  const marked = template.renderMarked(input);
  if (marked !== undefined) return ofBlocks(marked, conversation);
  const text = template.render(input);
  const learnt: (readonly [number, number])[] = [];
  for (const [i, message] of conversation.messages.entries()) {
    if (!isLearnt(conversation, message, i)) continue;
    const found = rangeOf({ template, input, text, i });
    if (found === undefined || found[0] < (learnt.at(-1)?.[1] ?? 0)) throw notFound(i);
    learnt.push(found);
  }
  return { text, learnt, isMarked: false };
}

function inputOf({ messages, tools }: Conversation): TemplateInput {
  return { messages: messages.map(templateMessage), ...(tools && { tools }) };
}

/** A template has a block for each of the assistant's turns; those of the prompt are not learnt. */
function ofBlocks({ text, generated }: MarkedText, conversation: Conversation): LearntText {
  const { messages, learntFrom } = conversation;
  const given = messages.filter(({ role }, i) => role === "assistant" && i < learntFrom).length;
  const learnt = generated.slice(given);
  if (learnt.length > 0) return { text, learnt, isMarked: true };
  throw new NodeError("DATA_FORMAT", "the chat template marks nothing of it as generated; drop it, or use another");
}

interface Turn {
  readonly template: ChatTemplate;
  readonly input: TemplateInput;
  readonly text: string;
  /** Number of the message. */
  readonly i: number;
}

function rangeOf(turn: Turn): readonly [number, number] | undefined {
  const start = startOf(turn);
  const end = start === undefined ? undefined : endOf(turn);
  return start !== undefined && end !== undefined && end > start ? [start, end] : undefined;
}

/** A turn starts behind what the template writes to ask for it, else where its content does. */
function startOf(turn: Turn): number | undefined {
  const { template, input, text, i } = turn;
  const asked = rendered(template, { ...input, messages: input.messages.slice(0, i), addGenerationPrompt: true });
  if (asked !== undefined && text.startsWith(asked)) return asked.length;
  const before = around(rendered(template, withStandIn(turn)))?.[0];
  if (before === undefined || !text.startsWith(before)) return undefined;
  // A single blank before the content is the turn's: tokenizers join it with the first word.
  return /\S $/u.test(before) ? before.length - 1 : before.length;
}

/**
 * A turn ends where the text with it as the last one does, if that stays so when another follows. Else it ends with what
 * follows its content alike, as the last turn and with others behind it.
 */
function endOf(turn: Turn): number | undefined {
  const { template, input, text, i } = turn;
  const alone = rendered(template, upTo(input, i));
  if (alone !== undefined && text.startsWith(alone)) {
    const longer = i < input.messages.length - 1 ? text : rendered(template, withNext(input));
    if (longer === undefined || longer.startsWith(alone)) return alone.length;
  }
  const changed = withStandIn(turn);
  const [after, last, longer] = [changed, upTo(changed, i), withNext(changed)].map(
    (one) => around(rendered(template, one))?.[1],
  );
  if (after === undefined || last === undefined || !text.endsWith(after)) return undefined;
  const tail = commonLength(last, longer ?? after);
  return tail === 0 ? undefined : text.length - after.length + tail;
}

const upTo = (input: TemplateInput, i: number): TemplateInput => ({
  ...input,
  messages: input.messages.slice(0, i + 1),
});

const withNext = (input: TemplateInput): TemplateInput => ({
  ...input,
  messages: [...input.messages, { role: "user", content: "." }],
});

function commonLength(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length += 1;
  return length;
}

/** What stands before and behind the words that stand in; undefined unless they stand there once. */
function around(text: string | undefined): readonly [string, string] | undefined {
  const pieces = text?.split(STAND_IN) ?? [];
  return pieces.length === 2 ? [pieces[0]!, pieces[1]!] : undefined;
}

function withStandIn({ input, i }: Turn): TemplateInput {
  const messages = input.messages.map((message, at) => (at === i ? { ...message, content: STAND_IN } : message));
  return { ...input, messages };
}

/** A template may refuse a part of a conversation that it writes as a whole. */
function rendered(template: ChatTemplate, input: TemplateInput): string | undefined {
  if (input.messages.length === 0) return undefined;
  try {
    return template.render(input);
  } catch (cause) {
    if (cause instanceof NodeError && cause.code === "DATA_FORMAT") return undefined;
    throw cause;
  }
}

function notFound(i: number): NodeError {
  const text = `what the chat template makes of message ${i + 1} cannot be told from the rest, because it writes a turn otherwise as soon as others follow; use a template with {% generation %} blocks`;
  return new NodeError("DATA_FORMAT", text, { message: i + 1 });
}

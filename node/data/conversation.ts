/** A conversation as rows of chat data have it: messages by role, the tools on offer, and which turns are learnt. */

/** Whose turn a message may be. */
export const ROLES = ["system", "user", "assistant", "tool"] as const;
/** One of them. */
export type Role = (typeof ROLES)[number];

/** What a chat template reads of one turn: role and content, and whatever else the row has, such as tool calls. */
export interface Message {
  readonly role: Role;
  /** Empty where the turn only calls tools. */
  readonly content: string;
  /** Where the row has no content: that it has null there, or nothing. */
  readonly silent?: "null" | "missing";
  /** As in the row: `tool_calls`, `tool_call_id`, `name`, `reasoning_content`. */
  readonly more?: Readonly<Record<string, unknown>>;
}

/** Turns in order, and which of them are learnt. */
export interface Conversation {
  readonly messages: readonly Message[];
  /** Descriptions of the tools, as the row has them. */
  readonly tools?: readonly unknown[];
  /** The assistant's turns from this message on are learnt; those before it are given. */
  readonly learntFrom: number;
}

/** Whether the loss is taken on a message: not where it says itself that it is not to be learnt. */
export function isLearnt({ learntFrom }: Conversation, message: Message, index: number): boolean {
  return message.role === "assistant" && index >= learntFrom && !isExcluded(message);
}

/** `"weight": 0` in OpenAI's rows, `"train": false` or `"loss": false` in others'. */
function isExcluded({ more = {} }: Message): boolean {
  return [more.weight, more.train, more.training, more.loss].some((mark) => mark === 0 || mark === false);
}

/** What a turn says in plain text: its content, and its tool calls as JSON below it. */
export function plainTurn({ content, more }: Message): string {
  const calls = more?.tool_calls;
  const parts = [content, ...(Array.isArray(calls) ? calls.map((call) => JSON.stringify(call)) : [])];
  return parts.filter((part) => part !== "").join("\n");
}

/**
 * A conversation as plain text, its turns on lines of their own: all before the first learnt turn is the prompt, what
 * follows is the response.
 */
export function plainConversation(conversation: Conversation): { readonly prompt: string; readonly response: string } {
  const { messages } = conversation;
  const first = messages.findIndex((message, i) => isLearnt(conversation, message, i));
  const text = (part: readonly Message[]): string => part.map(plainTurn).join("\n");
  const before = text(messages.slice(0, first));
  return { prompt: before === "" ? "" : `${before}\n`, response: text(messages.slice(first)) };
}

/**
 * Conversations as services give them out: the export of ChatGPT (`mapping`, a tree of messages), of Claude
 * (`chat_messages`), and the contents of Gemini (`contents` of `parts`), each as messages of `{role, content}`.
 */
import { dataRefusal, describeValue, type Place } from "./place.ts";
import type { RowValues } from "./row.ts";

/** Messages in order, and how many were passed over because they hold no text, such as images and traces of tools. */
export interface ExportedChat {
  readonly messages: readonly { readonly role: unknown; readonly content: string }[];
  readonly leftOut: number;
}

/** Where the names of services differ from those of rows, or a message is the service's own. */
const HIDDEN_TYPES = new Set(["user_editable_context", "model_editable_context", "thoughts", "reasoning_recap"]);

/**
 * A conversation of ChatGPT's export: the branch that ends in `current_node`, or in the newest leaf, from its root on.
 * Throws: DATA_FORMAT at the place for a tree that is none.
 */
export function chatGptChat(values: RowValues, place: Place): ExportedChat {
  const nodes = objectOf(values.mapping, '"mapping"', place);
  const branch: RowValues[] = [];
  const seen = new Set<string>();
  let id = typeof values.current_node === "string" ? values.current_node : lastLeaf(nodes);
  while (id !== undefined) {
    if (seen.has(id)) throw dataRefusal(place, '"mapping" goes in a circle; export the conversations again');
    seen.add(id);
    if (!Object.hasOwn(nodes, id)) {
      throw dataRefusal(place, `"mapping" has no node "${id.slice(0, 40)}"; export the conversations again`);
    }
    const node = objectOf(nodes[id], `"mapping.${id.slice(0, 40)}"`, place);
    branch.unshift(node);
    id = typeof node.parent === "string" ? node.parent : undefined;
  }
  const said = branch.flatMap(({ message }) => (isObject(message) ? [message] : []));
  return chatOf(said.filter(isShown), (message) => {
    const content = isObject(message.content) ? message.content : {};
    return {
      role: isObject(message.author) ? message.author.role : undefined,
      content: textsOf(content.parts ?? content.text),
    };
  });
}

/** A conversation of Claude's export.  Throws: DATA_FORMAT at the place for messages that are none. */
export function claudeChat(values: RowValues, place: Place): ExportedChat {
  const list = listOf(values.chat_messages, '"chat_messages"', place);
  return chatOf(list, ({ sender, text, content }) => ({
    role: sender,
    content: typeof text === "string" && text !== "" ? text : textsOf(content),
  }));
}

/** The contents of a request to Gemini, with its instruction for the system.  Throws: DATA_FORMAT as the others. */
export function geminiChat(values: RowValues, place: Place): ExportedChat {
  const list = listOf(values.contents, '"contents"', place);
  const chat = chatOf(list, ({ role = "user", parts }) => ({ role, content: textsOf(parts) }));
  const instruction = values.systemInstruction ?? values.system_instruction;
  const text = typeof instruction === "string" ? instruction : isObject(instruction) ? textsOf(instruction.parts) : "";
  return text === "" ? chat : { ...chat, messages: [{ role: "system", content: text }, ...chat.messages] };
}

function chatOf(
  list: readonly RowValues[],
  read: (message: RowValues) => { readonly role: unknown; readonly content: string },
): ExportedChat {
  const messages = list.map(read).filter(({ content }) => content.trim() !== "");
  return { messages, leftOut: list.length - messages.length };
}

/** Messages that a person saw: not the hidden ones of the system, nor what a model thought. */
function isShown({ author, content, metadata }: RowValues): boolean {
  if (isObject(metadata) && metadata.is_visually_hidden_from_conversation === true) return false;
  const type = isObject(content) ? content.content_type : undefined;
  if (typeof type === "string" && HIDDEN_TYPES.has(type)) return false;
  const isSystem = isObject(author) && author.role === "system";
  return !(isSystem && isObject(content) && textsOf(content.parts).trim() === "");
}

function lastLeaf(nodes: RowValues): string | undefined {
  const leaves = Object.entries(nodes).filter(([, node]) => {
    const children = isObject(node) ? node.children : undefined;
    return !Array.isArray(children) || children.length === 0;
  });
  return leaves.at(-1)?.[0];
}

/** The text of a message: a text, or a list of texts and of objects that have one. */
function textsOf(parts: unknown): string {
  if (typeof parts === "string") return parts;
  if (!Array.isArray(parts)) return "";
  const texts = parts.map((part: unknown) => (isObject(part) ? part.text : part));
  return texts.filter((text): text is string => typeof text === "string" && text !== "").join("\n");
}

function listOf(value: unknown, name: string, place: Place): readonly RowValues[] {
  if (Array.isArray(value) && value.every(isObject)) return value;
  throw dataRefusal(place, `${name} is ${describeValue(value)}; give a list of messages`);
}

function objectOf(value: unknown, name: string, place: Place): RowValues {
  if (isObject(value)) return value;
  throw dataRefusal(place, `${name} is ${describeValue(value)}; export the conversations again`);
}

/** Whether a value is an object with names, and no list. */
export function isObject(value: unknown): value is RowValues {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

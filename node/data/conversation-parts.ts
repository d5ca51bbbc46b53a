/**
 * A conversation in token ids where the base model has no chat template, in the plainest way: its turns on lines of
 * their own, and the end token behind each turn of the assistant. The loss is taken on those turns and their end.
 */
import type { Tokenizer } from "../model/tokenizer.ts";
import { type Conversation, isLearnt, plainTurn } from "./conversation.ts";
import type { Parts } from "./parts.ts";

/** Without an end token, a line break ends the assistant's turns too. */
export function conversationParts(conversation: Conversation, tokenizer: Tokenizer): Parts {
  const begin = tokenizer.beginId === undefined ? [] : [tokenizer.beginId];
  const end = tokenizer.endId === undefined ? [] : [tokenizer.endId];
  const ids: number[] = [];
  const learnt: [number, number][] = [];
  // What is said since the last end token is encoded as one text.
  let text = "";
  let textStart = 0;
  for (const [i, message] of conversation.messages.entries()) {
    const said = plainTurn(message);
    if (message.role !== "assistant") {
      text += `${said}\n`;
      continue;
    }
    const before = tokenizer.encode(text);
    const whole = tokenizer.encode(text + said);
    const isHead = whole.length > before.length && before.every((id, at) => whole[at] === id);
    const turn = isHead ? whole : [...before, ...tokenizer.encode(said)];
    for (const id of turn) ids.push(id);
    for (const id of end) ids.push(id);
    if (isLearnt(conversation, message, i)) learnt.push([textStart + before.length, ids.length]);
    text = end.length > 0 ? "" : "\n";
    textStart = ids.length;
  }
  // What is said after the last learnt turn teaches nothing and is left out.
  const length = learnt.at(-1)?.[1] ?? 0;
  const prompt = learnt[0]?.[0] ?? 0;
  // Without a begin token an empty prompt would leave the first token without anything to follow from.
  const first = begin.length + prompt === 0 ? 1 : prompt;
  return {
    begin,
    prompt: ids.slice(0, first),
    response: ids.slice(first, length),
    learnt: learnt
      .map(([from, to]) => [Math.max(0, from - first), to - first] as const)
      .filter(([from, to]) => from < to),
  };
}

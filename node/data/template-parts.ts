/** A conversation in token ids as the base model's chat template writes it; the assistant's turns are learnt. */
import { NodeError } from "../errors.ts";
import type { ChatTemplate } from "../model/chat-template.ts";
import type { Tokenizer } from "../model/tokenizer.ts";
import type { Conversation } from "./conversation.ts";
import { learntText } from "./learnt-text.ts";
import type { Parts } from "./parts.ts";

/** Tokens, and the ranges [from, to) of them that are learnt, in order. */
export interface LearntTokens {
  readonly ids: readonly number[];
  readonly learnt: readonly (readonly [from: number, to: number])[];
}

/**
 * All of a conversation, token by token what transformers' `apply_chat_template` gives.
 * Throws: DATA_FORMAT where the template refuses it.
 */
export function templateTokens(
  conversation: Conversation,
  { tokenizer, template }: { readonly tokenizer: Tokenizer; readonly template: ChatTemplate },
): LearntTokens {
  const { text, learnt, isMarked } = learntText(template, conversation);
  const ids = tokenizer.encode(text);
  const ranges = learnt
    .map((range) => withoutBlankEnd(tokensOfRange(range, { text, ids, tokenizer, isMarked }), ids, tokenizer))
    .filter(([from, to]) => from < to);
  return { ids, learnt: ranges };
}

/** What follows the last learnt token teaches nothing and is left out.  Throws: as `templateTokens`. */
export function templateParts(
  conversation: Conversation,
  tools: { readonly tokenizer: Tokenizer; readonly template: ChatTemplate },
): Parts {
  const { ids, learnt } = templateTokens(conversation, tools);
  const begin = ids.length > 0 && ids[0] === tools.tokenizer.beginId ? ids.slice(0, 1) : [];
  // The first token has nothing to follow from.
  const first = Math.max(1, learnt[0]?.[0] ?? 1);
  const length = learnt.at(-1)?.[1] ?? 0;
  if (length <= first) throw new NodeError("DATA_FORMAT", "the chat template leaves nothing of it to learn; drop it");
  return {
    begin,
    prompt: ids.slice(begin.length, first),
    response: ids.slice(first, length),
    learnt: learnt.map(([from, to]) => [Math.max(0, from - first), to - first] as const).filter(([a, b]) => a < b),
  };
}

/** White space behind the token that ends a turn is the template's, and no longer the turn's. */
function withoutBlankEnd(
  [from, to]: readonly [number, number],
  ids: readonly number[],
  tokenizer: Tokenizer,
): readonly [number, number] {
  let end = to;
  while (end > from && tokenizer.decode([ids[end - 1]!], { special: true }).trim() === "") end -= 1;
  return end > from && isEnd(ids[end - 1]!, tokenizer) ? [from, end] : [from, to];
}

/** Whether a token can end a turn: the tokenizer's end token, or one that was added to its vocabulary. */
export function isEnd(id: number, { endId, addedIds }: Tokenizer): boolean {
  return id === endId || (addedIds?.has(id) ?? false);
}

interface TokenText {
  readonly text: string;
  readonly ids: readonly number[];
  readonly tokenizer: Tokenizer;
  readonly isMarked: boolean;
}

/**
 * The tokens of a range of characters. Where the text is cut between two tokens, the ids of its beginning are a beginning
 * of its ids; elsewhere the token counts in which the character stands, as the lengths of decoded texts tell. A token over
 * the end is a part of what a template marks, as transformers has it, and no part of a turn that was found.
 */
function tokensOfRange([from, to]: readonly [number, number], at: TokenText): readonly [number, number] {
  const { text, ids, tokenizer, isMarked } = at;
  const shared = (end: number): { readonly count: number; readonly isCut: boolean } => {
    const head = tokenizer.encode(text.slice(0, end));
    const other = head.findIndex((id, i) => id !== ids[i]);
    return { count: other < 0 ? head.length : other, isCut: other < 0 };
  };
  const decoded = (count: number): string => tokenizer.decode(ids.slice(0, count), { special: true });
  const tokenOf = (character: number): number => {
    let token = Math.min(shared(character).count, ids.length - 1);
    if (decoded(ids.length) !== text) return token;
    while (token < ids.length - 1 && decoded(token + 1).length <= character) token += 1;
    return token;
  };
  const [start, end] = [shared(from), shared(to)];
  const endToken = isMarked ? tokenOf(to - 1) + 1 : tokenOf(Math.min(to, text.length - 1));
  return [start.isCut ? start.count : tokenOf(from), end.isCut ? end.count : endToken];
}

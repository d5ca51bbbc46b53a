/** From a record's text to examples in token ids: begin, prompt, response, end. Records that are too long are cut. */
import { NodeError } from "../errors.ts";
import type { Example } from "../interface/trainer.ts";
import type { ChatTemplate } from "../model/chat-template.ts";
import type { Tokenizer } from "../model/tokenizer.ts";
import { conversationParts } from "./conversation-parts.ts";
import type { Parts } from "./parts.ts";
import { type DataRecord, taskOf } from "./record.ts";
import { templateParts } from "./template-parts.ts";

/** How text becomes tokens. */
export interface EncodeOptions {
  readonly tokenizer: Tokenizer;
  readonly maxTokens: number;
  /**
   * Where a tokenizer joins a blank at the prompt's end with the response: `blank` gives the blank to the response, so
   * that both are encoded as the one text that they are; `parts` encodes each by itself, as the first networks do and
   * the embedded tasks; default parts.
   */
  readonly seam?: "blank" | "parts";
  /** Writes conversations; without it their turns stand on lines of their own. */
  readonly template?: ChatTemplate | undefined;
}

/** Records as examples, and what was cut of them. */
export interface EncodedRecords {
  readonly examples: readonly Example[];
  /** The parts of records that did not fit into `maxTokens`; all zero when nothing was lost. */
  readonly cut: CutCounts;
}

/** How much of the records did not fit. */
export interface CutCounts {
  /** Records of which tokens were dropped. */
  readonly records: number;
  readonly promptTokens: number;
  readonly responseTokens: number;
}

/** Tokens of context that a continued window starts with, as its prompt. */
export const CONTINUATION_PROMPT_TOKENS = 8;

/** Shortest example: one token of prompt and one of response. */
const TOKENS_MIN = 2;

/**
 * Examples of every record, in the records' order. A record that fits is one example. One that does not, by its
 * `overflow`: `cut` drops the prompt's left side, but leaves it half of the room and never drops the begin token or
 * the prompt's last, then drops the response's right side; `continue` goes on in windows whose prompt is the last 8
 * tokens of the one before, after a first prompt of half a window at most.
 * Records whose response has no tokens give no example.
 * Throws: NodeError CONFIG_INVALID when maxTokens is less than 2.
 */
export function encodeRecords(
  records: readonly DataRecord[],
  { tokenizer, maxTokens, seam = "parts", template }: EncodeOptions,
): EncodedRecords {
  if (!Number.isSafeInteger(maxTokens) || maxTokens < TOKENS_MIN) {
    throw new NodeError("CONFIG_INVALID", `maxTokens is ${maxTokens}; it must be ${TOKENS_MIN} or more`, { maxTokens });
  }
  const examples: Example[] = [];
  const cut = { records: 0, promptTokens: 0, responseTokens: 0 };
  for (const record of records) {
    const parts = partsOf(record, { tokenizer, seam, template });
    if (parts.response.length === 0) continue;
    const fitted =
      record.overflow === "continue" && parts.learnt === undefined
        ? windows(parts, maxTokens)
        : cutToLength(parts, maxTokens);
    const task = taskOf(record);
    for (const example of fitted.examples) examples.push({ ...example, ...task });
    cut.promptTokens += fitted.promptCut;
    cut.responseTokens += fitted.responseCut;
    if (fitted.promptCut + fitted.responseCut > 0) cut.records++;
  }
  return { examples, cut };
}

/** What a record becomes in token ids, before it is cut.  Throws: DATA_FORMAT where the template refuses it. */
export function partsOf(record: DataRecord, options: Omit<EncodeOptions, "maxTokens">): Parts {
  const { tokenizer, seam = "parts", template } = options;
  if (record.conversation === undefined) return encodeParts(record, tokenizer, seam);
  if (template === undefined) return conversationParts(record.conversation, tokenizer);
  return templateParts(record.conversation, { tokenizer, template });
}

/**
 * Prompt and response are encoded as one text where the tokenizer cuts between them, so that the response reads as it
 * would in running text. Where it joins a blank at the prompt's end with the response, the blank is the response's;
 * where it joins anything else across the seam, each is encoded by itself.
 */
function encodeParts({ prompt, response }: DataRecord, tokenizer: Tokenizer, seam: EncodeOptions["seam"]): Parts {
  const begin = tokenizer.beginId === undefined ? [] : [tokenizer.beginId];
  const end = tokenizer.endId === undefined ? [] : [tokenizer.endId];
  if (response === "") return { begin, prompt: [], response: [] };
  const whole = tokenizer.encode(prompt + response);
  const without = prompt.replace(/ +$/u, "");
  const promptIds =
    headOf(whole, prompt, tokenizer) ??
    (seam === "blank" && without !== prompt ? headOf(whole, without, tokenizer) : undefined);
  if (promptIds === undefined) {
    return { begin, prompt: tokenizer.encode(prompt), response: [...tokenizer.encode(response), ...end] };
  }
  const responseIds = whole.slice(promptIds.length);
  // Without a begin token an empty prompt would leave the first response token without anything to follow from.
  if (begin.length + promptIds.length === 0) {
    return { begin, prompt: responseIds.slice(0, 1), response: [...responseIds.slice(1), ...end] };
  }
  return { begin, prompt: promptIds, response: [...responseIds, ...end] };
}

/** The ids of a text with which the ids of a longer one begin; undefined where they do not. */
function headOf(whole: readonly number[], text: string, tokenizer: Tokenizer): readonly number[] | undefined {
  const ids = tokenizer.encode(text);
  return whole.length > ids.length && ids.every((id, i) => whole[i] === id) ? ids : undefined;
}

interface Fitted {
  readonly examples: readonly Example[];
  readonly promptCut: number;
  readonly responseCut: number;
}

function cutToLength({ begin, prompt, response, learnt }: Parts, maxTokens: number): Fitted {
  const room = Math.max(maxTokens - response.length, Math.floor(maxTokens / 2)) - begin.length;
  // A begin token alone is enough of a prompt only where the prompt is empty; else its last token stays, if it fits.
  const promptMin = begin.length === 0 || maxTokens > TOKENS_MIN ? 1 : 0;
  const promptCut = Math.max(0, prompt.length - Math.max(room, promptMin));
  const kept = [...begin, ...prompt.slice(promptCut)];
  const answer = response.slice(0, maxTokens - kept.length);
  return {
    examples: [
      { tokens: [...kept, ...answer], promptLength: kept.length, ...shifted(learnt, kept.length, answer.length) },
    ],
    promptCut,
    responseCut: response.length - answer.length,
  };
}

/** Learnt ranges of a response behind a prompt of so many tokens, as far as the response is kept. */
function shifted(learnt: Parts["learnt"], prompt: number, length: number): Pick<Example, "learnt"> {
  if (learnt === undefined) return {};
  const kept = learnt.flatMap(([from, to]): [number, number][] =>
    from < length ? [[prompt + from, prompt + Math.min(to, length)]] : [],
  );
  const isAll = kept.length === 1 && kept[0]?.[1] === prompt + length;
  return isAll ? {} : { learnt: kept };
}

/** Every response token stands as a label in exactly one window; a prompt is shortened to half a window. */
function windows({ begin, prompt, response }: Parts, maxTokens: number): Fitted {
  const promptMax = Math.max(1, Math.floor(maxTokens / 2));
  const promptCut = Math.max(0, begin.length + prompt.length - promptMax);
  const continued = Math.min(CONTINUATION_PROMPT_TOKENS, promptMax);
  const examples: Example[] = [];
  let context: readonly number[] = [...begin, ...prompt.slice(promptCut)];
  for (let at = 0; at < response.length; ) {
    const taken = response.slice(at, at + maxTokens - context.length);
    const tokens = [...context, ...taken];
    examples.push({ tokens, promptLength: context.length });
    at += taken.length;
    context = tokens.slice(-continued);
  }
  return { examples, promptCut, responseCut: 0 };
}

/** What a data set amounts to, counted while its records pass: tokens, what is cut, labels, and a few rows as they are trained. */
import type { Example } from "../interface/trainer.ts";
import type { Tokenizer } from "../model/tokenizer.ts";
import { learntRanges, readTokens } from "./batch.ts";
import { type EncodeIntoOptions, encodeInto } from "./encode-records.ts";
import { type FrameName, frameOfRecord } from "./frame.ts";
import type { DataRecord } from "./record.ts";
import { isEnd } from "./template-parts.ts";

/** A part of an example's text, and whether the loss is taken on it. */
export interface ShownPart {
  readonly text: string;
  readonly learnt: boolean;
}

/** Examples by their tokens: those of at most `upTo`, and more than the part before. */
export interface TokenBin {
  readonly upTo: number;
  readonly examples: number;
}

/** Most labels that are counted one by one: more are free text. */
const LABELS_MAX = 200;
/** Longest answer that counts as a label. */
const LABEL_CHARACTERS_MAX = 60;

/** Counts records as they are encoded. */
export class DataTally {
  readonly frames = new Map<FrameName, number>();
  readonly labels = new Map<string, number>();
  readonly shown: (readonly ShownPart[])[] = [];
  /** Tokens of every example before anything is cut. */
  readonly tokens: number[] = [];
  /** Records that give no example, because their response is empty. */
  silent = 0;
  /** Records of which tokens are cut at the left of the prompt, and at the right of the response. */
  readonly cut = { left: 0, right: 0 };
  /** Examples whose last learnt token ends nothing: the response goes on, or its frame has no end. */
  endless = 0;
  /** Records with tool calls whose arguments are text where templates expect an object. */
  textArguments = 0;
  readonly #encoding: EncodeIntoOptions;
  readonly #rows: number;
  #count = 0;

  /** rows: how many to show. */
  constructor(encoding: EncodeIntoOptions, rows: number) {
    this.#encoding = encoding;
    this.#rows = rows;
  }

  /** Throws: as `encodeInto`. */
  add(record: DataRecord): void {
    const { tokenizer, template, labels } = this.#encoding;
    const { examples, cut } = encodeInto(record, this.#count, this.#encoding);
    this.#count += 1;
    const frame = frameOfRecord(record, template !== undefined);
    this.frames.set(frame, (this.frames.get(frame) ?? 0) + 1);
    this.#countLabel(record);
    if (hasTextArguments(record)) this.textArguments += 1;
    if (cut.promptTokens > 0) this.cut.left += 1;
    if (cut.responseTokens > 0) this.cut.right += 1;
    const [first] = examples;
    if (first === undefined) {
      this.silent += 1;
      return;
    }
    for (const example of examples) this.tokens.push(readTokens(example));
    if (examples.length === 1) this.tokens[this.tokens.length - 1]! += cut.promptTokens + cut.responseTokens;
    if (labels === undefined && !isEnded(examples.at(-1) ?? first, tokenizer)) this.endless += 1;
    if (this.shown.length < this.#rows) this.shown.push(partsOfExample(first, this.#encoding));
  }

  /** Smallest, median and largest number of tokens, and how many examples have how many. */
  tokenSummary(): { min: number; median: number; max: number; bins: readonly TokenBin[] } {
    const sorted = this.tokens.toSorted((a, b) => a - b);
    const bins: TokenBin[] = [];
    for (let [upTo, at] = [8, 0]; at < sorted.length; upTo *= 2) {
      const end = sorted.findIndex((count) => count > upTo);
      const next = end < 0 ? sorted.length : end;
      if (next > at || bins.length > 0) bins.push({ upTo, examples: next - at });
      at = next;
    }
    return { min: sorted[0] ?? 0, median: sorted[sorted.length >> 1] ?? 0, max: sorted.at(-1) ?? 0, bins };
  }

  #countLabel({ response, conversation, tagged, classes }: DataRecord): void {
    const names = classes ?? this.#encoding.labels;
    const labels = tagged
      ? tagged.tags.flatMap((tag) => (typeof tag === "string" ? [tag] : tag < 0 ? [] : [names?.[tag] ?? `${tag}`]))
      : [response.trim()];
    for (const label of labels) {
      if (conversation !== undefined || label.length > LABEL_CHARACTERS_MAX || this.labels.size > LABELS_MAX) return;
      this.labels.set(label, (this.labels.get(label) ?? 0) + 1);
    }
  }
}

function isEnded(example: Example, tokenizer: Tokenizer): boolean {
  const last = example.tokens[(learntRanges(example).at(-1)?.[1] ?? 0) - 1];
  return last !== undefined && isEnd(last, tokenizer);
}

function hasTextArguments({ conversation }: DataRecord): boolean {
  const calls = conversation?.messages.flatMap(({ more }) => (Array.isArray(more?.tool_calls) ? more.tool_calls : []));
  return (calls ?? []).some((call: unknown) => {
    const { function: called } = (call ?? {}) as { readonly function?: { readonly arguments?: unknown } };
    return typeof called?.arguments === "string";
  });
}

/** An example as text again, its special tokens written out; of a classifier the last part is the name of the class. */
function partsOfExample(example: Example, { tokenizer, labels }: EncodeIntoOptions): readonly ShownPart[] {
  const { tokens, promptLength, places } = example;
  if (labels !== undefined && places !== undefined) return taggedParts(example, tokenizer, labels);
  if (labels !== undefined) {
    const text = tokenizer.decode(tokens.slice(0, promptLength), { special: true });
    return [part(text, false), part(labels[tokens[promptLength] ?? 0] ?? "", true)];
  }
  const edges = [0, ...learntRanges(example).flat(), tokens.length];
  const texts = edges.map((edge) => tokenizer.decode(tokens.slice(0, edge), { special: true }));
  return texts
    .slice(1)
    .map((text, i) => part(text.slice(texts[i]?.length), i % 2 === 1))
    .filter(({ text }) => text !== "");
}

/** Words, each with its class behind it; before the first word and behind the last stand tokens that have none. */
function taggedParts(
  { tokens, promptLength, places = [] }: Example,
  tokenizer: Tokenizer,
  labels: readonly string[],
): readonly ShownPart[] {
  let end = promptLength;
  while (end - 1 > (places.at(-1) ?? 0) && tokenizer.addedIds?.has(tokens[end - 1]!)) end -= 1;
  const textOf = (from: number, to: number): ShownPart =>
    part(` ${tokenizer.decode(tokens.slice(from, to), { special: true }).trim()} `, false);
  const words = places.flatMap((at, i) => [
    textOf(at, places[i + 1] ?? end),
    part(labels[tokens[promptLength + i] ?? 0] ?? "", true),
  ]);
  return [textOf(0, places[0] ?? 0), ...words, textOf(end, promptLength)].filter(({ text }) => text.trim() !== "");
}

const part = (text: string, learnt: boolean): ShownPart => ({ text, learnt });

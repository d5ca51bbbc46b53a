/**
 * Parts of a tokenizer.json that the library computes otherwise than Hugging Face's own tokenizers, or not at all: written in other
 * parts that mean the same, or refused by name.
 * Source: huggingface/tokenizers, tokenizers/src/pre_tokenizers/{split,punctuation,whitespace}.rs and normalizer.rs
 * (SplitDelimiterBehavior), models/unigram/model.rs (byte_fallback).
 */

type Part = Readonly<Record<string, unknown>>;

const isPart = (value: unknown): value is Part => typeof value === "object" && value !== null && !Array.isArray(value);

/** Letters, marks, digits and connectors, as \w of Rust's regex has them. */
const WORD = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\u200C\\u200D";
/** What `is_punctuation` says yes to: of ASCII also signs. */
const PUNCTUATION = "[\\p{P}$+<=>^`|~]";

/** The same tokenizer in parts that the library computes exactly.  Throws: Error naming what it would not. */
export function exactParts(tokenizer: Part): Part {
  const { pre_tokenizer: pre, model, added_tokens: added } = tokenizer;
  const single = (Array.isArray(added) ? added : []).find((token) => isPart(token) && token.single_word === true);
  if (isPart(single)) {
    throw new Error(`the token ${JSON.stringify(single.content)} stands for a whole word alone (single_word)`);
  }
  if (isPart(model) && model.type === "WordLevel" && typeof model.unk_token !== "string") {
    throw new Error("its model of whole words has no unk_token");
  }
  return { ...tokenizer, pre_tokenizer: exactSplit(pre) };
}

function exactSplit(part: unknown): unknown {
  if (!isPart(part)) return part;
  switch (part.type) {
    case "Sequence":
      return { ...part, pretokenizers: (Array.isArray(part.pretokenizers) ? part.pretokenizers : []).map(exactSplit) };
    case "Whitespace":
      return split(`[${WORD}]+|[^${WORD}\\p{White_Space}]+`, "Removed", true);
    case "WhitespaceSplit":
      return split("\\p{White_Space}", "Removed", false);
    case "Digits":
      return split("\\p{N}", part.individual_digits === true ? "Isolated" : "Contiguous", false);
    case "Metaspace":
      return part.split === false ? part : wordwise(part);
    case "Punctuation":
      return split(PUNCTUATION, part.behavior ?? "Isolated", false);
    case "Split":
      return exactBehavior(part);
    default:
      return part;
  }
}

/** Blanks as a letter of their own, with which each word begins. */
function wordwise(part: Part): Part {
  const letter = escaped(typeof part.replacement === "string" ? part.replacement : "▁");
  return { type: "Sequence", pretokenizers: [part, split(letter, "MergedWithNext", false)] };
}

function exactBehavior(part: Part): unknown {
  const { pattern, behavior, invert } = part;
  // What the library does as it is meant stays as it stands.
  const isRemoved = behavior === "Removed" && isPart(pattern) && pattern.String === undefined;
  if (!isPart(pattern) || isRemoved || (behavior === "Isolated" && invert !== true)) return part;
  const text = typeof pattern.String === "string" ? escaped(pattern.String) : String(pattern.Regex);
  return split(text, behavior, invert === true);
}

/**
 * A division by a pattern P, in one that removes or isolates.  What is no match is merged with the match before or behind it; with
 * `invert` matches and what lies between them change places.
 */
function split(P: string, behavior: unknown, invert: boolean): Part {
  const regex = (text: string, kept: boolean): Part => ({
    type: "Split",
    pattern: { Regex: text },
    behavior: kept ? "Removed" : "Isolated",
    invert: kept,
  });
  const between = `(?:(?!${P})[\\s\\S])`;
  switch (behavior) {
    case "Removed":
      return { ...regex(P, true), invert };
    case "Isolated":
      return regex(P, false);
    case "Contiguous":
      return regex(`(?:${P})+`, false);
    case "MergedWithPrevious":
    case "MergedWithNext":
      return (behavior === "MergedWithPrevious") !== invert
        ? regex(`${between}*(?:${P})|${between}+`, true)
        : regex(`(?:${P})${between}*|${between}+`, true);
    default:
      throw new Error(`it divides text by the behavior ${JSON.stringify(behavior)}`);
  }
}

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|\-/]/gu, "\\$&");

/** The part of the library's model that is changed below. */
interface ByteModel {
  encode: (tokens: string[]) => string[];
  readonly tokens_to_ids: ReadonlyMap<string, number>;
}

/** Have a model of pieces by their probabilities write what it does not know as bytes, where its file says `byte_fallback`. */
export function withByteFallback(tokenizer: Part, model: ByteModel): void {
  const { model: said } = tokenizer;
  if (!isPart(said) || said.byte_fallback !== true || !Array.isArray(said.vocab)) return;
  const pieces = model.encode.bind(model);
  const encoder = new TextEncoder();
  model.encode = (tokens) =>
    pieces(tokens).flatMap((piece) => {
      if (model.tokens_to_ids.has(piece)) return [piece];
      const bytes = [...encoder.encode(piece)].map((byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
      return bytes.every((byte) => model.tokens_to_ids.has(byte)) ? bytes : [piece];
    });
}

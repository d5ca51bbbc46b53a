/**
 * The tokenizer of a GGUF file as a tokenizer.json: byte-level BPE with merges (`gpt2`), or SentencePiece's BPE with scores
 * (`llama`), whose merges are the pairs of pieces that make a piece, the likeliest first.
 * Source: Hugging Face transformers, integrations/ggml.py and convert_slow_tokenizer.py; llama.cpp, src/llama-vocab.cpp.
 */
import { NodeError } from "../../errors.ts";
import { pieceMerges } from "../vocabulary/piece-merges.ts";
import type { GgufHeader, GgufValue } from "./gguf-header.ts";

/** The parts of a model directory that are about tokens. */
export interface GgufTokenizer {
  readonly tokenizerJson: object;
  readonly tokenizerConfig: Readonly<Record<string, unknown>>;
  /** Tokens that end a text. */
  readonly endIds: readonly number[];
}

const WORDS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+";
const REST = " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const bytes = (use_regex: boolean) => ({ type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex });
const split = (digits: string) => ({
  type: "Sequence",
  pretokenizers: [
    { type: "Split", pattern: { Regex: `${WORDS}|${digits}|${REST}` }, behavior: "Isolated", invert: false },
    bytes(false),
  ],
});
const LLAMA3 = { pre_tokenizer: split("\\p{N}{1,3}"), ignoreMerges: true as const };
const GPT2 = { pre_tokenizer: bytes(true) };

/** How a text falls into words, by `tokenizer.ggml.pre`. */
const PRE: Readonly<
  Record<string, { readonly pre_tokenizer: object; readonly normalizer?: object; readonly ignoreMerges?: true }>
> = {
  "gpt-2": GPT2,
  gpt2: GPT2,
  "llama-bpe": LLAMA3,
  llama3: LLAMA3,
  qwen2: { pre_tokenizer: split("\\p{N}"), normalizer: { type: "NFC" } },
  smollm: {
    pre_tokenizer: { type: "Sequence", pretokenizers: [{ type: "Digits", individual_digits: true }, bytes(true)] },
  },
};

/** Kinds of tokens: a control token is not shown, a token of a person stands as it is in texts. */
const [CONTROL, USER_DEFINED] = [3, 4];

/**
 * name: of the file, for error lines.
 * Throws: MODEL_CONFIG for a tokenizer that weft does not read, by its name, or that contradicts itself.
 */
export function ggufTokenizer(name: string, { settings }: GgufHeader): GgufTokenizer {
  const get = (key: string): GgufValue | undefined => settings.get(`tokenizer.ggml.${key}`);
  const refuse = (why: string): NodeError =>
    new NodeError(
      "MODEL_CONFIG",
      `${name}: ${why}; put the model's tokenizer.json and tokenizer_config.json beside the file`,
    );
  const tokens = get("tokens");
  if (!Array.isArray(tokens) || tokens.length === 0 || !tokens.every((token) => typeof token === "string")) {
    throw refuse("it has no list of tokens");
  }
  const pieces: readonly string[] = tokens;
  const types = get("token_type");
  const kindOf = (id: number): GgufValue | undefined => (Array.isArray(types) ? types[id] : undefined);
  const added = pieces.flatMap((content, id) => {
    const kind = kindOf(id);
    if (kind !== CONTROL && kind !== USER_DEFINED) return [];
    const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };
    return [{ id, content, special: kind === CONTROL, ...flags }];
  });
  const idOf = (key: string): number | undefined => {
    const id = get(key);
    if (id === undefined) return undefined;
    if (typeof id === "number" && Number.isInteger(id) && id >= 0 && id < pieces.length) return id;
    throw refuse(`tokenizer.ggml.${key} is none of its ${pieces.length} tokens`);
  };
  const model = get("model");
  const parts =
    model === "gpt2"
      ? byteLevel(get, pieces, refuse)
      : model === "llama"
        ? sentencePiece(get, pieces, refuse)
        : undefined;
  if (!parts) throw refuse(`its tokenizer is ${JSON.stringify(model)?.slice(0, 40)}, and weft reads gpt2 and llama`);
  const [bos, eos, eot] = [idOf("bos_token_id"), idOf("eos_token_id"), idOf("eot_token_id")];
  // Files of SentencePiece put a begin token before each text unless they say otherwise.
  const begins = (get("add_bos_token") ?? model === "llama") === true && bos !== undefined;
  const template = get("chat_template");
  return {
    tokenizerJson: {
      ...{ version: "1.0", truncation: null, padding: null, added_tokens: added },
      ...parts,
      post_processor: begins ? beginning(pieces[bos]!, bos) : null,
    },
    tokenizerConfig: {
      ...(bos !== undefined && { bos_token: pieces[bos] }),
      ...(eos !== undefined && { eos_token: pieces[eos] }),
      ...(typeof template === "string" && { chat_template: template }),
    },
    endIds: [...new Set([eos, eot].filter((id) => id !== undefined))],
  };
}

type Get = (key: string) => GgufValue | undefined;
type Refuse = (why: string) => NodeError;

const vocabularyOf = (pieces: readonly string[]): Readonly<Record<string, number>> =>
  Object.fromEntries(pieces.map((piece, id) => [piece, id]));

const beginning = (token: string, id: number) => ({
  type: "TemplateProcessing",
  single: [{ SpecialToken: { id: token, type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
  pair: [
    { SpecialToken: { id: token, type_id: 0 } },
    { Sequence: { id: "A", type_id: 0 } },
    { Sequence: { id: "B", type_id: 1 } },
  ],
  special_tokens: { [token]: { id: token, ids: [id], tokens: [token] } },
});

function byteLevel(get: Get, pieces: readonly string[], refuse: Refuse) {
  const pre = get("pre") ?? "gpt-2";
  const words = typeof pre === "string" && Object.hasOwn(PRE, pre) ? PRE[pre] : undefined;
  if (!words)
    throw refuse(
      `it divides texts as ${JSON.stringify(pre)?.slice(0, 40)}, and weft knows ${Object.keys(PRE).join(", ")}`,
    );
  const merges = get("merges");
  if (!Array.isArray(merges) || !merges.every((merge) => typeof merge === "string" && /^\S+ \S+$/.test(merge))) {
    throw refuse("its merges are no list of pairs");
  }
  const common = { dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null };
  const flags = { fuse_unk: false, byte_fallback: false, ignore_merges: words.ignoreMerges ?? false };
  return {
    normalizer: words.normalizer ?? null,
    pre_tokenizer: words.pre_tokenizer,
    decoder: { ...bytes(true), add_prefix_space: true },
    model: { type: "BPE", ...common, ...flags, vocab: vocabularyOf(pieces), merges },
  };
}

function sentencePiece(get: Get, pieces: readonly string[], refuse: Refuse) {
  const scores = get("scores");
  if (!Array.isArray(scores) || scores.length !== pieces.length || !scores.every((score) => Number.isFinite(score))) {
    throw refuse("it has no score for each token");
  }
  const unknown = get("unknown_token_id") ?? 0;
  const prefix = get("add_space_prefix") !== false;
  const replace = { type: "Replace", pattern: { String: " " }, content: "▁" };
  const back = { type: "Replace", pattern: { String: "▁" }, content: " " };
  const steps = [back, { type: "ByteFallback" }, { type: "Fuse" }];
  const strip = { type: "Strip", content: " ", start: 1, stop: 0 };
  const common = { dropout: null, continuing_subword_prefix: null, end_of_word_suffix: null, ignore_merges: false };
  const vocab = vocabularyOf(pieces);
  return {
    normalizer: prefix ? { type: "Sequence", normalizers: [{ type: "Prepend", prepend: "▁" }, replace] } : replace,
    pre_tokenizer: null,
    decoder: { type: "Sequence", decoders: prefix ? [...steps, strip] : steps },
    model: {
      ...{ type: "BPE", unk_token: pieces[Number(unknown)] ?? null, fuse_unk: true, byte_fallback: true },
      ...common,
      ...{ vocab, merges: mergesOf(pieces, scores as readonly number[]) },
    },
  };
}

/** The pairs of pieces that make a piece, those of likelier pieces first. */
function mergesOf(pieces: readonly string[], scores: readonly number[]): readonly (readonly [string, string])[] {
  const ids = new Map(pieces.map((piece, id) => [piece, id]));
  const order = pieces.map((_, id) => id).sort((a, b) => scores[b]! - scores[a]! || a - b);
  const likelier = order.map((id) => pieces[id]!);
  return pieceMerges(ids, likelier, (a, b) => a.ids[0] - b.ids[0] || a.ids[1] - b.ids[1]);
}

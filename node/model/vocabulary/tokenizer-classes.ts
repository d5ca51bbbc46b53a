/**
 * The classes of tokenizers that transformers makes of a vocabulary, each with the parts that it puts around it.
 * Source: transformers 5.18, models/NAME/tokenization_NAME.py and convert_slow_tokenizer.py (convert_from_spm).
 */
import type { Piece, SentencePieces } from "./sentence-pieces.ts";
import type { SpecialTokens } from "./special-tokens.ts";

type Json = Readonly<Record<string, unknown>>;

/** A piece and the logarithm of its probability. */
export type ScoredPiece = readonly [text: string, score: number];

/** What the parts of a tokenizer depend on. */
export interface ClassInput {
  /** A setting of tokenizer_config.json that is true or false; what it is where the file does not say. */
  flag(name: string, otherwise: boolean): boolean;
  /** The same of one that may be null. */
  maybe(name: string): boolean | null;
  readonly uses: SpecialTokens["uses"];
}

/** The parts of a tokenizer.json that a class sets; its model without the vocabulary. */
export interface ClassParts {
  readonly normalizer: Json | null;
  readonly pre_tokenizer: Json | null;
  readonly post_processor: Json | null;
  readonly decoder: Json;
  readonly model: Json;
}

/** A class of tokenizers. */
export interface TokenizerClass {
  /** What its vocabulary is kept in. */
  readonly source: "words" | "merges" | "unigram" | "bpe";
  /** A name that its model file has beside tokenizer.model. */
  readonly file?: string;
  /** The tokens that it knows where the files do not name others. */
  readonly named: Readonly<Record<string, string>>;
  /** The pieces in the order of their ids, where that is not the order of the file.  named: texts of tokens by their use. */
  readonly reordered?: (pieces: readonly Piece[], named: (use: string) => string) => readonly ScoredPiece[];
  parts(input: ClassInput, pieces?: SentencePieces): ClassParts;
}

const WORDS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+";
const REST = " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const QWEN_WORDS = `${WORDS}|\\p{N}|${REST}`;

const sequence = (name: string, parts: readonly Json[]): Json => ({ type: "Sequence", [name]: parts });
const byteLevel = (add_prefix_space: boolean, use_regex = true): Json => ({
  ...{ type: "ByteLevel", add_prefix_space, trim_offsets: true, use_regex },
});
const replace = (pattern: Json, content: string): Json => ({ type: "Replace", pattern, content });
const metaspace = (prepend_scheme: "always" | "first" | "never", split = true): Json => ({
  ...{ type: "Metaspace", replacement: "▁", prepend_scheme, split },
});

const BPE: Json = {
  type: "BPE",
  dropout: null,
  unk_token: null,
  continuing_subword_prefix: null,
  end_of_word_suffix: null,
};
const BYTE_BPE: Json = { ...BPE, ...{ continuing_subword_prefix: "", end_of_word_suffix: "" }, ...flags(false, false) };

function flags(fuse_unk: boolean, byte_fallback: boolean): Json {
  return { fuse_unk, byte_fallback, ignore_merges: false };
}

/** Around a text: special tokens by their use, and the text as "$A".  pair: the same of two texts, the second as "$B". */
function template({ uses }: ClassInput, single: readonly string[], pair: readonly string[]): Json | null {
  const known = [...new Set(single)].map((use) => uses.get(use)).filter((token) => token !== undefined);
  if (known.length === 0) return null;
  const of = (items: readonly string[]): readonly Json[] => {
    const second = items.indexOf("$B");
    return items.flatMap((item, i): readonly Json[] => {
      const type_id = second >= 0 && i >= second ? 1 : 0;
      if (item.startsWith("$")) return [{ Sequence: { id: item.slice(1), type_id } }];
      const token = uses.get(item);
      return token === undefined ? [] : [{ SpecialToken: { id: token.content, type_id } }];
    });
  };
  const special = known.map(({ content, id }) => [content, { id: content, ids: [id], tokens: [content] }]);
  return {
    type: "TemplateProcessing",
    single: of(single),
    pair: of(pair),
    special_tokens: Object.fromEntries(special),
  };
}

/** Begin and end token, where tokenizer_config.json asks for them. */
function ends(input: ClassInput): Json | null {
  const begin = input.flag("add_bos_token", false) ? ["bos_token"] : [];
  const end = input.flag("add_eos_token", false) ? ["eos_token"] : [];
  return template(input, [...begin, "$A", ...end], [...begin, "$A", ...end, ...begin, "$B", ...end]);
}

const classified = (input: ClassInput): Json | null =>
  template(input, ["cls_token", "$A", "sep_token"], ["cls_token", "$A", "sep_token", "$B", "sep_token"]);

const ENDS = { bos_token: "<|endoftext|>", eos_token: "<|endoftext|>", unk_token: "<|endoftext|>" };
const BERT = { unk_token: "[UNK]", sep_token: "[SEP]", pad_token: "[PAD]", cls_token: "[CLS]", mask_token: "[MASK]" };
const ROBERTA = {
  ...{ bos_token: "<s>", eos_token: "</s>", sep_token: "</s>", cls_token: "<s>" },
  ...{ unk_token: "<unk>", pad_token: "<pad>", mask_token: "<mask>" },
};

const gpt2: TokenizerClass = {
  source: "merges",
  named: ENDS,
  parts: (input) => ({
    normalizer: null,
    pre_tokenizer: byteLevel(input.flag("add_prefix_space", false)),
    post_processor: ends(input),
    decoder: byteLevel(true),
    model: BYTE_BPE,
  }),
};

const gptNeoX: TokenizerClass = {
  ...gpt2,
  named: { ...ENDS, pad_token: "<|padding|>" },
  parts: (input) => ({ ...gpt2.parts(input), normalizer: { type: "NFC" } }),
};

const qwen2: TokenizerClass = {
  source: "merges",
  named: { unk_token: "<|endoftext|>", eos_token: "<|endoftext|>", pad_token: "<|endoftext|>" },
  parts: (input) => ({
    ...gpt2.parts(input),
    normalizer: { type: "NFC" },
    pre_tokenizer: sequence("pretokenizers", [
      { type: "Split", pattern: { Regex: QWEN_WORDS }, behavior: "Isolated", invert: false },
      byteLevel(input.flag("add_prefix_space", false), false),
    ]),
  }),
};

const roberta: TokenizerClass = {
  source: "merges",
  named: ROBERTA,
  parts: (input) => ({ ...gpt2.parts(input), post_processor: parted(input, "cls_token", "sep_token") }),
};

/** Begin and end around a text; between two texts the end stands twice. */
function parted(input: ClassInput, begin: string, end: string): Json | null {
  return template(input, [begin, "$A", end], [begin, "$A", end, end, "$B", end]);
}

const bert: TokenizerClass = {
  source: "words",
  named: BERT,
  parts: (input) => ({
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: input.flag("tokenize_chinese_chars", true),
      strip_accents: input.maybe("strip_accents"),
      lowercase: input.flag("do_lower_case", true),
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: classified(input),
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: input.uses.get("unk_token")?.content ?? BERT.unk_token,
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
    },
  }),
};

const xlmRoberta: TokenizerClass = {
  source: "unigram",
  file: "sentencepiece.bpe.model",
  named: ROBERTA,
  // The first four tokens are those of fairseq; three of the file's own make room for them.
  reordered: (pieces, named) => [
    ...["bos_token", "pad_token", "eos_token", "unk_token"].map((use) => [named(use), 0] as const),
    ...pieces.slice(3).map(({ text, score }) => [text, score] as const),
    [named("mask_token"), 0],
  ],
  parts: (input, pieces) => {
    const space = metaspace(input.flag("add_prefix_space", true) ? "always" : "never");
    return {
      normalizer: precompiled(pieces),
      pre_tokenizer: sequence("pretokenizers", [{ type: "WhitespaceSplit" }, space]),
      post_processor: parted(input, "bos_token", "eos_token"),
      decoder: space,
      model: { type: "Unigram", unk_id: 3, byte_fallback: false },
    };
  },
};

function precompiled(pieces: SentencePieces | undefined): Json | null {
  if (pieces === undefined) return null;
  const text = Array.from(pieces.charsmap, (byte) => String.fromCharCode(byte)).join("");
  return { type: "Precompiled", precompiled_charsmap: btoa(text) };
}

const debertaV2: TokenizerClass = {
  source: "unigram",
  file: "spm.model",
  named: { bos_token: "[CLS]", eos_token: "[SEP]", ...BERT },
  parts: (input, pieces) => {
    const space = metaspace(input.flag("add_prefix_space", true) ? "always" : "first");
    const lower = input.flag("do_lower_case", false) ? [{ type: "Lowercase" }] : [];
    const apart = input.flag("split_by_punct", false) ? [{ type: "Punctuation", behavior: "Isolated" }] : [];
    const unknown = input.uses.get("unk_token")?.content ?? BERT.unk_token;
    const scored = pieces?.pieces.findIndex(({ text, score }) => text === unknown && score === 0) ?? -1;
    return {
      normalizer: sequence("normalizers", [
        ...lower,
        replace({ Regex: "\\s{2,}|[\\n\\r\\t]" }, " "),
        { type: "NFC" },
        { type: "Strip", strip_left: false, strip_right: true },
      ]),
      pre_tokenizer: sequence("pretokenizers", [...apart, space]),
      post_processor: classified(input),
      decoder: space,
      model: { type: "Unigram", unk_id: scored >= 0 ? scored : (pieces?.unknownId ?? 1), byte_fallback: false },
    };
  },
};

const back = [replace({ String: "▁" }, " "), { type: "ByteFallback" }, { type: "Fuse" }];

const llama: TokenizerClass = {
  source: "bpe",
  named: { bos_token: "<s>", eos_token: "</s>", unk_token: "<unk>" },
  parts: (input) => {
    const prefix = input.flag("add_prefix_space", true);
    const scheme = input.flag("legacy", false) ? "always" : "first";
    return {
      normalizer: null,
      pre_tokenizer: metaspace(prefix ? scheme : "never", false),
      post_processor: ends(input),
      decoder: sequence("decoders", [...back, ...(prefix ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : [])]),
      model: { ...BPE, ...flags(true, true) },
    };
  },
};

const gemma: TokenizerClass = {
  source: "bpe",
  named: { bos_token: "<bos>", eos_token: "<eos>", unk_token: "<unk>", pad_token: "<pad>", mask_token: "<mask>" },
  parts: (input) => ({
    normalizer: replace({ String: " " }, "▁"),
    pre_tokenizer: { type: "Split", pattern: { String: " " }, behavior: "MergedWithPrevious", invert: false },
    post_processor: ends(input),
    decoder: sequence("decoders", back),
    model: { ...BPE, unk_token: input.uses.get("unk_token")?.content ?? "<unk>", ...flags(true, true) },
  }),
};

const CLASSES: ReadonlyMap<string, TokenizerClass> = new Map([
  ...(["GPT2Tokenizer", "CodeGenTokenizer"] as const).map((name) => [name, gpt2] as const),
  ["GPTNeoXTokenizer", gptNeoX],
  ["Qwen2Tokenizer", qwen2],
  ["RobertaTokenizer", roberta],
  ...(["BertTokenizer", "DistilBertTokenizer"] as const).map((name) => [name, bert] as const),
  ["XLMRobertaTokenizer", xlmRoberta],
  ["DebertaV2Tokenizer", debertaV2],
  ["LlamaTokenizer", llama],
  ["GemmaTokenizer", gemma],
]);

/** The class that belongs to a family; a family that is not here has the one that its files name. */
const OF_FAMILY: Readonly<Record<string, string>> = {
  ...{ gpt2: "GPT2Tokenizer", opt: "GPT2Tokenizer", phi: "GPT2Tokenizer", gpt_neox: "GPTNeoXTokenizer" },
  ...{ qwen2: "Qwen2Tokenizer", qwen3: "Qwen2Tokenizer" },
  ...{ gemma2: "GemmaTokenizer", gemma3: "GemmaTokenizer", gemma3_text: "GemmaTokenizer" },
  ...{ bert: "BertTokenizer", distilbert: "BertTokenizer", roberta: "RobertaTokenizer" },
  ...{ "xlm-roberta": "XLMRobertaTokenizer", "deberta-v2": "DebertaV2Tokenizer" },
};

/** Families whose files often name another class than their tokens are made with. */
const NAMED_WRONG: readonly string[] = ["qwen2"];
/** Families for which transformers has no class; only SentencePiece's of Llama is taken from their files. */
const ANY_LLAMA: readonly string[] = ["mistral", "ministral", "ministral3", "mistral3", "phi3"];

/**
 * The class that makes a family's tokenizer.
 * named: `tokenizer_class` of tokenizer_config.json, or of config.json where that has none.
 */
export function tokenizerClass(
  family: unknown,
  named: unknown,
): { readonly name: string | undefined; readonly known?: TokenizerClass | undefined } {
  const said = typeof named === "string" ? named.replace(/Fast$/u, "") : undefined;
  const own = typeof family === "string" && Object.hasOwn(OF_FAMILY, family) ? OF_FAMILY[family] : undefined;
  const name = own !== undefined && (said === undefined || NAMED_WRONG.includes(String(family))) ? own : said;
  if (name === undefined) return { name };
  const isOpen =
    own !== undefined || family === "llama" || (ANY_LLAMA.includes(String(family)) && name === "LlamaTokenizer");
  return { name, known: isOpen ? CLASSES.get(name) : undefined };
}

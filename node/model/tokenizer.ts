/** Text to token ids and back, as a Hugging Face `tokenizer.json` says. The only user of the tokenizer library. */
import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import { NodeError } from "../errors.ts";
import { specialToken, type TokenFiles, withAddedTokens } from "./added-tokens.ts";
import { type EncodeExactly, type LibraryTokenizer, makeExact } from "./exact-library.ts";
import { isObject } from "./fields.ts";
import { generationSettings } from "./generation-settings.ts";
import { exactParts, withByteFallback } from "./tokenizer-parts.ts";

/** Turns text into token ids and back. */
export interface Tokenizer {
  /** Token ids of a text.  special: with what the template puts around a text, such as the begin token; default false. */
  encode(text: string, options?: { readonly special?: boolean }): number[];
  /** Text of token ids.  special: with special tokens written out; default false. */
  decode(ids: readonly number[], options?: { readonly special?: boolean }): string;
  /** The token in front of every text; absent when the tokenizer puts nothing there. */
  readonly beginId?: number;
  /** The token that ends a text; absent when the tokenizer names no such token. */
  readonly endId?: number;
  /** Ids of the tokens that were added to the vocabulary, special ones among them. */
  readonly addedIds?: ReadonlySet<number>;
  /** Number of ids: the highest one and 1. */
  readonly vocabularySize: number;
}

/** The files that a tokenizer is made from. */
export interface TokenizerSource extends TokenFiles {
  /** Parsed content of `tokenizer.json`; undefined when there is no such file. */
  readonly tokenizerJson: unknown;
  /** The id that ends the model's texts, where its tokenizer's files name no end token. */
  readonly modelEndId?: number | undefined;
  /** Where the files are, for messages. */
  readonly directory?: string;
  /** What may become a tokenizer.json where there is none. */
  readonly tokenizerHint?: string;
}

/**
 * Throws: NodeError TOKENIZER_MISSING (no tokenizer.json), MODEL_CONFIG (one that cannot be used, or a begin or end
 * token that it does not have).
 */
export function createTokenizer(source: TokenizerSource): Tokenizer {
  const { tokenizerJson, tokenizerConfig, directory, modelEndId } = source;
  const place = directory === undefined ? "tokenizer.json" : `${directory}/tokenizer.json`;
  if (tokenizerJson === undefined || tokenizerJson === null) {
    const todo = source.tokenizerHint ?? "copy it from the model it belongs to";
    throw new NodeError("TOKENIZER_MISSING", `${place} is missing; ${todo}`, {
      directory,
    });
  }
  const config = isObject(tokenizerConfig) ? tokenizerConfig : {};
  const { library, encode, lastId } = load(
    isObject(tokenizerJson) ? withAddedTokens(tokenizerJson, source, place) : tokenizerJson,
    config,
    place,
  );
  const idOf = (name: "bos_token" | "eos_token"): number | undefined => {
    const content = specialToken(name, source);
    if (content === undefined) return undefined;
    const id = library.token_to_id(content);
    if (id !== undefined) return id;
    const text = `${place} has no token ${JSON.stringify(content)}, which the files beside it name as ${name}; take the tokenizer's files from one model`;
    throw new NodeError("MODEL_CONFIG", text, { place });
  };
  const template = templateBegin(encode);
  const beginId = template ?? (config.add_bos_token === true ? idOf("bos_token") : undefined);
  const endId = idOf("eos_token") ?? modelEndId ?? knownEnd(library);
  const isCleaned = cleansBlanks(tokenizerJson, config);
  const missingBegin = template === undefined && beginId !== undefined ? [beginId] : [];
  return {
    encode: (text, { special = false } = {}) => {
      const ids = encode(text, special);
      return special ? [...missingBegin, ...ids] : ids;
    },
    decode: (ids, { special = false } = {}) =>
      ids.length === 0
        ? ""
        : library.decode([...ids], { skip_special_tokens: !special, clean_up_tokenization_spaces: isCleaned }),
    ...(beginId === undefined ? {} : { beginId }),
    ...(endId === undefined ? {} : { endId }),
    addedIds: new Set(library.get_added_tokens_decoder().keys()),
    vocabularySize: lastId + 1,
  };
}

/** The same from the files of a model directory, `tokenizer.json` as bytes.  Throws: as `createTokenizer`. */
export function tokenizerOfFiles(
  files: TokenFiles & {
    readonly directory: string;
    readonly tokenizer?: Uint8Array;
    readonly config?: unknown;
    readonly generationConfig?: unknown;
    readonly tokenizerHint?: string;
  },
): Tokenizer {
  const { directory, tokenizer, config, generationConfig } = files;
  const [modelEndId] = generationSettings({ directory, config, generationConfig }).endIds;
  return createTokenizer({ ...files, tokenizerJson: tokenizer && parse(tokenizer, directory), modelEndId });
}

/** The bytes that a tokenizer's digest is of: tokenizer.json, or that with the tokens which other files add to it. */
export function tokenizerContent(tokenizer: Uint8Array, directory: string, files: TokenFiles): Uint8Array {
  if (files.addedTokens === undefined && files.tokenizerConfig === undefined) return tokenizer;
  const json = parse(tokenizer, directory);
  if (!isObject(json)) return tokenizer;
  const complete = withAddedTokens(json, files, `${directory}/tokenizer.json`);
  return complete === json ? tokenizer : new TextEncoder().encode(JSON.stringify(complete));
}

function parse(bytes: Uint8Array, directory: string): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    const text = `${directory}/tokenizer.json is not valid JSON; take it from the model again`;
    throw new NodeError("MODEL_CONFIG", text, { directory }, { cause });
  }
}

/** End tokens by the names that model families give them, for directories without `tokenizer_config.json`. */
const END_TOKENS = ["</s>", "<|end|>", "<|endoftext|>", "<|end_of_text|>", "<|im_end|>", "<|eot_id|>"];

function knownEnd(library: HuggingFaceTokenizer): number | undefined {
  return END_TOKENS.map((token) => library.token_to_id(token)).find((id) => id !== undefined);
}

interface Loaded {
  readonly library: HuggingFaceTokenizer;
  readonly encode: EncodeExactly;
  /** The highest id. */
  readonly lastId: number;
}

function load(tokenizerJson: unknown, config: Readonly<Record<string, unknown>>, place: string): Loaded {
  const again = "take it from the model again";
  const refuse = (why: string, todo = again, cause?: unknown): NodeError =>
    new NodeError("MODEL_CONFIG", `${place} cannot be used (${why}); ${todo}`, { place }, { cause });
  if (!isObject(tokenizerJson)) throw refuse("it is not a JSON object");
  const { model } = tokenizerJson;
  if (!isObject(model)) throw refuse('it has no "model"');
  // The library reads these five and the added tokens without asking whether they are there.
  const complete = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null, added_tokens: [] };
  let loaded: Omit<Loaded, "lastId">;
  try {
    const exact = exactParts({ ...complete, ...tokenizerJson });
    const words = model.type === "WordLevel" ? { unk_token: model.unk_token } : {};
    const library = new HuggingFaceTokenizer(exact, { ...config, ...words });
    withByteFallback(tokenizerJson, library.model);
    // Parts of the library that have no types of their own.
    loaded = { library, encode: makeExact(library as unknown as LibraryTokenizer, exact) };
    loaded.encode("a b", true);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    const isOther = /^Unknown \w+ type|^the token |^it |^its /u.test(text);
    const todo = isOther ? "weft does not read that; choose a model with another tokenizer" : again;
    throw refuse(text, todo, error);
  }
  // The library makes it anew each time, which takes long where it is large.
  const vocabulary = loaded.library.get_vocab();
  if (vocabulary.size === 0) throw refuse("its vocabulary is empty");
  let lastId = 0;
  for (const id of vocabulary.values()) if (id > lastId) lastId = id;
  return { ...loaded, lastId };
}

/**
 * Whether blanks before signs are taken out of a decoded text: where tokenizer_config.json asks for it, and not of BPE, whose tokens have
 * their blanks themselves.  Source: transformers 5.18, tokenization_utils_tokenizers.py (_decode).
 */
function cleansBlanks(tokenizerJson: unknown, config: Readonly<Record<string, unknown>>): boolean {
  if (config.clean_up_tokenization_spaces !== true) return false;
  const model = isObject(tokenizerJson) && isObject(tokenizerJson.model) ? tokenizerJson.model : {};
  // A model without a type is told by what it has.
  const isBpe = model.type === undefined ? model.merges !== undefined : model.type === "BPE";
  return !isBpe || config.clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output === true;
}

/** The one token that the template puts before a text. */
function templateBegin(encode: EncodeExactly): number | undefined {
  const bare = encode("a", false);
  const full = encode("a", true);
  return full.length > bare.length && full[0] !== bare[0] ? full[0] : undefined;
}

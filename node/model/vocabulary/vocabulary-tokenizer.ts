/**
 * A tokenizer.json made of the older files of a model directory: vocab.json with merges.txt, vocab.txt, or a model of SentencePiece; as
 * transformers makes one.
 */
import { NodeError } from "../../errors.ts";
import type { TokenFiles } from "../added-tokens.ts";
import { type Fields, fieldsOf } from "../fields.ts";
import { isLfsPointer, LFS_POINTER, WEB_PAGE } from "../stray-file.ts";
import { pieceMerges } from "./piece-merges.ts";
import { readSentencePieces, type SentencePieces } from "./sentence-pieces.ts";
import { type SpecialTokens, specialTokens } from "./special-tokens.ts";
import { type ClassInput, type ScoredPiece, type TokenizerClass, tokenizerClass } from "./tokenizer-classes.ts";
import { readMerges, readVocabularyJson, readWordList, type TokenIds } from "./vocabulary-files.ts";

/** A model directory without tokenizer.json. */
export interface VocabularySource extends TokenFiles {
  readonly config: unknown;
  /** Of the files in it. */
  readonly names: readonly string[];
  /** The bytes of a file that is there. */
  read(name: string): Uint8Array;
}

/** What weft reads of a model about its tokens. */
export interface MadeTokenizer {
  readonly tokenizerJson: object;
  /** tokenizer_config.json, with begin and end token as the tokenizer has them. */
  readonly tokenizerConfig: Readonly<Record<string, unknown>>;
}

/** Names under which a directory keeps a vocabulary without tokenizer.json. */
export const VOCABULARY_FILES: readonly string[] = [
  "tokenizer.model",
  "spm.model",
  "spiece.model",
  "sentencepiece.bpe.model",
  "vocab.json",
  "merges.txt",
  "vocab.txt",
];

const refuse = (text: string): NodeError => new NodeError("MODEL_CONFIG", text);

/** Throws: MODEL_CONFIG, without the folder, for files that contradict themselves and for a class that weft does not make. */
export function vocabularyTokenizer(source: VocabularySource): MadeTokenizer {
  const config = fieldsOf(source.tokenizerConfig);
  const model = fieldsOf(source.config);
  const { name, known } = tokenizerClass(model.model_type, config.tokenizer_class ?? model.tokenizer_class);
  if (known === undefined) throw refuse(unknownClass(name, model.model_type));
  if (config.split_special_tokens === true) throw refuse("tokenizer_config.json asks to divide special tokens");
  const vocabulary = readVocabulary(known, source, (use) => textOf(useOf(use, known, source)));
  const marked = (vocabulary.pieces?.pieces ?? []).flatMap(({ text, kind }) =>
    kind === "control" || kind === "user-defined" ? [{ content: text, special: kind === "control" }] : [],
  );
  const { added, uses } = specialTokens(vocabulary.ids, { named: known.named, marked }, source);
  const parts = known.parts(inputOf(config, uses), vocabulary.pieces);
  const unknown = parts.model.unk_token;
  if (typeof unknown === "string" && !vocabulary.ids.has(unknown)) {
    throw refuse(`the vocabulary has no ${JSON.stringify(unknown)}, which stands for what it does not know`);
  }
  return {
    tokenizerJson: {
      ...{ version: "1.0", truncation: null, padding: null, added_tokens: added },
      ...parts,
      model: { ...parts.model, ...vocabulary.model },
    },
    tokenizerConfig: { ...config, ...endTokens(uses, vocabulary.ids, source) },
  };
}

function unknownClass(name: string | undefined, family: unknown): string {
  if (name === undefined) return "no file names the class of the tokenizer (tokenizer_class in tokenizer_config.json)";
  return `weft does not make the tokenizer ${name.slice(0, 60)} of a model of the family ${String(family).slice(0, 60)}`;
}

interface Vocabulary {
  readonly ids: TokenIds;
  /** What of the tokenizer.json's model is the vocabulary. */
  readonly model: Fields;
  readonly pieces?: SentencePieces;
}

function readVocabulary(known: TokenizerClass, source: VocabularySource, named: (use: string) => string): Vocabulary {
  const has = (name: string): boolean => source.names.includes(name);
  const need = (name: string): Uint8Array => {
    if (!has(name)) throw refuse(`the directory has no ${name}`);
    const bytes = source.read(name);
    const begin = new TextDecoder().decode(bytes.subarray(0, 100)).trimStart();
    if (isLfsPointer(begin)) throw refuse(`${name} is ${LFS_POINTER}`);
    if (/^<(?:!doctype html|html)/iu.test(begin)) throw refuse(`${name} is ${WEB_PAGE}`);
    return bytes;
  };
  if (known.source === "words" || known.source === "merges") {
    // transformers would read that one.
    const other = ["tokenizer.model", "tekken.json", "tiktoken.model"].find(has);
    if (other !== undefined) throw refuse(`${other} stands beside the vocabulary of another tokenizer`);
  }
  switch (known.source) {
    case "words": {
      const ids = readWordList("vocab.txt", need("vocab.txt"));
      return { ids, model: { vocab: Object.fromEntries(ids) } };
    }
    case "merges": {
      const ids = readVocabularyJson("vocab.json", need("vocab.json"));
      const merges = readMerges("merges.txt", need("merges.txt"), ids);
      return { ids, model: { vocab: Object.fromEntries(ids), merges } };
    }
    default: {
      const name = known.file !== undefined && !has("tokenizer.model") ? known.file : "tokenizer.model";
      const pieces = readSentencePieces(name, need(name));
      if (pieces.kind !== known.source) {
        throw refuse(`${name} is a model of ${pieces.kind}, and the tokenizer's class makes one of ${known.source}`);
      }
      return known.source === "bpe" ? bpeOf(pieces) : unigramOf(pieces, known, named);
    }
  }
}

/** Pieces of a BPE: those that make a piece are merged, pieces of low ids first. */
function bpeOf(pieces: SentencePieces): Vocabulary {
  const ids = new Map(pieces.pieces.map(({ text }, id) => [text, id]));
  const merges = pieceMerges(ids, ids.keys(), (a, b) => a.length - b.length);
  return { ids, pieces, model: { vocab: Object.fromEntries(ids), merges } };
}

function unigramOf(pieces: SentencePieces, known: TokenizerClass, named: (use: string) => string): Vocabulary {
  const inFile = (): readonly ScoredPiece[] => pieces.pieces.map(({ text, score }) => [text, score]);
  const vocab = known.reordered?.(pieces.pieces, named) ?? inFile();
  const ids = new Map(vocab.map(([text], id) => [text, id]));
  if (ids.size < vocab.length) throw refuse("the vocabulary has one of its special tokens twice");
  return { ids, pieces, model: { vocab } };
}

function inputOf(config: Fields, uses: SpecialTokens["uses"]): ClassInput {
  const setting = (name: string): boolean | null => {
    const value = config[name] ?? null;
    if (value === null || typeof value === "boolean") return value;
    throw refuse(`${name} in tokenizer_config.json is neither true nor false`);
  };
  return { uses, maybe: setting, flag: (name, otherwise) => setting(name) ?? otherwise };
}

/** The token of a use, as the files name it or, where they do not, as the class does. */
function useOf(use: string, known: TokenizerClass, { tokenizerConfig, specialTokensMap }: TokenFiles): unknown {
  const config = fieldsOf(tokenizerConfig);
  const map = config.added_tokens_decoder === undefined ? fieldsOf(specialTokensMap) : {};
  return map[use] ?? config[use] ?? known.named[use];
}

const textOf = (token: unknown): string => String(typeof token === "string" ? token : fieldsOf(token).content);

/**
 * Begin and end token as the tokenizer has them. Of those that the files do not name only what the vocabulary has: no row of a model
 * stands for others.
 */
function endTokens(uses: SpecialTokens["uses"], ids: TokenIds, files: TokenFiles): Fields {
  const found = ["bos_token", "eos_token"].flatMap((use) => {
    const content = uses.get(use)?.content;
    const isNamed = [files.tokenizerConfig, files.specialTokensMap].some((file) => Object.hasOwn(fieldsOf(file), use));
    return content !== undefined && (isNamed || ids.has(content)) ? [[use, content] as const] : [];
  });
  return Object.fromEntries(found);
}

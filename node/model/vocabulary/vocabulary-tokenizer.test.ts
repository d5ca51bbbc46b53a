/** Directories without tokenizer.json: the ids of transformers, and one line for what is damaged or foreign. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { NodeError } from "../../errors.ts";
import { modelDigest } from "../huggingface.ts";
import { tokenizerOfFiles } from "../tokenizer.ts";
import { madeTokenizer } from "./made-tokenizer.ts";
import { ModelProtoSchema } from "./sentencepiece_pb.ts";

interface Golden {
  readonly parts: readonly string[];
  readonly ranges: readonly (readonly [number, number])[];
  readonly seed: number;
  readonly count: number;
  readonly block: number;
  readonly kinds: Readonly<
    Record<
      string,
      {
        readonly digests: readonly string[];
        readonly shown: readonly { readonly text: string; readonly ids: number[]; readonly bare: number[] }[];
        readonly decoded: readonly { readonly text: string; readonly ids: number[] }[];
        readonly tokens: Readonly<Record<string, string>>;
      }
    >
  >;
}

const GOLDEN = join(import.meta.dirname, "../golden/vocabularies");
const golden: Golden = JSON.parse(readFileSync(join(GOLDEN, "ids.json"), "utf8"));

/** The files of a folder, by name; those that are JSON are parsed as weft does. */
function filesOf(folder: string): Record<string, Uint8Array> {
  const path = join(GOLDEN, folder);
  return Object.fromEntries(readdirSync(path).map((name) => [name, new Uint8Array(readFileSync(join(path, name)))]));
}

function opened(all: Readonly<Record<string, Uint8Array>>) {
  const json = (name: string): unknown => all[name] && JSON.parse(new TextDecoder().decode(all[name]));
  const files = {
    ...{ directory: "m", shards: [], config: json("config.json"), tokenizerConfig: json("tokenizer_config.json") },
    ...{ addedTokens: json("added_tokens.json"), specialTokensMap: json("special_tokens_map.json") },
  };
  return madeTokenizer(files, { names: Object.keys(all), read: (name) => all[name]! });
}

/** The random texts of the golden file. */
function texts(): readonly string[] {
  let state = golden.seed;
  const below = (count: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) % count;
  };
  const part = (): string => {
    if (below(4) < 3) return golden.parts[below(golden.parts.length)]!;
    const [low, high] = golden.ranges[below(golden.ranges.length)]!;
    return String.fromCodePoint(low + below(high - low + 1));
  };
  return Array.from({ length: golden.count }, () => Array.from({ length: below(14) }, part).join(""));
}

describe.each(Object.keys(golden.kinds))("the files of %s", (kind) => {
  const { digests, shown, decoded, tokens } = golden.kinds[kind]!;
  const files = opened(filesOf(kind));

  it("give the ids of transformers", () => {
    const tokenizer = tokenizerOfFiles(files);
    for (const { text, ids, bare } of shown) {
      expect(tokenizer.encode(text), text).toEqual(bare);
      expect(tokenizer.encode(text, { special: true }), text).toEqual(ids);
    }
    const drawn = texts();
    const held = process.env.WEFT_ALL_GOLDENS === "1" ? digests : digests.slice(0, 2);
    const found = held.map((_, block) => {
      const ids = drawn
        .slice(block * golden.block, (block + 1) * golden.block)
        .map((text) => tokenizer.encode(text, { special: true }));
      return createHash("sha256").update(JSON.stringify(ids)).digest("hex").slice(0, 16);
    });
    expect(found).toEqual(held);
    const { bos_token: bos, eos_token: eos } = tokens;
    const { added_tokens: added } = JSON.parse(new TextDecoder().decode(files.tokenizer)) as {
      added_tokens: { id: number; content: string }[];
    };
    const idOf = (content: string | undefined) => added.find((token) => token.content === content)?.id;
    if (eos !== undefined) expect(tokenizer.endId).toBe(idOf(eos));
    if (tokenizer.beginId !== undefined) expect(tokenizer.beginId).toBe(idOf(tokens.cls_token ?? bos));
  });

  it("give back the text of ids as transformers does", () => {
    const tokenizer = tokenizerOfFiles(files);
    for (const { ids, text } of decoded) expect(tokenizer.decode(ids, { special: true })).toBe(text);
  });
});

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const json = (value: unknown): Uint8Array => bytes(JSON.stringify(value));

/** A model file with these pieces; each has the score of its place. */
function pieces(texts: readonly (string | Uint8Array)[], more: object = {}): Uint8Array {
  const made = texts.map((piece, i) => ({
    ...{ $typeName: "sentencepiece.SentencePiece" as const, score: -i, type: i === 0 ? 2 : 1 },
    piece: typeof piece === "string" ? bytes(piece) : piece,
  }));
  const spec = { modelType: 2, unkId: 0, ...more };
  return toBinary(ModelProtoSchema, create(ModelProtoSchema, { pieces: made, trainerSpec: spec }));
}

const LLAMA = { "config.json": json({ model_type: "llama", tokenizer_class: "LlamaTokenizer" }) };
const GPT2 = { "config.json": json({ model_type: "gpt2" }), "merges.txt": bytes("#version: 0.2\na b\n") };
const BERT = { "config.json": json({ model_type: "bert" }) };
const vocab = { a: 0, b: 1, ab: 2, "<|endoftext|>": 3 };

describe("files without tokenizer.json are refused in one line", () => {
  it.each<[title: string, files: Readonly<Record<string, Uint8Array>>, reason: string]>([
    [
      "ids with holes",
      { ...GPT2, "vocab.json": json({ a: 0, b: 1, ab: 7 }) },
      'gives "ab" the id 7, so that ids are missing',
    ],
    ["ids with doubles", { ...GPT2, "vocab.json": json({ a: 0, b: 1, ab: 1 }) }, 'gives "b" and "ab" one id, 1'],
    ["a huge id", { ...GPT2, "vocab.json": json({ a: 0, b: 1, ab: 4294967295 }) }, "ids are missing"],
    ["no id", { ...GPT2, "vocab.json": json({ ...vocab, x: "4" }) }, 'no id for the token "x"'],
    [
      "half a character",
      { ...GPT2, "vocab.json": bytes('{"\\ud800":0,"b":1}') },
      'the token "\\ud800", half of a character',
    ],
    ["a list for a vocabulary", { ...GPT2, "vocab.json": bytes("[]") }, "vocab.json is no object of tokens"],
    ["no JSON", { ...GPT2, "vocab.json": bytes("{") }, "vocab.json is no valid JSON"],
    ["no merges", { "config.json": GPT2["config.json"], "vocab.json": json(vocab) }, "the directory has no merges.txt"],
    [
      "a merge of nothing",
      { ...GPT2, "vocab.json": json(vocab), "merges.txt": bytes("a \n") },
      "no pair of tokens in line 1",
    ],
    [
      "a merge of three",
      { ...GPT2, "vocab.json": json(vocab), "merges.txt": bytes("a b\na b a\n") },
      "no pair of tokens in line 2",
    ],
    [
      "a merge of what is none",
      { ...GPT2, "vocab.json": json(vocab), "merges.txt": bytes("a x\n") },
      'vocab.json has no "x"',
    ],
    [
      "a merge to what is none",
      { ...GPT2, "vocab.json": json(vocab), "merges.txt": bytes("b a\n") },
      'vocab.json has no "ba"',
    ],
    [
      "an added token elsewhere",
      { ...GPT2, "vocab.json": json(vocab), "added_tokens.json": json({ x: 9 }) },
      'the added token "x" has id 9',
    ],
    [
      "two vocabularies",
      { ...GPT2, "vocab.json": json(vocab), "tokenizer.model": bytes("") },
      "tokenizer.model stands beside",
    ],
    [
      "another class",
      { ...GPT2, "vocab.json": json(vocab), "tokenizer_config.json": json({ tokenizer_class: "BloomTokenizer" }) },
      "does not make the tokenizer BloomTokenizer of a model of the family gpt2",
    ],
    [
      "a setting that is none",
      { ...GPT2, "vocab.json": json(vocab), "tokenizer_config.json": json({ add_bos_token: "yes" }) },
      "add_bos_token in tokenizer_config.json is neither true nor false",
    ],
    ["a word twice", { ...BERT, "vocab.txt": bytes("[UNK]\na\nb\na\n") }, 'vocab.txt has "a" in line 2 and in line 4'],
    ["no word for others", { ...BERT, "vocab.txt": bytes("a\nb\n") }, 'the vocabulary has no "[UNK]"'],
    ["other letters", { ...BERT, "vocab.txt": Uint8Array.of(0x41, 0xff) }, "vocab.txt is no UTF-8"],
    [
      "no class",
      { "config.json": json({ model_type: "llama" }), "tokenizer.model": pieces(["<unk>", "a"]) },
      "no file names the class of the tokenizer",
    ],
    [
      "half a model",
      { ...LLAMA, "tokenizer.model": pieces(["<unk>", "abcdef"]).slice(0, 12) },
      "tokenizer.model is no whole model of SentencePiece",
    ],
    ["an empty model", { ...LLAMA, "tokenizer.model": new Uint8Array() }, "it has no pieces"],
    ["a piece twice", { ...LLAMA, "tokenizer.model": pieces(["<unk>", "a", "a"]) }, 'has the piece "a" twice'],
    ["a piece of nothing", { ...LLAMA, "tokenizer.model": pieces(["<unk>", ""]) }, "piece 1 is empty"],
    [
      "a piece of other letters",
      { ...LLAMA, "tokenizer.model": pieces(["<unk>", Uint8Array.of(0xff)]) },
      "piece 1 is no UTF-8",
    ],
    [
      "no unknown piece",
      { ...LLAMA, "tokenizer.model": pieces(["<unk>"], { unkId: 5 }) },
      "names piece 5 as the unknown one and has 1",
    ],
    ["another model", { ...LLAMA, "tokenizer.model": pieces(["<unk>"], { modelType: 3 }) }, "is a model of words"],
    [
      "a model of the other kind",
      { ...LLAMA, "tokenizer.model": pieces(["<unk>"], { modelType: 1 }) },
      "is a model of unigram, and the tokenizer's class makes one of bpe",
    ],
  ])("%s", (_, all, reason) => {
    const files = opened(all);
    expect(files.tokenizer).toBeUndefined();
    for (const attempt of [() => tokenizerOfFiles(files), () => modelDigest(files)]) {
      expect(attempt).toThrow(NodeError);
      expect(attempt).toThrow(expect.objectContaining({ code: "TOKENIZER_MISSING" }));
      expect(attempt).toThrow(reason);
      expect(attempt).toThrow(/^[^\n]{1,500}save_pretrained\(FOLDER\) of transformers writes tokenizer.json$/);
    }
  });
});

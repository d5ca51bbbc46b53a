/** Decoders of model folders, as targets of the guided fuzzer. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ChatTemplate } from "../../model/chat-template.ts";
import { ggufFiles } from "../../model/gguf/gguf-files.ts";
import { loadBaseModel } from "../../model/huggingface.ts";
import { packedWords } from "../../model/packed/packed-words.ts";
import { unpackedConfig } from "../../model/packed/quantization-config.ts";
import { tokenizerOfFiles } from "../../model/tokenizer.ts";
import { madeTokenizer } from "../../model/vocabulary/made-tokenizer.ts";
import { locateTensors, memoryFile } from "../../model/weight-file.ts";
import type { GuidedTarget } from "./guided-fuzz.ts";

const GOLDEN = join(import.meta.dirname, "../../golden");
const golden = (...path: string[]): Uint8Array => readFileSync(join(GOLDEN, ...path));
const bytesOf = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

/** What stands in a folder of a model that somebody downloaded. */
export function modelTargets(): readonly GuidedTarget[] {
  const weights = memoryFile("model.safetensors", golden("llama-gptq", "model.safetensors"));
  return [
    {
      name: "file-gguf",
      seeds: [ggufSeed()],
      read: (bytes) => {
        const files = ggufFiles("model.gguf", memoryFile("model.gguf", bytes), {});
        for (const { shape } of files.located?.values() ?? []) shape.join();
        return tokenizerOfFiles(files).encode("a b");
      },
    },
    {
      name: "file-model-config",
      seeds: ["llama-gptq", "llama-yarn", "gemma3", "bert"].map((name) => golden(name, "config.json")),
      read: (bytes) => void loadBaseModel({ directory: "folder", config: json(bytes), shards: [weights] }),
    },
    {
      name: "file-packed-words",
      seeds: [packedSeed()],
      read: (bytes) => {
        const located = locateTensors([memoryFile("model.safetensors", bytes)]);
        const packing = { method: "gptq", bits: 4, groupSize: 8, version: 2 } as const;
        packedWords(located, { name: "x.weight", shape: [8, 8] }, packing)?.matrix;
      },
    },
    {
      name: "file-quantization",
      seeds: [bytesOf({ quantization_config: { quant_method: "gptq", bits: 4, group_size: 128, sym: true } })],
      read: (bytes) => void unpackedConfig(json(bytes)),
    },
    {
      name: "file-tokenizer",
      seeds: [bytesOf(TOKENIZER)],
      read: (bytes) => void tokenizerOfFiles({ directory: "folder", tokenizer: bytes }).encode("a b ab"),
    },
    ...OLDER.map(([kind, file, others]): GuidedTarget => {
      const name = `file-${file.replace(/^sentencepiece\.bpe/u, "xlm-r").replaceAll(".", "-")}`;
      return { name, seeds: [older(kind, file)], read: (bytes) => readOlder(kind, file, bytes, others) };
    }),
    {
      name: "file-chat-template",
      seeds: TEMPLATES.map((text) => new TextEncoder().encode(text)),
      read: (bytes) => {
        const template = new ChatTemplate({ text: new TextDecoder().decode(bytes) }, { place: "folder" });
        template.render({ messages: [{ role: "user", content: "a" }] });
      },
    },
  ];
}

/** Files of which a tokenizer is made, each with those that it needs beside it. */
const OLDER: readonly (readonly [kind: string, file: string, others: readonly string[]])[] = [
  ["opt", "vocab.json", ["merges.txt"]],
  ["opt", "merges.txt", ["vocab.json"]],
  ["bert", "vocab.txt", []],
  ["llama", "tokenizer.model", []],
  ["xlm-roberta", "sentencepiece.bpe.model", []],
];
const older = (kind: string, file: string): Uint8Array =>
  readFileSync(join(import.meta.dirname, "../../model/golden/vocabularies", kind, file));

/** What is refused has no tokenizer, and one that is made has ids for a text. */
function readOlder(kind: string, file: string, bytes: Uint8Array, others: readonly string[]): void {
  const config = { model_type: kind, ...(kind === "llama" && { tokenizer_class: "LlamaTokenizer" }) };
  const files = { directory: "folder", config, shards: [] };
  const read = (name: string): Uint8Array => (name === file ? bytes : older(kind, name));
  tokenizerOfFiles(madeTokenizer(files, { names: [file, ...others], read })).encode("a b the ＡＢ");
}

/** Of a file that is no JSON nothing is asked. */
function json(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return {};
  }
}

const TOKENIZER = {
  added_tokens: [{ id: 3, content: "</s>", special: true }],
  normalizer: { type: "NFC" },
  pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: true },
  post_processor: null,
  decoder: { type: "ByteLevel" },
  model: { type: "BPE", vocab: { a: 0, b: 1, ab: 2 }, merges: [["a", "b"]], unk_token: null },
};

const TEMPLATES = [
  "{% for m in messages %}<|{{ m.role }}|>{{ m['content'] | trim }}{% endfor %}{% if add_generation_prompt %}<|a|>{% endif %}",
  "{%- set x = range(3) -%}{% for i in x %}{{ i * 2 ~ 'a' }}{% endfor %}{{ raise_exception('no') if tools else '' }}",
];

/** One matrix of 8 by 8 in words of GPTQ, by its header and as many zeros as that asks for. */
function packedSeed(): Uint8Array {
  const header = JSON.stringify({
    "x.qweight": { dtype: "I32", shape: [1, 8], data_offsets: [0, 32] },
    "x.scales": { dtype: "F16", shape: [1, 8], data_offsets: [32, 48] },
    "x.qzeros": { dtype: "I32", shape: [1, 1], data_offsets: [48, 52] },
    "x.g_idx": { dtype: "I32", shape: [8], data_offsets: [52, 84] },
  });
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return new Uint8Array(Buffer.concat([length, Buffer.from(header), Buffer.alloc(84)]));
}

/** A header of a small Llama with its tokens, and one tensor. */
function ggufSeed(): Uint8Array {
  const u32 = (value: number): Buffer => Buffer.from(Uint32Array.of(value).buffer);
  const u64 = (value: number): Buffer => Buffer.from(BigUint64Array.of(BigInt(value)).buffer);
  const f32 = (value: number): Buffer => Buffer.from(Float32Array.of(value).buffer);
  const text = (value: string): Buffer => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);
  const list = (type: number, items: readonly Buffer[]): Buffer =>
    Buffer.concat([u32(9), u32(type), u64(items.length), ...items]);
  const tokens = ["<unk>", "<s>", "</s>", "▁a", "b"];
  const settings: readonly (readonly [string, Buffer])[] = [
    ["general.architecture", Buffer.concat([u32(8), text("llama")])],
    ...["block_count", "context_length", "feed_forward_length", "embedding_length"].map(
      (name) => [`llama.${name}`, Buffer.concat([u32(4), u32(name === "block_count" ? 1 : 32)])] as const,
    ),
    ["llama.attention.head_count", Buffer.concat([u32(4), u32(2)])],
    ["llama.attention.layer_norm_rms_epsilon", Buffer.concat([u32(6), f32(1e-5)])],
    ["tokenizer.ggml.model", Buffer.concat([u32(8), text("llama")])],
    ["tokenizer.ggml.tokens", list(8, tokens.map(text))],
    [
      "tokenizer.ggml.scores",
      list(
        6,
        tokens.map((_, i) => f32(-i)),
      ),
    ],
    ["tokenizer.ggml.token_type", list(5, [2, 3, 3, 1, 1].map(u32))],
    ["tokenizer.ggml.eos_token_id", Buffer.concat([u32(4), u32(2)])],
  ];
  const tensor = [text("token_embd.weight"), u32(2), u64(32), u64(5), u32(0), u64(0)];
  const head = [u32(0x46554747), u32(3), u64(1), u64(settings.length)];
  const header = Buffer.concat([...head, ...settings.flatMap(([key, value]) => [text(key), value]), ...tensor]);
  const padded = Buffer.alloc(Math.ceil(header.length / 32) * 32);
  header.copy(padded);
  return new Uint8Array(Buffer.concat([padded, Buffer.alloc(4 * 32 * 5)]));
}

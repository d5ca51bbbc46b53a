import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { NodeError } from "../../errors.ts";
import { readModelFiles } from "../../system/files/model-files.ts";
import { inBaseForm } from "../base/base-form.ts";
import { outOfBlocks } from "../base/blocks.ts";
import { loadBaseModel, modelDigest } from "../huggingface.ts";
import { readSafetensors } from "../safetensors.ts";
import { tokenizerOfFiles } from "../tokenizer.ts";
import { memoryFile } from "../weight-file.ts";
import { VALUE_BLOCKS } from "./block-values.ts";
import { ggufModel } from "./gguf-config.ts";
import { ggufFiles } from "./gguf-files.ts";
import { type GgufValue, readGgufHeader } from "./gguf-header.ts";

// That the values are those of the blocks, golden.test.ts shows: by logits and gradients of PyTorch.
const GOLDEN = join(import.meta.dirname, "../../golden");
const open = (name: string) => {
  const { cache: _, ...files } = readModelFiles(join(GOLDEN, name, "model.gguf"));
  return files;
};

it.each(["llama-gguf-q4", "qwen2-gguf-q8", "qwen3-gguf-f16", "gemma3-gguf-q4"])(
  "%s has the tokens of transformers",
  (name) => {
    const tokenizer = tokenizerOfFiles(open(name));
    const stored: readonly { readonly text: string; readonly ids: readonly number[] }[] = JSON.parse(
      readFileSync(join(GOLDEN, name, "tokens.json"), "utf8"),
    );
    // Where a text begins with a blank or a special token, transformers 5.18 puts no blank in front of the words of a GGUF file of
    // SentencePiece. SentencePiece, llama.cpp and the tokenizer.json of Llama 2 do, and so does weft.
    const [blank] = tokenizer.encode(" ").slice(-1);
    const prefixed = (text: string, ids: readonly number[]) => {
      const at = text.startsWith(" ") ? 0 : text.startsWith("<s>") ? 1 : -1;
      return name.startsWith("llama") && at >= 0 ? ids.toSpliced(at, 0, blank!) : ids;
    };
    const rows = stored.map(({ text, ids }) => ({ text, ids: prefixed(text, ids) }));
    expect(rows.map(({ text }) => ({ text, ids: tokenizer.encode(text) }))).toEqual(rows);
    for (const { text, ids } of rows)
      if (name.startsWith("qwen")) expect(tokenizer.decode(ids)).toBe(text.normalize("NFC"));
  },
);

it.each([
  ["llama-gguf-q4", "q4", "self_attn.q_proj", true],
  ["llama-gguf-q4", "q8", "mlp.up_proj", true],
  ["llama-gguf-q4", "q8", "mlp.down_proj", false],
  ["gemma3-gguf-q4", "q4", "self_attn.k_proj", true],
  ["qwen2-gguf-q8", "q8", "self_attn.q_proj", true],
  ["qwen2-gguf-q8", "q4", "self_attn.q_proj", false],
] as const)("of %s, %s has the blocks of the file's %s: %s", (name, form, path, isExact) => {
  const files = open(name);
  const model = loadBaseModel(files);
  const site = model.shape.linears.find((linear) => linear.path.endsWith(path))!;
  const weight = { name: `${site.path}.weight`, shape: [site.outputs, site.inputs] };
  const { tensors } = readSafetensors(inBaseForm(model, files, form).externalData[0]!.data, { name: "narrow" });
  const scales = new Float32Array(tensors.get(`${weight.name}.scales`)!.bytes.slice().buffer);
  const integers = tensors.get(weight.name)!.bytes;
  const found = outOfBlocks({ scales, integers }, site.inputs, form === "q4" ? 4 : 8);
  const stored = model.values(weight);
  expect(found.every((value, i) => value === stored[i])).toBe(isExact);
});

const BYTES = readFileSync(join(GOLDEN, "llama-gguf-q4/model.gguf"));
const opened = (bytes: Uint8Array) => {
  const files = ggufFiles("hostile.gguf", memoryFile("hostile.gguf", bytes), {});
  const model = loadBaseModel(files);
  tokenizerOfFiles(files);
  for (const weight of model.weights) model.values(weight);
};

/** The file with a number of 64 bits at a place. */
const with64 = (at: number, value: bigint): Uint8Array => {
  const bytes = new Uint8Array(BYTES);
  new DataView(bytes.buffer).setBigUint64(at, value, true);
  return bytes;
};
const placeOf = (text: string): number => BYTES.indexOf(text, 0, "latin1");
/** The file with another text of the same length. */
const withText = (from: string, to: string): Uint8Array => {
  const bytes = new Uint8Array(BYTES);
  bytes.set(new TextEncoder().encode(to), placeOf(from));
  return bytes;
};
/** Behind the name of a tensor: dimensions, their sizes, type, offset. */
const afterName = (name: string): number => placeOf(name) + name.length;
const withType = (name: string, type: number): Uint8Array => {
  const bytes = new Uint8Array(BYTES);
  bytes[afterName(name) + 4 + 16] = type;
  return bytes;
};

it.each<readonly [string, Uint8Array, RegExp]>([
  ["no GGUF", new Uint8Array(64), /does not begin with GGUF/],
  ["another version", with64(4, 9n), /its version is 9/],
  ["more tensors than bytes", with64(8, 99_999n), /ends|names|dimensions|shape|tensor/],
  ["a count beyond reason", with64(8, 1n << 60n), /and at most 100000 are read/],
  ["a text beyond the file", with64(24, 4_000_000n), /ends before its 4000000 bytes of a text/],
  [
    "an architecture that weft does not read",
    withText("llama", "rwkv7"),
    /general\.architecture "rwkv7" is not read from GGUF/,
  ],
  [
    "blocks of another kind",
    withType("blk.0.attn_q.weight", 23),
    /blk\.0\.attn_q\.weight is of type IQ4_XS; weft reads Q2_K to Q6_K, Q4_0/,
  ],
  [
    "a tensor beyond the file",
    with64(afterName("blk.0.attn_q.weight") + 24, 1n << 40n),
    /lies beyond the end of the file/,
  ],
  ["a tensor of no values", with64(afterName("blk.0.attn_q.weight") + 4, 0n), /has shape \[64,0\]/],
  ["half a file", BYTES.subarray(0, BYTES.length / 2), /lies beyond the end of the file/],
])("%s is refused in a line", (_, bytes, text) => {
  const refused = expect.objectContaining({ code: "MODEL_CONFIG", message: expect.stringMatching(text) });
  expect(() => opened(bytes)).toThrow(refused);
});

it("a tensor of blocks that are read as values has them row by row", () => {
  const type = VALUE_BLOCKS.get(6)!;
  const file = memoryFile("model.gguf", withType("blk.0.attn_v.weight", 6));
  const stored = ggufFiles("model.gguf", file, {}).located!.get("model.layers.0.self_attn.v_proj.weight")!;
  const [rows, columns] = stored.shape as [number, number];
  const perRow = columns / type.values;
  const bytes = BYTES.subarray(stored.offset, stored.offset + rows * perRow * type.bytes);
  const expected = new Float32Array(rows * columns);
  for (let i = 0; i < rows * perRow; i++) {
    type.unpack(bytes.subarray(i * type.bytes, (i + 1) * type.bytes), expected.subarray(i * type.values));
  }
  expect(stored.packed!.values({ from: 0, to: rows })).toEqual(expected);
  expect(stored.packed!.values({ from: 3, to: 5 })).toEqual(expected.slice(3 * columns, 5 * columns));
  expect(stored.packed!.blocks(8, { from: 0, to: 1 })).toBeUndefined();
});

it.each<readonly [string, GgufValue, RegExp | undefined]>([
  ["general.type", "adapter", /holds no model but, by its general.type, "adapter"/],
  ["split.count", 2, /is one of 2 parts of a model; join them/],
  ["llama.attention.causal", false, /llama\.attention\.causal is false, which weft does not compute from GGUF/],
  ["llama.attention.sliding_window", 5, /sliding_window is 5, which/],
  ["llama.logit_scale", 0.5, /logit_scale is 0.5, which/],
  ["llama.attn_logit_softcapping", 50, /softcapping is 50, which/],
  ["gemma3.attention.sliding_window_pattern", 4, /sliding_window_pattern is 4, which/],
  ["gemma3.rope.freq_base_swa", 5000, /freq_base_swa is 5000, which/],
  ["gemma3.attn_logit_softcapping", 50, /softcapping is 50, which/],
  ["general.type", "model", undefined],
  ["llama.attention.causal", true, undefined],
  ["llama.logit_scale", 1, undefined],
  ["llama.expert_used_count", 0, undefined],
  ["llama.rope.scaling.finetuned", true, undefined],
  ["gemma3.attention.sliding_window_pattern", 6, undefined],
  ["gemma3.rope.freq_base_swa", 10_000, undefined],
])("a file that says %s = %j", (key, value, refused) => {
  const name = key.startsWith("gemma3.") ? "gemma3-gguf-q4" : "llama-gguf-q4";
  const header = readGgufHeader(memoryFile("model.gguf", readFileSync(join(GOLDEN, name, "model.gguf"))));
  const read = () => ggufModel("m", { ...header, settings: new Map([...header.settings, [key, value]]) }, undefined);
  if (refused) expect(read).toThrow(refused);
  else expect(read().config).toEqual(ggufModel("m", header, undefined).config);
});

it("a scale that is no number is refused where it is read", () => {
  const files = open("llama-gguf-q4");
  const bytes = new Uint8Array(BYTES);
  const { offset } = files.located!.get("model.layers.0.mlp.up_proj.weight")!;
  bytes.set([0, 0x7e], offset);
  expect(() => opened(bytes)).toThrow(/up_proj|ffn_up.*has a scale that is not a finite number/);
});

it("any change of bytes is read or refused, with nothing else", () => {
  const header = 12_000;
  const change = fc.record({ at: fc.nat(header), byte: fc.nat(255), length: fc.integer({ min: 1, max: 8 }) });
  const changes = fc.array(change, { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(changes, fc.option(fc.nat(BYTES.length)), (all, cut) => {
      const bytes = new Uint8Array(BYTES);
      for (const { at, byte, length } of all) bytes.fill(byte, at, at + length);
      try {
        loadBaseModel(ggufFiles("hostile.gguf", memoryFile("hostile.gguf", bytes.subarray(0, cut ?? undefined)), {}));
      } catch (error) {
        if (!(error instanceof NodeError) || /\n/.test(error.message)) throw error;
      }
    }),
    { numRuns: 60 },
  );
});

it("has digests of its own, which do not depend on where it is", () => {
  const files = open("qwen2-gguf-q8");
  expect(modelDigest(files)).toEqual(modelDigest({ ...files, directory: "elsewhere.gguf" }));
});

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { adapterSlots, parameterCount } from "../../../protocol/adapter-spec.ts";
import { adapterMethod } from "../../adapter/methods.ts";
import { loadBaseModel, modelDigest } from "../../model/huggingface.ts";
import type { Config, NamedTensor } from "../../model/random-model.suite.ts";
import { CONFIGS, filesOf, randomTensors } from "../../model/random-model.suite.ts";
import { writeSafetensors } from "../../model/safetensors.ts";
import { encodeModel } from "../../onnx/codec.ts";
import { float32, int64 } from "../../tensor.ts";
import { logitsGraph } from "../../training/training-step.ts";
import { createOnnxRuntime } from "../compute/onnxruntime.ts";
import { readModelFiles } from "./model-files.ts";

const folders: string[] = [];
function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "weft-model-"));
  folders.push(folder);
  return folder;
}
afterEach(() => {
  vi.unstubAllEnvs();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

const TOKENIZER = "{}";
const LLAMA = { ...CONFIGS.llama, tie_word_embeddings: false };
const TENSORS = randomTensors(LLAMA);

/** A safetensors file of values of 16 bits: the upper half of a float32, or a half. */
function narrowFile(tensors: readonly NamedTensor[], dtype: (name: string) => "BF16" | "F16" | "F32"): Uint8Array {
  let offset = 0;
  const parts = tensors.map(({ name, data }) => narrow(data, dtype(name)));
  const entries = tensors.map(({ name, shape }, i) => {
    const begin = offset;
    offset += parts[i]!.length;
    return [name, { dtype: dtype(name), shape, data_offsets: [begin, offset] }];
  });
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, ...parts]);
}

function narrow(data: Float32Array, dtype: "BF16" | "F16" | "F32"): Uint8Array {
  if (dtype === "F32") return new Uint8Array(data.slice().buffer);
  const bits = new Uint32Array(data.slice().buffer);
  return new Uint8Array(Uint16Array.from(bits, (b) => (dtype === "BF16" ? b >>> 16 : halfBits(b))).buffer);
}

/** The half whose fraction is cut off, of a number between 2^-14 and 2^15; 0 for smaller ones. */
function halfBits(bits: number): number {
  const exponent = ((bits >>> 23) & 0xff) - 127 + 15;
  return exponent <= 0 ? 0 : ((bits >>> 16) & 0x8000) | (exponent << 10) | ((bits >>> 13) & 0x3ff);
}

/** What is left of a number that was cut to the upper 16 bits. */
const cut = (data: Float32Array): number[] =>
  Array.from(new Float32Array(Uint32Array.from(new Uint32Array(data.slice().buffer), (b) => b & 0xffff0000).buffer));

function modelFolder(files: Readonly<Record<string, Uint8Array | string>>, config: Config = LLAMA): string {
  const folder = temporaryFolder();
  const all = { "config.json": JSON.stringify(config), "tokenizer.json": TOKENIZER, ...files };
  for (const [name, bytes] of Object.entries(all)) writeFileSync(join(folder, name), bytes);
  return folder;
}

/** Logits of a few tokens, through the runtime. */
async function logits(directory: string, cacheFolder = temporaryFolder()): Promise<number[]> {
  const model = loadBaseModel(readModelFiles(directory, { cacheFolder }));
  const adapter = { kind: "lora", rank: 1, alpha: 1, targets: ["q_proj"], layers: "all" } as const;
  const slots = adapterSlots(adapterMethod(adapter).tensors(adapter, model.shape));
  const graph = encodeModel(logitsGraph({ model, adapter, slots }, { examples: 1, tokens: 3 }));
  const session = await createOnnxRuntime().load(graph, { threads: 1, externalData: model.externalData });
  try {
    const zero = float32([parameterCount(slots)], new Float32Array(parameterCount(slots)));
    const result = await session.run({ input_ids: int64([1, 3], [3, 1, 4]), adapter: zero });
    return Array.from(result.logits!.data as Float32Array);
  } finally {
    await session.close();
  }
}

const codeAndText = (code: string, text: string | RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(text) });

/** Two shards and their index. */
function shards(): Record<string, Uint8Array | string> {
  const names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
  const halves = [TENSORS.slice(0, 7), TENSORS.slice(7)];
  const map = halves.flatMap((half, i) => half.map(({ name }) => [name, names[i]!]));
  return {
    "model.safetensors.index.json": JSON.stringify({ metadata: {}, weight_map: Object.fromEntries(map) }),
    [names[0]!]: writeSafetensors(halves[0]!),
    [names[1]!]: writeSafetensors(halves[1]!),
  };
}

describe("f32 weights", () => {
  it("are used where they lie, and nothing is kept in the cache", async () => {
    const folder = modelFolder({ "model.safetensors": writeSafetensors(TENSORS) });
    const cacheFolder = join(temporaryFolder(), "cache");
    const model = loadBaseModel(readModelFiles(folder, { cacheFolder }));
    expect(model.externalData).toMatchObject([{ path: "model.safetensors", folder }]);
    expect(await logits(folder, cacheFolder)).toHaveLength(3 * LLAMA.vocab_size);
    expect(existsSync(cacheFolder)).toBe(false);
  });

  it("in shards are the same model, whose digest is the same", async () => {
    const [single, sharded] = [modelFolder({ "model.safetensors": writeSafetensors(TENSORS) }), modelFolder(shards())];
    expect(await logits(sharded)).toEqual(await logits(single));
    const digest = modelDigest(readModelFiles(sharded));
    expect(digest).toEqual(modelDigest(readModelFiles(single)));
    expect(digest).toEqual(modelDigest({ ...filesOf(LLAMA, TENSORS), tokenizer: Buffer.from(TOKENIZER) }));
  });

  it("are followed through links to wherever a model cache keeps them", async () => {
    const root = temporaryFolder();
    const [blobs, snapshot] = [join(root, "blobs"), join(root, "snapshots", "1")];
    for (const folder of [blobs, snapshot]) mkdirSync(folder, { recursive: true });
    const files = { "config.json": JSON.stringify(LLAMA), "tokenizer.json": TOKENIZER, ...shards() };
    for (const [i, [name, bytes]] of Object.entries(files).entries()) {
      writeFileSync(join(blobs, `${i}`), bytes);
      symlinkSync(join("..", "..", "blobs", `${i}`), join(snapshot, name));
    }
    expect(await logits(snapshot)).toEqual(await logits(modelFolder(shards())));
  });
});

describe("weights of 16 bits", () => {
  const narrowed = (): string => modelFolder({ "model.safetensors": narrowFile(TENSORS, () => "BF16") });

  it("give the bits of the same weights in f32", async () => {
    const rounded = TENSORS.map((tensor) => ({ ...tensor, data: Float32Array.from(cut(tensor.data)) }));
    const wide = modelFolder({ "model.safetensors": writeSafetensors(rounded) });
    expect(await logits(narrowed())).toEqual(await logits(wide));
  });

  it("may stand beside f32 ones, and are read one by one as they are stored", () => {
    const dtypeOf = (name: string) => (name.includes("norm") ? "F32" : name.includes("mlp") ? "F16" : "BF16");
    const folder = modelFolder({ "model.safetensors": narrowFile(TENSORS, dtypeOf) });
    const cacheFolder = temporaryFolder();
    const files = readModelFiles(folder, { cacheFolder });
    const model = loadBaseModel(files);
    for (const [i, { name, shape, data }] of TENSORS.entries()) {
      const { source } = model.weight({ name, shape });
      if (source.kind !== "external") throw new Error(`${name} is not in a file`);
      const { offset, length } = source.range;
      const cached = model.externalData[0]!.data.slice(offset, offset + length);
      const values = Array.from(new Float32Array(cached.buffer));
      expect(values, name).toEqual(Array.from(model.values({ name, shape })));
      if (dtypeOf(name) === "F32") expect(values, name).toEqual(Array.from(data));
      if (dtypeOf(name) === "BF16") expect(values, name).toEqual(cut(data));
      const error = Math.max(...values.map((x, k) => Math.abs(x - data[k]!)));
      expect(error, `${name}, tensor ${i}`).toBeLessThan(dtypeOf(name) === "F16" ? 2e-3 : 0.02);
    }
    expect(model.externalData).toHaveLength(1);
  });

  it("are converted once; a second start finds the file", async () => {
    const [folder, cacheFolder] = [narrowed(), temporaryFolder()];
    const first = await logits(folder, cacheFolder);
    const [name, ...others] = readdirSync(cacheFolder);
    expect(others).toEqual([]);
    const { ino } = statSync(join(cacheFolder, name!));
    expect(await logits(folder, cacheFolder)).toEqual(first);
    expect(readdirSync(cacheFolder)).toEqual([name]);
    expect(statSync(join(cacheFolder, name!)).ino).toBe(ino);
  });

  it("are converted again when their file has changed, or the converted one is damaged", async () => {
    const [folder, cacheFolder] = [narrowed(), temporaryFolder()];
    const first = await logits(folder, cacheFolder);
    const [name] = readdirSync(cacheFolder);
    truncateSync(join(cacheFolder, name!), 5000);
    expect(await logits(folder, cacheFolder)).toEqual(first);
    expect(readdirSync(cacheFolder)).toEqual([name]);
    utimesSync(join(folder, "model.safetensors"), 1, 1);
    expect(await logits(folder, cacheFolder)).toEqual(first);
    expect(readdirSync(cacheFolder)).toHaveLength(2);
  });

  it("leave nothing behind of a writer that was killed, and do not touch one that runs", async () => {
    const cacheFolder = temporaryFolder();
    const [dead, alive] = [`a.safetensors.4194999.0-0.tmp`, `a.safetensors.${process.pid}.0-0.tmp`];
    for (const name of [dead, alive]) writeFileSync(join(cacheFolder, name), "x");
    await logits(narrowed(), cacheFolder);
    const names = readdirSync(cacheFolder);
    expect(names).toHaveLength(2);
    expect(names).toContain(alive);
  });

  it("are kept where WEFT_CACHE says", () => {
    const cacheFolder = join(temporaryFolder(), "a", "b");
    vi.stubEnv("WEFT_CACHE", cacheFolder);
    const model = loadBaseModel(readModelFiles(narrowed()));
    expect(existsSync(cacheFolder)).toBe(false);
    expect(model.externalData).toMatchObject([{ folder: cacheFolder }]);
    expect(readdirSync(cacheFolder)).toHaveLength(1);
  });

  it("and a cache that cannot be written is one clear line", () => {
    const file = join(temporaryFolder(), "file");
    writeFileSync(file, "");
    const model = loadBaseModel(readModelFiles(narrowed(), { cacheFolder: join(file, "cache") }));
    expect(() => model.externalData).toThrow(
      codeAndText("DATA_DIRECTORY", /converted weights.*ENOTDIR; set WEFT_CACHE/),
    );
  });
});

describe("a directory that is not whole is one clear line", () => {
  const [INDEX, , SECOND] = Object.keys(shards()) as [string, string, string];
  const without = (name: string) => Object.fromEntries(Object.entries(shards()).filter(([key]) => key !== name));
  const integers = () =>
    Buffer.from(Buffer.from(writeSafetensors(TENSORS)).toString("latin1").replace('"F32"', '"I32"'), "latin1");
  const rows: readonly (readonly [string, () => Record<string, Uint8Array | string>, string, RegExp])[] = [
    ["a missing shard", () => without(SECOND), "MODEL_MISSING", /has no model-00002-of-00002.safetensors/],
    ["no weights", () => ({}), "MODEL_MISSING", /no model\*\.safetensors/],
    ["an index that is no JSON", () => ({ ...shards(), [INDEX]: "{" }), "MODEL_CONFIG", /not valid JSON/],
    ["an index without files", () => ({ ...shards(), [INDEX]: "[]" }), "MODEL_CONFIG", /no weight_map/],
    [
      "an index of numbers",
      () => ({ ...shards(), [INDEX]: '{"weight_map":{"a":1}}' }),
      "MODEL_CONFIG",
      /no weight_map/,
    ],
    [
      "an index that leads out",
      () => ({ ...shards(), [INDEX]: '{"weight_map":{"a":"../x.safetensors"}}' }),
      "MODEL_MISSING",
      /has no \.\.\/x/,
    ],
    ["a shard without an index", () => ({ [SECOND]: shards()[SECOND]! }), "MODEL_MISSING", /no tensor model\.embed/],
    [
      "a tensor in two files",
      () => ({ ...without(INDEX), "model-3.safetensors": shards()[SECOND]! }),
      "MODEL_CONFIG",
      /in .*00002.* and in .*model-3/,
    ],
    [
      "a truncated file",
      () => ({ "model.safetensors": writeSafetensors(TENSORS).slice(0, 9000) }),
      "SAFETENSORS_INVALID",
      /truncated/,
    ],
    ["an empty file", () => ({ "model.safetensors": "" }), "SAFETENSORS_INVALID", /truncated/],
    [
      "quantised weights",
      () => ({ "model.safetensors": integers() }),
      "MODEL_CONFIG",
      /tensor model.embed_tokens.weight holds I32 values/,
    ],
  ];
  it.each(rows)("%s", (_, files, code, text) => {
    const directory = modelFolder(files());
    const attempt = () => loadBaseModel(readModelFiles(directory));
    expect(attempt).toThrow(codeAndText(code, text));
    expect(attempt).toThrow(/^[^\n]+$/);
  });

  it("shards in another folder than their index", () => {
    const folder = modelFolder({
      "model.safetensors.index.json": JSON.stringify({ weight_map: { a: "sub/model-1.safetensors" } }),
    });
    expect(() => readModelFiles(folder)).toThrow(/has no sub\/model-1\.safetensors, which/);
    mkdirSync(join(folder, "sub"));
    writeFileSync(join(folder, "sub/model-1.safetensors"), writeSafetensors(TENSORS));
    expect(() => readModelFiles(folder)).toThrow(/lists sub\/model-1\.safetensors, which lies in another folder/);
  });

  it("but an adapter in it is told of, which transformers would put into the model", () => {
    const files = { "model.safetensors": writeSafetensors(TENSORS), "adapter_config.json": "{}" };
    const { notes } = loadBaseModel(readModelFiles(modelFolder(files)));
    expect(notes).toEqual([expect.stringContaining("holds an adapter too; the model is used without it")]);
  });

  it("a chat template that leads out of it, which an adapter would keep", () => {
    const folder = modelFolder(shards());
    writeFileSync(join(folder, "..", "weft-not-of-the-model"), "secret");
    symlinkSync("../weft-not-of-the-model", join(folder, "chat_template.jinja"));
    expect(() => readModelFiles(folder)).toThrow(
      codeAndText("MODEL_CONFIG", /chat_template\.jinja is no file of this model/),
    );
    rmSync(join(folder, "..", "weft-not-of-the-model"));
  });

  it("a link that leads nowhere", () => {
    const folder = modelFolder({});
    symlinkSync("gone", join(folder, "model.safetensors"));
    expect(() => readModelFiles(folder)).toThrow(codeAndText("MODEL_MISSING", /model\.safetensors cannot be opened/));
  });
});

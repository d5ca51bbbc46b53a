/**
 * Families without golden folders, and features that the golden folders do not have, against the slow float64 forward
 * pass: logits, and gradients as differences of its loss.
 */
import { describe, expect, it } from "vitest";
import type { AdapterSettings, AdapterSlot } from "../../protocol/adapter-spec.ts";
import { adapterSlots, parameterCount } from "../../protocol/adapter-spec.ts";
import { createPrng } from "../../protocol/prng.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { loadBaseModel } from "../model/huggingface.ts";
import type { Config, NamedTensor } from "../model/random-model.suite.ts";
import { CONFIGS, filesOf, randomTensors } from "../model/random-model.suite.ts";
import { referenceForward } from "../model/reference-forward.suite.ts";
import { encodeModel } from "../onnx/codec.ts";
import type { OnnxGraph } from "../onnx/value.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import type { Tensor } from "../tensor.ts";
import { float32, int64 } from "../tensor.ts";
import { trainedHead } from "./classification.ts";
import type { AdaptedModel } from "./training-step.ts";
import { logitsGraph, trainingStepGraph } from "./training-step.ts";

const runtime = createOnnxRuntime();
const LLAMA3 = { factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 32 };
const { llama, mistral, qwen3, gpt2, bert, roberta } = CONFIGS;

/** Two texts of different lengths, padded on the right. */
const TOKENS = 13;
const LENGTHS = [13, 9];
const IDS = LENGTHS.map((length, b) =>
  Array.from({ length: TOKENS }, (_, t) => (t < length ? 2 + ((7 * t + 11 * b + t * t) % 27) : 0)),
);

const ROWS: Readonly<Record<string, Config>> = {
  "llama as TinyLlama: untied, grouped heads": { ...llama, tie_word_embeddings: false, rope_scaling: null },
  "llama as SmolLM2: tied, odd heads": {
    ...llama,
    hidden_size: 24,
    num_attention_heads: 3,
    num_key_value_heads: 1,
    tie_word_embeddings: true,
    rope_theta: 100_000,
    torch_dtype: "bfloat16",
  },
  "llama with biases everywhere": { ...llama, attention_bias: true, mlp_bias: true },
  "llama with its own head size and no grouping": { ...llama, head_dim: 6, num_key_value_heads: 4 },
  "llama with gelu": { ...llama, hidden_act: "gelu" },
  "llama 3 positions, old spelling": { ...llama, rope_scaling: { rope_type: "llama3", ...LLAMA3 } },
  "linear positions, oldest spelling": { ...llama, rope_scaling: { type: "linear", factor: 4 } },
  "mistral with a window of 3": mistral,
  "mistral without a window": { ...mistral, sliding_window: null },
  qwen3,
  "qwen3 with biases, tied": { ...qwen3, attention_bias: true, tie_word_embeddings: true },
  "gpt2 with another inner size and relu": { ...gpt2, n_inner: 40, activation_function: "relu" },
  bert,
  "bert with the tanh gelu": { ...bert, hidden_act: "gelu_new" },
  roberta,
};

async function run(graph: OnnxGraph, feeds: Readonly<Record<string, Tensor>>, { model }: AdaptedModel) {
  const session = await runtime.load(encodeModel(graph), { threads: 1, externalData: model.externalData });
  try {
    return await session.run(feeds);
  } finally {
    await session.close();
  }
}

function adapted(config: Config, tensors: readonly NamedTensor[]): AdaptedModel {
  const model = loadBaseModel(filesOf(config, tensors));
  const parts = model.shape.linears.filter((site) => site.layer === 0).map((site) => site.path.split(".0.")[1]!);
  const adapter: AdapterSettings = {
    kind: "lora",
    rank: 2,
    alpha: 4,
    targets: [parts[0]!, parts.at(-1)!],
    layers: "all",
  };
  const own = adapterMethod(adapter).tensors(adapter, model.shape);
  return { model, adapter, slots: adapterSlots([...own, ...trainedHead(model)]) };
}

function textFeeds({ model }: AdaptedModel): Record<string, Tensor> {
  const mask = LENGTHS.flatMap((length) => Array.from({ length: TOKENS }, (_, t) => (t < length ? 1 : 0)));
  const shape = [LENGTHS.length, TOKENS];
  return { input_ids: int64(shape, IDS.flat()), ...(model.classifier ? { attention_mask: int64(shape, mask) } : {}) };
}

/** Logits of the texts' own tokens, one text after the other. */
async function logits(config: Config): Promise<{ ours: number[]; expected: number[] }> {
  const tensors = randomTensors(config);
  const stored = new Map(tensors.map(({ name, data }) => [name, data]));
  const what = adapted(config, tensors);
  const zero = new Float32Array(parameterCount(what.slots));
  for (const slot of what.slots) zero.set(stored.get(slot.name) ?? [], slot.offset);
  const shape = { examples: LENGTHS.length, tokens: TOKENS };
  const adapter = float32([zero.length], zero);
  const result = await run(logitsGraph(what, shape), { ...textFeeds(what), adapter }, what);
  const all = Array.from(result.logits!.data as Float32Array);
  const width = result.logits!.shape[1]!;
  const ours = LENGTHS.flatMap((length, b) =>
    what.model.classifier
      ? all.slice(b * width, (b + 1) * width)
      : all.slice(b * TOKENS * width, (b * TOKENS + length) * width),
  );
  const expected = LENGTHS.flatMap((length, b) => {
    const rows = referenceForward(config, (name) => stored.get(name)!, { ids: IDS[b]!, length });
    return rows.slice(0, length).flat();
  });
  return { ours, expected };
}

function difference(a: readonly number[], b: readonly number[]): number {
  expect(a.length).toBe(b.length);
  return Math.max(...a.map((x, i) => Math.abs(x - b[i]!))) / Math.max(...b.map(Math.abs));
}

describe("logits agree with the slow forward pass", () => {
  it.each(Object.keys(ROWS))("%s", async (name) => {
    const { ours, expected } = await logits(ROWS[name]!);
    expect(difference(ours, expected)).toBeLessThan(2e-5);
  });
});

describe("what a field says has an effect", () => {
  const pairs: readonly (readonly [string, Config, Config])[] = [
    ["sliding_window", mistral, { ...mistral, sliding_window: 4 }],
    ["sliding_window, 4096 where it is absent", { ...mistral, sliding_window: undefined }, mistral],
    ["rope_scaling llama3", llama, ROWS["llama 3 positions, old spelling"]!],
    ["rope_scaling linear", llama, ROWS["linear positions, oldest spelling"]!],
    ["rope_theta", llama, { ...llama, rope_theta: 500 }],
    ["hidden_act", llama, { ...llama, hidden_act: "gelu" }],
    ["rms_norm_eps", llama, { ...llama, rms_norm_eps: 0.1 }],
    ["layer_norm_eps", bert, { ...bert, layer_norm_eps: 0.1 }],
  ];
  it.each(pairs)("%s", async (_, one, other) => {
    const [a, b] = [await logits(one), await logits(other)];
    expect(difference(a.ours, b.ours)).toBeGreaterThan(1e-3);
  });

  it("and the new spelling says the same as the old one", async () => {
    const { rope_theta, ...rest } = llama;
    const spellings: readonly Config[] = [
      ROWS["llama 3 positions, old spelling"]!,
      { ...llama, rope_scaling: { type: "llama3", rope_type: "llama3", ...LLAMA3 } },
      { ...rest, dtype: "float32", rope_parameters: { rope_type: "llama3", rope_theta, ...LLAMA3 } },
      { ...llama, rope_parameters: { rope_type: "llama3", partial_rotary_factor: 1, ...LLAMA3 } },
    ];
    const [first, ...others] = await Promise.all(spellings.map((config) => logits(config)));
    for (const other of others) expect(other!.ours).toEqual(first!.ours);
  });
});

/** Mean cross entropy in float64, with the adapter's product in the weights. */
function slowLoss(
  config: Config,
  tensors: readonly NamedTensor[],
  slots: readonly AdapterSlot[],
  theta: Float64Array,
): number {
  const values = new Map(slots.map(({ name, offset, length }) => [name, theta.subarray(offset, offset + length)]));
  const merged = new Map<string, Float64Array>();
  for (const { name, data } of tensors) {
    const path = name.replace(/\.weight$/, "");
    const [a, b] = [values.get(`${path}.A`), values.get(`${path}.B`)];
    merged.set(name, a && b ? plusProduct({ data, a, b }) : (values.get(name) ?? Float64Array.from(data)));
  }
  const losses = LENGTHS.flatMap((length, b) => {
    const rows = referenceForward(config, (name) => merged.get(name)!, { ids: IDS[b]!, length });
    if (rows.length === 1) return [crossEntropy(rows[0]!, b + 1)];
    return rows.slice(2, length - 1).map((row, i) => crossEntropy(row, IDS[b]![i + 3]!));
  });
  return losses.reduce((total, loss) => total + loss, 0) / losses.length;
}

/** W + (alpha / r) B A with alpha / r = 2, r = 2. */
function plusProduct({ data, a, b }: { data: Float32Array; a: Float64Array; b: Float64Array }): Float64Array {
  const inputs = a.length / 2;
  expect(data.length).toBe((inputs * b.length) / 2);
  return Float64Array.from(data, (w, at) => {
    const [o, i] = [Math.floor(at / inputs), at % inputs];
    return w + 2 * (b[2 * o]! * a[i]! + b[2 * o + 1]! * a[inputs + i]!);
  });
}

const crossEntropy = (z: readonly number[], label: number): number =>
  Math.log(z.reduce((total, x) => total + Math.exp(x), 0)) - z[label]!;

function labelFeeds({ model }: AdaptedModel): Record<string, Tensor> {
  const labels = model.classifier
    ? LENGTHS.map((_, b) => ({ row: b * TOKENS, id: b + 1 }))
    : LENGTHS.flatMap((length, b) =>
        Array.from({ length: length - 3 }, (_, i) => ({ row: b * TOKENS + i + 2, id: IDS[b]![i + 3]! })),
      );
  const count = labels.length;
  const [rows, ids] = [labels.map(({ row }) => row), labels.map(({ id }) => id)];
  const weights = float32([count], new Float32Array(count).fill(1 / count));
  return { label_rows: int64([count], rows), label_ids: int64([count], ids), label_weights: weights };
}

describe("gradients agree with differences of the slow loss", () => {
  const names = [
    "mistral with a window of 3",
    "qwen3",
    "llama 3 positions, old spelling",
    "llama with gelu",
    "bert",
    "roberta",
  ];
  it.each(names)("%s", async (name) => {
    const config = ROWS[name]!;
    const tensors = randomTensors(config);
    const stored = new Map(tensors.map(({ name, data }) => [name, data]));
    const what = adapted(config, tensors);
    const prng = createPrng(8);
    const theta = Float32Array.from({ length: parameterCount(what.slots) }, () => 0.1 * prng.normal());
    for (const slot of what.slots) if (stored.has(slot.name)) theta.set(stored.get(slot.name)!, slot.offset);
    const labels = labelFeeds(what);
    const shape = { examples: LENGTHS.length, tokens: TOKENS, labels: labels.label_ids!.shape[0]! };
    const feeds = { ...textFeeds(what), ...labels, adapter: float32([theta.length], theta) };
    const result = await run(trainingStepGraph(what, shape), feeds, what);
    const gradient = result.gradient!.data as Float32Array;
    const slow = (direction: Float64Array, h: number): number =>
      slowLoss(
        config,
        tensors,
        what.slots,
        Float64Array.from(theta, (x, i) => x + h * direction[i]!),
      );
    const still = new Float64Array(theta.length);
    expect(Math.abs(Number(result.loss!.data[0]) - slow(still, 0))).toBeLessThan(1e-5);
    for (const { name, offset, length } of what.slots) {
      const own = gradient.subarray(offset, offset + length);
      const direction = still.slice();
      for (let i = offset; i < offset + length; i++) direction[i] = prng.normal();
      const expected = (slow(direction, 1e-5) - slow(direction, -1e-5)) / 2e-5;
      const actual = own.reduce((total, g, i) => total + g * direction[offset + i]!, 0);
      const scale = Math.hypot(...own);
      expect(scale, `the gradient of ${name} is not zero`).toBeGreaterThan(1e-5);
      expect(Math.abs(actual - expected) / scale, `gradient of ${name}`).toBeLessThan(1e-3);
    }
  });
});

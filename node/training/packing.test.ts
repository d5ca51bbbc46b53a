import { afterAll, describe, expect, it } from "vitest";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import { createPrng } from "../../protocol/prng.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { planBuckets } from "../data/bucket.ts";
import { createPackedBatches } from "../data/pack.ts";
import { openGolden } from "../golden/golden-models.suite.ts";
import type { Example } from "../interface/trainer.ts";
import type { BaseModel } from "../model/base-model.ts";
import { loadBaseModel } from "../model/huggingface.ts";
import { CONFIGS, filesOf, randomTensors } from "../model/random-model.suite.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { createStepGradient, type StepGradient } from "./step-gradient.ts";
import { createTrainer } from "./trainer.ts";

const BATCH = 6;
const opened: StepGradient[] = [];
afterAll(() => Promise.all(opened.map((gradient) => gradient.close())));

const lora = (targets: readonly string[]): AdapterSettings => ({
  kind: "lora",
  rank: 2,
  alpha: 4,
  targets,
  layers: "all",
});
const loreft = (layers: "all" | readonly number[]): AdapterSettings => ({
  kind: "loreft",
  rank: 2,
  layers,
  positions: { first: 2, last: 2, tied: false },
});
const CASES = [
  { family: "llama", name: "lora", adapter: lora(["q_proj", "v_proj"]) },
  { family: "llama", name: "loreft", adapter: loreft("all") },
  { family: "llama", name: "loreft above frozen blocks", adapter: loreft([1]) },
  { family: "mistral", name: "lora", adapter: lora(["k_proj", "down_proj"]) },
  { family: "gpt2", name: "lora", adapter: lora(["c_attn"]) },
  { family: "phi", name: "lora", adapter: lora(["q_proj", "fc2"]) },
  { family: "ministral3", name: "lora", adapter: lora(["q_proj"]) },
  { family: "opt", name: "loreft", adapter: loreft("all") },
] as const;

/** A small model of a family; of one without such a config the golden one. */
const modelOf = (family: (typeof CASES)[number]["family"]): BaseModel =>
  family in CONFIGS
    ? loadBaseModel(filesOf(CONFIGS[family as "llama"], randomTensors(CONFIGS[family as "llama"])))
    : openGolden(family).model;

/** Of many lengths, with few labels or many. */
function examplesOf(count: number, vocabulary: number): Example[] {
  const stream = createPrng(6);
  return Array.from({ length: count }, () => {
    const length = 4 + stream.below(27);
    return {
      tokens: Array.from({ length }, () => stream.below(vocabulary)),
      promptLength: 1 + stream.below(length - 1),
    };
  });
}

describe.each(CASES)("packing with $name on $family", ({ family, adapter }) => {
  it("changes neither losses nor gradients", async () => {
    const model = modelOf(family);
    const method = adapterMethod(adapter);
    const slots = adapterSlots(method.tensors(adapter, model.shape));
    const examples = examplesOf(18, model.shape.vocabulary);
    expect(createPackedBatches(examples, { batchSize: BATCH, seed: 3 }).shape.rows).toBeLessThan(BATCH);
    const open = async (packed: boolean) => {
      const gradient = await createStepGradient({
        runtime: createOnnxRuntime(),
        adapted: { model, adapter, slots, frozen: method.frozen(adapter, model.shape, 1) },
        sessionOptions: { externalData: model.externalData, threads: 1 },
        examples,
        buckets: planBuckets(examples, { batchSize: BATCH, bucketsMax: 1 }),
        ...(packed ? { packed: BATCH } : {}),
        feeding: { counts: method.positions(adapter), classifies: false },
        seed: 3,
        accumulate: 2,
        proximal: 0,
        activationBytesMax: 1 << 20,
        dropout: { sites: [], prng: createPrng(3) },
      });
      opened.push(gradient);
      return gradient;
    };
    const stream = createPrng(2);
    const size = slots.reduce((sum, slot) => sum + slot.length, 0);
    const theta = Float32Array.from({ length: size }, () => 0.3 * stream.normal());
    const [usual, packed] = [await open(false), await open(true)];
    const [a, b] = [new Float32Array(size), new Float32Array(size)];
    // The fourth step sees examples whose lower activations were kept.
    for (const step of [0, 1, 2, 3]) {
      const losses = [await usual.at(step, theta, undefined, a), await packed.at(step, theta, undefined, b)];
      expect(losses[1]).toBeCloseTo(losses[0]!, 5);
      const scale = Math.max(...a.map(Math.abs));
      expect(scale).toBeGreaterThan(1e-3);
      for (const [i, x] of a.entries()) expect(Math.abs(x - b[i]!), `step ${step}`).toBeLessThan(2e-5 * scale);
    }
  });
});

it("is refused with length buckets, and for classifiers", async () => {
  const open = (family: "llama" | "bert", lengthBuckets: number) => {
    const files = filesOf(CONFIGS[family], randomTensors(CONFIGS[family]));
    const example = { tokens: [1, 2, 3, 1], promptLength: 3 };
    return createTrainer(
      { runtime: createOnnxRuntime(), files },
      {
        modelDirectory: "m",
        adapter: family === "bert" ? lora(["query"]) : lora(["q_proj"]),
        training: {
          optimizer: "adamw",
          learningRate: 1e-3,
          weightDecay: 0,
          gradientClip: 1,
          batchSize: 2,
          maxTokens: 8,
        },
        networkSeed: 1,
        peerSeed: 1,
        engine: { threads: 1, lengthBuckets, pack: true },
        data: { train: [example], validation: [], test: [] },
      },
    );
  };
  await expect(open("llama", 2)).rejects.toThrow(/length buckets/);
  await expect(open("bert", 1)).rejects.toThrow(/classifier/);
});

import { afterAll, describe, expect, it } from "vitest";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import { createPrng } from "../../protocol/prng.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { planBuckets } from "../data/bucket.ts";
import type { Example } from "../interface/trainer.ts";
import { loadBaseModel } from "../model/huggingface.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { embeddedModelDirectory } from "../system/files/embedded-model.ts";
import { readModelFiles } from "../system/files/model-files.ts";
import { createStepGradient, type StepGradient } from "./step-gradient.ts";

const files = readModelFiles(embeddedModelDirectory());
const model = loadBaseModel(files);
const KINDS: Readonly<Record<string, AdapterSettings>> = {
  lora: { kind: "lora", rank: 2, alpha: 4, targets: ["q_proj", "v_proj"], layers: [2, 3] },
  loreft: { kind: "loreft", rank: 2, layers: [3], positions: { first: 2, last: 2, tied: false } },
};

/** Examples of many lengths with one to nine labels each, so that batches have different numbers of labels. */
function examplesOf(count: number, longest: number): Example[] {
  const stream = createPrng(9).fork("examples");
  return Array.from({ length: count }, () => {
    const length = 12 + stream.below(longest - 11);
    return {
      tokens: Array.from({ length }, () => stream.below(model.shape.vocabulary)),
      promptLength: length - 1 - stream.below(9),
    };
  });
}

const opened: StepGradient[] = [];
afterAll(() => Promise.all(opened.map((gradient) => gradient.close())));

async function open(
  adapter: AdapterSettings,
  options: {
    examples: readonly Example[];
    batchSize: number;
    accumulate: number;
    proximal?: number;
    fisher?: boolean;
    bucketsMax?: number;
  },
) {
  const { examples, batchSize, accumulate, proximal = 0, fisher = false, bucketsMax = 1 } = options;
  const method = adapterMethod(adapter);
  const slots = adapterSlots(method.tensors(adapter, model.shape));
  const gradient = await createStepGradient({
    runtime: createOnnxRuntime(),
    adapted: { model, adapter, slots, frozen: method.frozen(adapter, model.shape, 1) },
    sessionOptions: { externalData: model.externalData, threads: 1 },
    examples,
    buckets: planBuckets(examples, { batchSize, bucketsMax }),
    feeding: { counts: method.positions(adapter), classifies: false },
    seed: 3,
    accumulate,
    proximal,
    fisher,
    dropout: { sites: [], prng: createPrng(3) },
  });
  opened.push(gradient);
  return gradient;
}

/** A vector that is not the start, where half of LoRA's gradient is 0. */
function somewhere(adapter: AdapterSettings, seed: number): Float32Array {
  const stream = createPrng(seed);
  return adapterMethod(adapter)
    .start(adapter, model.shape, 1)
    .map((x) => x + 0.02 * stream.normal());
}

const norm = (x: ArrayLike<number>): number => Math.sqrt(Array.from(x).reduce((sum, v) => sum + v * v, 0));
const distance = (x: Float32Array, y: Float32Array): number => norm(x.map((v, i) => v - y[i]!));

describe.each(Object.entries(KINDS))("the gradient of a step with %s", (_, adapter) => {
  const theta = somewhere(adapter, 1);
  const zeros = (): Float32Array => new Float32Array(theta.length);

  it("accumulated over four batches is that of one batch four times as large, to float32 rounding", async () => {
    const examples = examplesOf(8, 40);
    const whole = await open(adapter, { examples, batchSize: 8, accumulate: 1 });
    const parts = await open(adapter, { examples, batchSize: 2, accumulate: 4 });
    const [a, b] = [zeros(), zeros()];
    // Two steps: the second one's examples come in another order.
    for (const step of [0, 1]) {
      const loss = await whole.at(step, theta, undefined, a);
      expect(Math.abs((await parts.at(step, theta, undefined, b)) - loss)).toBeLessThan(2e-6 * loss);
      expect(distance(a, b)).toBeLessThan(2e-6 * norm(a));
      expect(norm(a)).toBeGreaterThan(0.01);
    }
  });

  it("is the same in length buckets as in batches that are all as wide as the longest", async () => {
    // All of one pass in one step, so that both see the same examples.
    const examples = [...examplesOf(8, 40), ...examplesOf(8, 120)];
    const count = planBuckets(examples, { batchSize: 2 }).length;
    expect(count).toBeGreaterThan(1);
    const wide = await open(adapter, { examples, batchSize: 2, accumulate: 8 });
    const bucketed = await open(adapter, { examples, batchSize: 2, accumulate: 8, bucketsMax: 4 });
    const [a, b] = [zeros(), zeros()];
    // The buckets' numbers of examples are even, so that a pass is 8 batches of each way.
    for (const { members } of planBuckets(examples, { batchSize: 2 })) expect(members.length % 2).toBe(0);
    const loss = await wide.at(0, theta, undefined, a);
    expect(Math.abs((await bucketed.at(0, theta, undefined, b)) - loss)).toBeLessThan(2e-6 * loss);
    expect(distance(a, b)).toBeLessThan(1e-5 * norm(a));
  });

  it("has l2 (theta - m) added by a proximal term, once per step, which the loss does not show", async () => {
    const examples = examplesOf(6, 40);
    const m = somewhere(adapter, 2);
    const l2 = 0.7;
    const free = await open(adapter, { examples, batchSize: 2, accumulate: 3 });
    const held = await open(adapter, { examples, batchSize: 2, accumulate: 3, proximal: l2 });
    const [a, b] = [zeros(), zeros()];
    const loss = await free.at(0, theta, undefined, a);
    expect(await held.at(0, theta, m, b)).toBe(loss);
    const expected = a.map((g, i) => g + l2 * (theta[i]! - m[i]!));
    expect(distance(b, expected)).toBeLessThan(1e-6 * norm(expected));
    expect(distance(a, expected)).toBeGreaterThan(0.1 * norm(a));
    // Weighted value by value: l2 f (theta - m).
    const weighted = await open(adapter, { examples, batchSize: 2, accumulate: 3, proximal: l2, fisher: true });
    const f = theta.map((_, i) => 1 + Math.sin(i));
    expect(await weighted.at(0, theta, m, b, f)).toBe(loss);
    const pulled = a.map((g, i) => g + l2 * f[i]! * (theta[i]! - m[i]!));
    expect(distance(b, pulled)).toBeLessThan(1e-6 * norm(pulled));
    expect(distance(expected, pulled)).toBeGreaterThan(0.01 * norm(a));
    // Without a reference, or at it, there is no such term.
    for (const reference of [undefined, theta]) {
      await held.at(0, theta, reference, b);
      expect(distance(a, b)).toBeLessThan(1e-6 * norm(a));
    }
  });
});

/** Optimiser, schedule, accumulation, buckets and the proximal term as a trainer puts them together. */
import { afterAll, describe, expect, it } from "vitest";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { createPrng } from "../../protocol/prng.ts";
import type { Example, ExampleSets, Trainer, TrainerOptions, TrainingSettings } from "../interface/trainer.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { embeddedModelDirectory } from "../system/files/embedded-model.ts";
import { readModelFiles } from "../system/files/model-files.ts";
import { createTrainer } from "./trainer.ts";

const files = readModelFiles(embeddedModelDirectory());
const runtime = createOnnxRuntime();
const LORA: AdapterSettings = { kind: "lora", rank: 2, alpha: 4, targets: ["q_proj"], layers: [3], dropout: 0.2 };

function examplesOf(name: string, count: number): Example[] {
  const stream = createPrng(6).fork(name);
  return Array.from({ length: count }, (_, i) => {
    const length = i % 3 === 0 ? 90 + stream.below(20) : 10 + stream.below(10);
    return { tokens: Array.from({ length }, () => stream.below(700)), promptLength: length - 1 - stream.below(5) };
  });
}
const data: ExampleSets = {
  train: examplesOf("train", 18),
  validation: examplesOf("validation", 6),
  test: examplesOf("test", 3),
};

const opened: Trainer[] = [];
afterAll(() => Promise.all(opened.map((trainer) => trainer.close())));

async function open(training: Partial<TrainingSettings>, more: Partial<TrainerOptions> = {}): Promise<Trainer> {
  const options: TrainerOptions = {
    modelDirectory: files.directory,
    adapter: LORA,
    training: {
      optimizer: "adamw",
      learningRate: 5e-3,
      weightDecay: 0,
      gradientClip: 1e6,
      batchSize: 2,
      maxTokens: 128,
      ...training,
    },
    networkSeed: 1,
    peerSeed: 2,
    data,
    engine: { threads: 1 },
    ...more,
  };
  const trainer = await createTrainer({ runtime, files }, options);
  opened.push(trainer);
  return trainer;
}

const SHARED = { totalSteps: 8, engine: { threads: 1, lengthBuckets: 2 }, fisherDecay: 0.9 };
const EVERYTHING: Partial<TrainingSettings> = {
  optimizer: "sgd",
  momentum: 0.9,
  learningRate: 0.05,
  schedule: { kind: "cosine", warmupSteps: 2 },
  accumulate: 2,
  proximal: 0.1,
};

describe("the same seed on the same machine", () => {
  it("gives the same bits: two fresh trainers with every setting in use, one of them interrupted", async () => {
    const reference = (await (await open({})).adapter()).map((x, i) => x + 0.01 * Math.sin(i));
    const straight = await open(EVERYTHING, SHARED);
    await straight.setReference(reference);
    const { losses } = await straight.train({ steps: 6 });

    const before = await open(EVERYTHING, SHARED);
    await before.setReference(reference);
    const first = await before.train({ steps: 2 });
    const after = await open(EVERYTHING, SHARED);
    await after.restore(await before.state());
    await after.setReference(reference);
    const second = await after.train({ steps: 4 });

    expect([...first.losses, ...second.losses]).toEqual(losses);
    expect(await after.state()).toEqual(await straight.state());
    const other = await open(EVERYTHING, { ...SHARED, peerSeed: 3 });
    expect((await other.train({ steps: 1 })).losses).not.toEqual(losses.slice(0, 1));
  });
});

describe("gradient descent", () => {
  it("moves by the learning rate of the step times the gradient: half of it halfway down a linear schedule", async () => {
    const rates = [0.02, 0.01, 0];
    const scheduled = await open(
      { optimizer: "sgd", learningRate: 0.02, schedule: { kind: "linear", warmupSteps: 0 } },
      { totalSteps: 2 },
    );
    const plain = await open({ optimizer: "sgd", learningRate: 1 });
    for (const [step, learningRate] of rates.entries()) {
      const state = await scheduled.state();
      expect(state.step).toBe(step);
      // The same step with a learning rate of 1 tells the gradient.
      await plain.restore(state);
      await plain.train({ steps: 1 });
      const gradient = (await plain.adapter()).map((x, i) => state.adapter[i]! - x);
      await scheduled.train({ steps: 1 });
      const moved = await scheduled.adapter();
      for (const [i, x] of moved.entries()) {
        expect(Math.abs(x - (state.adapter[i]! - learningRate * gradient[i]!))).toBeLessThan(1e-7);
      }
      if (step === 2) expect(moved).toEqual(state.adapter);
      else expect(moved).not.toEqual(state.adapter);
    }
  });
});

describe("a trainer", () => {
  it("evaluates in length buckets as in batches that are all as wide as the longest", async () => {
    // Where memory is short, evaluation keeps to one length.
    const [bucketed, wide] = [await open({}), await open({}, { engine: { threads: 1, lowMemory: true } })];
    for (const set of ["train", "validation"] as const) {
      const [a, b] = [await bucketed.evaluate({ set }), await wide.evaluate({ set })];
      expect(Math.abs(a.loss - b.loss)).toBeLessThan(1e-6 * b.loss);
      expect({ ...a, loss: 0 }).toEqual({ ...b, loss: 0 });
    }
  });

  it("gathers squared gradients of the examples alone, and holds each value by its share of them", async () => {
    const settings = { optimizer: "sgd", learningRate: 0.1, gradientClip: 1e6 } as const;
    const held = await open({ ...settings, proximal: 5 }, { fisherDecay: 0.5 });
    const start = await held.adapter();
    const reference = start.map((x) => x + 0.01);
    await held.setReference(reference);
    expect(new Set(await held.fisher())).toEqual(new Set([1]));
    await held.train({ steps: 1 });
    // The gradient of the same step without the pull.
    const free = await open({ ...settings, learningRate: 1 });
    await free.train({ steps: 1 });
    const gradient = (await free.adapter()).map((x, i) => start[i]! - x);
    const squares = Array.from(gradient, (g) => g * g);
    const mean = squares.reduce((a, b) => a + b, 0) / squares.length;
    const weights = (await held.fisher())!;
    for (const [i, w] of weights.entries()) {
      expect(Math.abs(w - Math.min(100, squares[i]! / mean))).toBeLessThan(2e-2 * (1 + w));
    }
    // Both go one more step from the same place; they differ by the weighted pull.
    const state = await held.state();
    await held.train({ steps: 1 });
    const { fisher: _, ...bare } = state;
    const plain = await open(settings);
    await plain.restore(bare);
    await plain.train({ steps: 1 });
    const [moved, unheld] = [await held.adapter(), await plain.adapter()];
    const pull = (i: number): number => 0.1 * 5 * weights[i]! * (state.adapter[i]! - reference[i]!);
    const errors = Array.from(moved, (x, i) => Math.abs(x - (unheld[i]! - pull(i))));
    expect(Math.max(...errors)).toBeLessThan(1e-5);
    expect(Math.max(...Array.from(moved, (_, i) => Math.abs(pull(i))))).toBeGreaterThan(1e-3);
    await held.reset();
    expect(new Set(await held.fisher())).toEqual(new Set([1]));
  });

  it("is held to a reference, and free again after a reset", async () => {
    const free = await open({ optimizer: "sgd", learningRate: 0.1 });
    const held = await open({ optimizer: "sgd", learningRate: 0.1, proximal: 5 });
    const start = await held.adapter();
    const reference = start.map(() => 0.5);
    await held.setReference(reference);
    await held.train({ steps: 1 });
    await free.train({ steps: 1 });
    const [moved, unheld] = [await held.adapter(), await free.adapter()];
    for (const [i, x] of moved.entries()) {
      expect(Math.abs(x - (unheld[i]! - 0.1 * 5 * (start[i]! - 0.5)))).toBeLessThan(1e-6);
    }
    await held.reset();
    await held.train({ steps: 1 });
    expect(await held.adapter()).toEqual(unheld);
  });

  it("refuses a falling learning rate without an end, and a reference of another length", async () => {
    const falling = open({ schedule: { kind: "linear", warmupSteps: 0 } });
    await expect(falling).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    const trainer = await open({ schedule: { kind: "constant", warmupSteps: 3 }, proximal: 1 });
    await expect(trainer.setReference(new Float32Array(3))).rejects.toMatchObject({ code: "ADAPTER_SHAPE" });
  });
});

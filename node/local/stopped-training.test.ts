import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TrainingSpec } from "../../protocol/network-manifest.ts";
import { MANIFEST_DEFAULTS } from "../../protocol/network-manifest.ts";
import { createPrng } from "../../protocol/prng.ts";
import type { SavedAdapter } from "../interchange/saved-adapter.ts";
import type { Evaluation, Example, ExampleSets } from "../interface/trainer.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { writeFolder } from "../system/files/adapter-files.ts";
import { readModelFiles } from "../system/files/model-files.ts";
import { createTrainer } from "../training/trainer.ts";
import { BestKeeper } from "./best-step.ts";
import {
  changedSettings,
  checkSameTraining,
  type StoppedTraining,
  stoppedTraining,
  stoppedTrainingFiles,
  TRAINING_STATE,
} from "./stopped-training.ts";
import { takeSteps } from "./take-steps.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "weft-stopped-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const TRAINING: TrainingSpec = {
  ...MANIFEST_DEFAULTS.training,
  batchSize: 2,
  learningRate: 0.05,
  schedule: { kind: "cosine", warmupSteps: 3 },
};
const LORA = { kind: "lora", rank: 2, alpha: 4, targets: ["q_proj"], layers: "all", dropout: 0.1 } as const;
const SIGNAL = new AbortController().signal;

const prng = createPrng(5);
const examples = (count: number): Example[] =>
  Array.from({ length: count }, () => ({
    tokens: Array.from({ length: 6 }, () => prng.below(200)),
    promptLength: 3,
  }));
const DATA: ExampleSets = { train: examples(7), validation: examples(2), test: examples(2) };

/** A trainer of the same settings each time. */
const trainer = () =>
  createTrainer(
    { runtime: createOnnxRuntime(), files: readModelFiles(join(import.meta.dirname, "../model/cases/base-llama")) },
    {
      modelDirectory: "",
      adapter: LORA,
      training: TRAINING,
      networkSeed: 1,
      peerSeed: 1,
      data: DATA,
      engine: { threads: 1 },
      totalSteps: 10,
    },
  );

const stop = (change: Partial<StoppedTraining> = {}): StoppedTraining => ({
  training: TRAINING,
  seed: 0,
  order: {},
  plannedSteps: 10,
  examples: "e",
  state: { adapter: new Float32Array(4), firstMoment: new Float32Array(4), secondMoment: new Float32Array(4), step: 5 },
  ...change,
});
const adapterOf = (values: Float32Array): SavedAdapter => ({
  settings: LORA,
  seed: 1,
  model: { family: "llama", digest: { weights: "", config: "", tokenizer: "" } },
  tensors: [{ name: "t", shape: [values.length] }],
  values,
});

describe("where a training stopped", () => {
  it("10 steps in one go are 5 and, by way of the file, 5 more, bit for bit", async () => {
    const whole = await trainer();
    await whole.train({ steps: 10 });
    const first = await trainer();
    await first.train({ steps: 5 });
    const state = await first.state();
    const adapter = adapterOf(state.adapter);
    await writeFolder(folder, stoppedTrainingFiles(stop({ state }), adapter));
    const read = await stoppedTraining(folder, adapter);
    expect(read).toEqual(stop({ state }));
    const second = await trainer();
    await second.restore(read!.state);
    await second.train({ steps: 5 });
    const [a, b] = [await second.state(), await whole.state()];
    expect(a).toEqual(b);
    for (const one of [whole, first, second]) await one.close();
  });

  it("is unknown of a folder without the file, and refused of another adapter or damaged", async () => {
    const values = new Float32Array(4);
    expect(await stoppedTraining(join(folder, "none"), adapterOf(values))).toBeUndefined();
    await writeFolder(folder, stoppedTrainingFiles(stop(), adapterOf(values)));
    const other = adapterOf(Float32Array.of(0, 0, 0, 1));
    await expect(stoppedTraining(folder, other)).rejects.toThrow("is of another adapter than the one beside it");
    const path = join(folder, TRAINING_STATE);
    const bytes = readFileSync(path);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(path, bytes);
    await expect(stoppedTraining(folder, adapterOf(values))).rejects.toThrow("cannot be read");
  });

  it.each<[string, Partial<TrainingSpec>, StoppedTraining["order"]]>([
    ["optimizer was adamw where the training stopped, and is sgd now", { optimizer: "sgd" }, {}],
    ["batchSize was 2", { batchSize: 4 }, {}],
    ["accumulate was 1 where the training stopped, and is 2 now", { accumulate: 2 }, {}],
    ["maxTokens was 128", { maxTokens: 64 }, {}],
    ["lengthBuckets was 1", {}, { lengthBuckets: 2 }],
    ["pack was false", {}, { pack: true }],
  ])("goes on with the same order and moments only: %s", (text, change, order) => {
    const now = { training: { ...TRAINING, ...change }, order };
    expect(() => changedSettings(stop(), now)).toThrow(text);
  });

  it("says which numbers are others from here on, and refuses other examples", () => {
    const { schedule: _, ...constant } = TRAINING;
    const now = { training: { ...constant, learningRate: 0.1 }, order: { lengthBuckets: 1 } };
    expect(changedSettings(stop(), now)).toEqual(["learningRate", "schedule"]);
    expect(changedSettings(stop(), stop())).toEqual([]);
    checkSameTraining(stop(), "e");
    expect(() => checkSameTraining(stop(), "f")).toThrow("not those that the adapter was trained on");
  });
});

describe("the best step", () => {
  /** A training whose validation loss after step t is the t-th of these, and whose values are t. */
  const run = async (losses: readonly number[], keeper: BestKeeper, { steps = 100, start = 0 } = {}) => {
    let step = start;
    const seen: number[] = [];
    const fake = {
      train: async ({ steps: count, onStep }: { readonly steps: number; readonly onStep?: (loss: number) => void }) => {
        for (let i = 0; i < count; i++) onStep?.(++step);
        return { losses: Array.from({ length: count }, () => 1), stepsSkipped: 0, seconds: 0 };
      },
      evaluate: async () => ({ loss: losses[step - 1] ?? Number.NaN }) as Evaluation,
      state: async () => ({ ...stop().state, adapter: Float32Array.of(step), step }),
    };
    const taken = await takeSteps(fake, keeper, { steps, start, signal: SIGNAL, onValidated: (at) => seen.push(at) });
    return { taken: taken.steps, seen, best: keeper.best, values: keeper.values?.[0] };
  };

  it("is that of the least loss, the first of equals; training stops after so many that were no better", async () => {
    const keeper = new BestKeeper({ everySteps: 1, patience: 3 });
    expect(await run([5, 4, 4, 3, 3, 9, Number.NaN, 1], keeper)).toEqual({
      taken: 7,
      seen: [1, 2, 3, 4, 5, 6, 7],
      best: { step: 4, loss: 3, waited: 3 },
      values: 4,
    });
  });

  it("is looked for every so many steps and after the last one, without patience to the end", async () => {
    const losses = [9, 9, 9, 9, 9, 2, 9, 9, 9, 1];
    const { seen, best } = await run(losses, new BestKeeper({ everySteps: 6 }), { steps: 10 });
    expect([seen, best?.step]).toEqual([[6, 10], 10]);
  });

  it("of an earlier part counts, and who goes on after training was given up waits as long again", async () => {
    const before = { best: { step: 2, loss: 2, waited: 1 }, values: Float32Array.of(2) };
    const on = await run([9, 9, 3, 1, 9, 9], new BestKeeper({ everySteps: 1, patience: 3 }, before), { start: 2 });
    expect(on).toMatchObject({ taken: 4 + 1, best: { step: 4, loss: 1 }, values: 4 });
    const given = { best: { step: 2, loss: 2, waited: 2 }, values: Float32Array.of(2) };
    const again = await run([9, 9, 9, 9, 9], new BestKeeper({ everySteps: 1, patience: 2 }, given), { start: 3 });
    expect(again).toMatchObject({ taken: 2, best: { step: 2 }, values: 2 });
  });
});

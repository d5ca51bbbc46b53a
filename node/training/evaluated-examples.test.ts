import { describe, expect, it } from "vitest";
import type { Runtime } from "../interface/runtime.ts";
import type { Evaluation, TrainerOptions } from "../interface/trainer.ts";
import { loadExamples } from "../local/data-source.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { embeddedModelDirectory } from "../system/files/embedded-model.ts";
import { readModelFiles } from "../system/files/model-files.ts";
import { EvaluatedAdapters } from "./evaluated-examples.ts";
import { createTrainer } from "./trainer.ts";

const files = readModelFiles(embeddedModelDirectory());
const { sets } = await loadExamples({ modelDirectory: files.directory, maxTokens: 64, batchSize: 4, seed: 4 });
const options: TrainerOptions = {
  modelDirectory: files.directory,
  adapter: { kind: "lora", rank: 2, alpha: 4, layers: [1], targets: ["q_proj"] },
  training: { optimizer: "adamw", learningRate: 5e-2, weightDecay: 0, gradientClip: 1, batchSize: 4, maxTokens: 64 },
  ...{ networkSeed: 1, peerSeed: 2, engine: { threads: 1 } },
  data: { train: sets.train.slice(0, 4), validation: sets.validation.slice(0, 40), test: sets.test.slice(0, 16) },
  activationBytesMax: 0,
};

/** A trainer, and how many batches its runtime was given. */
async function counted() {
  const plain = createOnnxRuntime();
  let runs = 0;
  const load: Runtime["load"] = async (...call) => {
    const session = await plain.load(...call);
    return {
      ...session,
      run: (...feeds) => {
        runs += 1;
        return session.run(...feeds);
      },
    };
  };
  const trainer = await createTrainer({ runtime: { ...plain, load }, files }, options);
  return { trainer, runs: () => runs };
}

const same = ({ tasks: _, ...one }: Evaluation) => one;

describe("evaluations of an adapter that was evaluated before", () => {
  it("compute the examples that are new, and say the same", async () => {
    const [kept, fresh] = [await counted(), await counted()];
    const ask = { set: "validation", perExample: true } as const;
    await kept.trainer.evaluate({ ...ask, examplesMax: 32 });
    expect(kept.runs()).toBe(2);
    const whole = await kept.trainer.evaluate(ask);
    expect(kept.runs()).toBe(3);
    expect(same(whole)).toEqual(same(await fresh.trainer.evaluate(ask)));
    expect(same(await kept.trainer.evaluate({ ...ask, examplesMax: 7 }))).toEqual(
      same(await (await counted()).trainer.evaluate({ ...ask, examplesMax: 7 })),
    );
    const again = { ...ask, adapter: await kept.trainer.adapter() };
    expect(same(await kept.trainer.evaluate(again))).toEqual(same(whole));
    expect(kept.runs()).toBe(3);
  });

  it("know the adapter by its values: one step more is another", async () => {
    const { trainer, runs } = await counted();
    const before = await trainer.evaluate({ set: "validation", examplesMax: 16 });
    await trainer.train({ steps: 1 });
    const trained = runs();
    const after = await trainer.evaluate({ set: "validation", examplesMax: 16 });
    expect(runs()).toBe(trained + 1);
    expect(after.loss).not.toBe(before.loss);
  });

  it("compute the test set each time", async () => {
    const { trainer, runs } = await counted();
    for (const count of [1, 2]) {
      await trainer.evaluate({ set: "test" });
      expect(runs()).toBe(count);
    }
  });
});

describe("what is kept of evaluated adapters", () => {
  const result = { losses: Float32Array.of(1, 2), predicted: Int32Array.of(3, 4) };

  it("is within a bound, and what was used longest ago goes first", () => {
    const adapters = new EvaluatedAdapters(3 * 16);
    for (const x of [1, 2, 3]) adapters.under(Float32Array.of(x)).put(0, result);
    expect(adapters.under(Float32Array.of(1)).get(0)).toEqual(result);
    adapters.under(Float32Array.of(4)).put(0, result);
    const known = [1, 2, 3, 4].map((x) => adapters.under(Float32Array.of(x)).get(0) !== undefined);
    expect(known).toEqual([true, false, true, true]);
  });

  it("is of 24 adapters at most", () => {
    const adapters = new EvaluatedAdapters();
    for (let x = 0; x < 25; x++) adapters.under(Float32Array.of(x)).put(0, result);
    expect(adapters.under(Float32Array.of(24)).get(0)).toEqual(result);
    expect(adapters.under(Float32Array.of(0)).get(0)).toBeUndefined();
  });

  it("is nothing of an adapter that alone is too large, which harms nobody", () => {
    const one = new EvaluatedAdapters(20).under(Float32Array.of(1));
    one.put(0, result);
    one.put(1, result);
    one.put(2, result);
    expect(one.get(3)).toBeUndefined();
  });
});

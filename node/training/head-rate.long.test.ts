import { afterAll, describe, expect, it } from "vitest";
import type { Example } from "../interface/trainer.ts";
import { networkTensors } from "../manifest/network-tensors.ts";
import { loadBaseModel } from "../model/huggingface.ts";
import { CONFIGS, filesOf, randomTensors } from "../model/random-model.suite.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { trainedTensors } from "./trained-tensors.ts";
import { createTrainer } from "./trainer.ts";

const files = filesOf(CONFIGS.roberta, randomTensors(CONFIGS.roberta));
const LORA = { kind: "lora", rank: 2, alpha: 4, targets: ["query", "value"], layers: "all" } as const;
const model = loadBaseModel(files);
const { headFrom, start } = trainedTensors(model, { adapter: LORA, networkSeed: 5 });
const EXAMPLES: readonly Example[] = [0, 1, 2].map((label) => ({
  tokens: [2, 10 + label, 13 + label, 3, label],
  promptLength: 4,
}));
const opened: { close(): Promise<void> }[] = [];
afterAll(() => Promise.all(opened.map((trainer) => trainer.close())));

/** theta after so many steps, the rate falling to 0 over three. */
async function trained(steps: number, training: { optimizer: "sgd" | "adamw"; headLearningRate?: number }) {
  const trainer = await createTrainer(
    { runtime: createOnnxRuntime(), files },
    {
      modelDirectory: "m",
      adapter: LORA,
      training: {
        ...{ learningRate: 0.05, weightDecay: 0.1, gradientClip: 1000, batchSize: 3, maxTokens: 8 },
        schedule: { kind: "linear", warmupSteps: 0 },
        ...training,
      },
      networkSeed: 5,
      peerSeed: 6,
      data: { train: EXAMPLES, validation: EXAMPLES, test: EXAMPLES },
      engine: { threads: 1 },
      totalSteps: 3,
    },
  );
  opened.push(trainer);
  await trainer.train({ steps });
  return (await trainer.state()).adapter;
}

describe.each(["sgd", "adamw"] as const)("a head with a rate of its own, by %s", (optimizer) => {
  it("goes as much further in a step, and the adapter as far as ever", async () => {
    const [from, plain, quick] = [
      start(),
      await trained(1, { optimizer }),
      await trained(1, { optimizer, headLearningRate: 0.2 }),
    ];
    expect(headFrom).toBeLessThan(from.length);
    expect(quick.subarray(0, headFrom)).toEqual(plain.subarray(0, headFrom));
    const moved = Array.from(plain.subarray(headFrom), (x, i) => 4 * (x - from[headFrom + i]!));
    expect(Math.max(...moved.map(Math.abs))).toBeGreaterThan(1e-3);
    for (const [i, by] of moved.entries()) expect(quick[headFrom + i]! - from[headFrom + i]!).toBeCloseTo(by, 5);
  });

  it("goes through the schedule: the fourth of three steps moves nothing", async () => {
    const options = { optimizer, headLearningRate: 0.2 };
    expect(await trained(4, options)).toEqual(await trained(3, options));
  });

  it("of the adapter's own rate changes not a bit", async () => {
    expect(await trained(2, { optimizer, headLearningRate: 0.05 })).toEqual(await trained(2, { optimizer }));
  });
});

it("is refused where there is no head to train", () => {
  const training = { headLearningRate: 0.1 };
  expect(networkTensors(model, { adapter: LORA, training })).not.toEqual([]);
  expect(() => networkTensors(model, { adapter: LORA, head: "frozen", training })).toThrow(
    /this head is frozen; leave it out/,
  );
  const decoder = loadBaseModel(filesOf(CONFIGS.llama, randomTensors(CONFIGS.llama)));
  const adapter = { ...LORA, targets: ["q_proj"] };
  expect(() => networkTensors(decoder, { adapter, training })).toThrow(/\(llama\) is none; leave it out/);
});

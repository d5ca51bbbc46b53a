import { afterAll, describe, expect, it } from "vitest";
import type { TrainerOptions } from "../../interface/trainer.ts";
import { loadExamples } from "../../local/data-source.ts";
import { embeddedModelDirectory } from "../files/embedded-model.ts";
import { startTrainerThread } from "./trainer-thread.ts";

const modelDirectory = embeddedModelDirectory();
const { sets } = await loadExamples({ modelDirectory, maxTokens: 64, batchSize: 2, seed: 1 });
const options = (rank: number): TrainerOptions => ({
  ...{ modelDirectory, networkSeed: 1, peerSeed: 1, engine: { threads: 1 } },
  adapter: { kind: "lora", rank, alpha: 4, layers: [3], targets: ["q_proj"] },
  training: { optimizer: "adamw", learningRate: 1e-2, weightDecay: 0, gradientClip: 1, batchSize: 2, maxTokens: 64 },
  data: { train: sets.train.slice(0, 2), validation: sets.validation.slice(0, 2), test: sets.test.slice(0, 2) },
});

let made = 0;
const count = (): void => {
  made += 1;
};
process.on("worker", count);
afterAll(() => void process.off("worker", count));

async function train(rank: number): Promise<number> {
  const trainer = await startTrainerThread(options(rank));
  try {
    await trainer.train({ steps: 1 });
    return (await trainer.adapter()).length;
  } finally {
    await trainer.close();
  }
}

describe("a training thread", () => {
  it("waits for the next training, which is another one", async () => {
    const [first, second] = [await train(1), await train(2)];
    expect(second).toBe(2 * first);
    const before = made;
    await train(1);
    expect(made).toBe(before);
  });

  it("waits after a training that was refused as well", async () => {
    await train(1);
    const before = made;
    const refused = startTrainerThread({ ...options(1), engine: { device: "cuda" } });
    await expect(refused).rejects.toMatchObject({ code: "DEVICE_UNAVAILABLE" });
    await train(1);
    expect(made).toBe(before);
  });

  it("answers nobody who has left it", async () => {
    const left = await startTrainerThread(options(1));
    await left.close();
    await expect(left.adapter()).rejects.toThrow("the training is closed");
    await left.close();
  });

  it("is another one while the first is taken, and where the environment is another", async () => {
    const taken = await startTrainerThread(options(1));
    const before = made;
    await train(1);
    expect(made).toBe(before + 1);
    await taken.close();
    process.env.WEFT_TEST_OF_THREADS = "1";
    try {
      await train(1);
    } finally {
      delete process.env.WEFT_TEST_OF_THREADS;
    }
    expect(made).toBe(before + 2);
  });
});

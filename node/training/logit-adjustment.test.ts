import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { adapterMethod } from "../adapter/methods.ts";
import { fillBatch } from "../data/batch.ts";
import type { Example, TrainerOptions } from "../interface/trainer.ts";
import { loadBaseModel } from "../model/huggingface.ts";
import { CONFIGS, filesOf, randomTensors } from "../model/random-model.suite.ts";
import { encodeModel } from "../onnx/codec.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { float32 } from "../tensor.ts";
import { modelFeeds } from "./feeds.ts";
import { logShares, SHARE_MIN } from "./logit-adjustment.ts";
import { trainedTensors } from "./trained-tensors.ts";
import { createTrainer } from "./trainer.ts";
import { logitsGraph } from "./training-step.ts";

const files = filesOf(CONFIGS.roberta, randomTensors(CONFIGS.roberta));
const LORA = { kind: "lora", rank: 2, alpha: 4, targets: ["query", "value"], layers: "all" } as const;
const runtime = createOnnxRuntime();

/** Texts of three classes; the class is said by the second token. */
const example = (i: number, label: number): Example => ({
  tokens: [2, 10 + label, 13 + (i % 16), 3, label],
  promptLength: 4,
});
const ofClasses = (...labels: number[]): Example[] => labels.map((label, i) => example(i, label));
const SKEWED = ofClasses(0, 0, 0, 0, 0, 1);
const TEST = ofClasses(0, 1, 2, 0, 1, 2);

const opened: { close(): Promise<void> }[] = [];
afterAll(() => Promise.all(opened.map((trainer) => trainer.close())));

async function open(options: Partial<TrainerOptions>, logitAdjustment?: number) {
  const trainer = await createTrainer(
    { runtime, files },
    {
      modelDirectory: "m",
      adapter: LORA,
      training: {
        optimizer: "sgd",
        learningRate: 0.5,
        weightDecay: 0,
        gradientClip: 1000,
        batchSize: 6,
        maxTokens: 8,
        ...(logitAdjustment !== undefined && { logitAdjustment }),
      },
      networkSeed: 5,
      peerSeed: 6,
      data: { train: SKEWED, validation: TEST, test: TEST },
      engine: { threads: 1 },
      ...options,
    },
  );
  opened.push(trainer);
  return trainer;
}

/** z of each example at the common start, by the graph of the plain model: float64[examples][classes]. */
async function plainLogits(examples: readonly Example[]): Promise<number[][]> {
  const model = loadBaseModel(files);
  const { adapted, start } = trainedTensors(model, { adapter: LORA, head: "shared", networkSeed: 5 });
  const shape = { examples: examples.length, tokens: 8 };
  const session = await runtime.load(encodeModel(logitsGraph(adapted, shape)), { externalData: model.externalData });
  const batch = fillBatch(examples, {
    shape: { batchSize: examples.length, tokens: 8, labels: examples.length },
    padId: 1,
  });
  const counts = adapterMethod(LORA).positions(LORA);
  const { label_rows: _, label_ids: __, ...feeds } = modelFeeds(batch, { counts, classifies: model.classifier!.reads });
  const theta = start();
  const { logits } = await session.run({ ...feeds, adapter: float32([theta.length], theta) });
  await session.close();
  const flat = Array.from(logits!.data as Float32Array);
  return examples.map((_example, i) => flat.slice(3 * i, 3 * i + 3));
}

/** Softmax of z + tau log q in float64, with q counted anew. */
function adjustedSoftmax(z: readonly number[], tau: number): number[] {
  const counts = [0, 1, 2].map((label) => SKEWED.filter(({ tokens }) => tokens.at(-1) === label).length);
  const q = counts.map((count) => (count / SKEWED.length + 1e-3) / (1 + 3e-3));
  const weights = z.map((logit, c) => Math.exp(logit + tau * Math.log(q[c]!)));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / sum);
}

describe("logit adjustment", () => {
  it.each([0.5, 1, 2])(
    "with tau %d: loss and predictions are those of z + tau log q, worked out from plain logits",
    async (tau) => {
      const trainer = await open({ head: "shared" }, tau);
      const probabilities = (await plainLogits(TEST)).map((z) => adjustedSoftmax(z, tau));
      const expected = probabilities.map((p, i) => -Math.log(p[TEST[i]!.tokens.at(-1)!]!));
      const right = probabilities.filter((p, i) => p.indexOf(Math.max(...p)) === TEST[i]!.tokens.at(-1)!);
      const { loss, accuracy } = await trainer.evaluate({ set: "test" });
      expect(loss).toBeCloseTo(expected.reduce((a, b) => a + b, 0) / TEST.length, 4);
      expect(accuracy).toBeCloseTo(right.length / TEST.length, 9);
    },
  );

  it("a step moves the head's bias by the mean of softmax(z + log q) less the label", async () => {
    const trainer = await open({ head: "shared" }, 1);
    const bias = trainer.tensors.findIndex(({ name }) => name === "classifier.out_proj.bias");
    const sizes = trainer.tensors.map(({ shape }) => shape.reduce((a, b) => a * b, 1));
    const from = sizes.slice(0, bias).reduce((a, b) => a + b, 0);
    const before = await trainer.adapter();
    await trainer.train({ steps: 1 });
    const after = await trainer.adapter();
    const probabilities = (await plainLogits(SKEWED)).map((z) => adjustedSoftmax(z, 1));
    for (const c of [0, 1, 2]) {
      const gradient =
        probabilities.reduce((sum, p, i) => sum + p[c]! - Number(SKEWED[i]!.tokens.at(-1) === c), 0) / SKEWED.length;
      expect(after[from + c]! - before[from + c]!).toBeCloseTo(-0.5 * gradient, 4);
    }
  });

  it("changes nothing where all classes are as frequent", async () => {
    const data = { train: TEST, validation: TEST, test: TEST };
    const [plain, adjusted] = [await open({ data }), await open({ data }, 1)];
    await Promise.all([plain.train({ steps: 2 }), adjusted.train({ steps: 2 })]);
    const [a, b] = [await plain.evaluate({ set: "test" }), await adjusted.evaluate({ set: "test" })];
    expect(b.loss).toBeCloseTo(a.loss, 5);
  });

  it("leaves what travels as it is: as many values, and the same start, whatever a peer's shares are", async () => {
    const [plain, adjusted] = [await open({ head: "shared" }), await open({ head: "shared" }, 1)];
    expect(adjusted.tensors).toEqual(plain.tensors);
    expect(await adjusted.adapter()).toEqual(await plain.adapter());
  });

  it("is refused with example-level privacy, which does not cover the shares", async () => {
    await expect(open({ privacy: { clip: 1, noise: 1 } }, 1)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });
});

describe("the log of a peer's class shares", () => {
  it("is of shares that add up to 1, never of 0, and rises with the count", () => {
    const labels = fc.array(fc.nat(4), { maxLength: 40 });
    fc.assert(
      fc.property(labels, (drawn) => {
        const q = [...logShares(ofClasses(...drawn), 5)].map(Math.exp);
        if (drawn.length > 0) expect(q.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);
        const counts = [0, 1, 2, 3, 4].map((label) => drawn.filter((one) => one === label).length);
        for (const [a, count] of counts.entries()) {
          expect(q[a]).toBeGreaterThanOrEqual(0.99 * (SHARE_MIN / (1 + 5 * SHARE_MIN)));
          for (const [b, other] of counts.entries()) if (count > other) expect(q[a]).toBeGreaterThan(q[b]!);
        }
      }),
    );
  });
});

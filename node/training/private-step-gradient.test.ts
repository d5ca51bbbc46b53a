import { randomFillSync } from "node:crypto";
import { afterAll, describe, expect, test } from "vitest";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import type { RandomSource } from "../interface/random-source.ts";
import type { Trainer } from "../interface/trainer.ts";
import { loadExamples } from "../local/data-source.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { embeddedModelDirectory } from "../system/files/embedded-model.ts";
import { readModelFiles } from "../system/files/model-files.ts";
import { createTrainer } from "./trainer.ts";

const files = readModelFiles(embeddedModelDirectory());
const runtime = createOnnxRuntime();
const adapter: AdapterSettings = { kind: "ffa-lora", rank: 2, alpha: 4, targets: ["q_proj"], layers: [0, 3] };
const { sets } = await loadExamples({
  modelDirectory: files.directory,
  part: { index: 0, count: 4 },
  maxTokens: 64,
  batchSize: 4,
  seed: 4,
});
const secure: RandomSource = { fill: (out) => void randomFillSync(out) };
const opened: Trainer[] = [];
afterAll(() => Promise.all(opened.map((trainer) => trainer.close())));

/** One step of plain gradient descent with rate 1, so that the adapter moves by minus the gradient. */
async function gradientOf(
  train: typeof sets.train,
  {
    clip,
    noise,
    batchSize = train.length,
    proximal,
  }: Record<"clip" | "noise", number> & { batchSize?: number; proximal?: number },
  random: RandomSource = secure,
): Promise<Float64Array> {
  const trainer = await createTrainer(
    { runtime, files, random },
    {
      modelDirectory: files.directory,
      adapter,
      training: {
        optimizer: "sgd",
        learningRate: 1,
        weightDecay: 0,
        gradientClip: 1e9,
        batchSize,
        maxTokens: 64,
        ...(proximal !== undefined && { proximal }),
      },
      networkSeed: 11,
      peerSeed: 12,
      data: { ...sets, train },
      engine: { threads: 1 },
      privacy: { clip, noise },
    },
  );
  opened.push(trainer);
  const before = await trainer.adapter();
  if (proximal !== undefined) await trainer.setReference(before.map((x) => x - 1));
  const { stepsSkipped } = await trainer.train({ steps: 1 });
  expect(stepsSkipped).toBe(0);
  const after = await trainer.adapter();
  return Float64Array.from(before, (x, i) => x - after[i]!);
}

const norm = (vector: Float64Array): number => Math.hypot(...vector);
const mean = (vectors: readonly Float64Array[]): Float64Array =>
  vectors[0]!.map((_, i) => vectors.reduce((sum, v) => sum + v[i]!, 0) / vectors.length);
const distance = (a: Float64Array, b: Float64Array): number => norm(a.map((x, i) => x - b[i]!));

describe("a private step", () => {
  const few = sets.train.slice(0, 3);
  test("of all examples without noise is the mean of their clipped gradients, each taken alone", async () => {
    const alone: Float64Array[] = [];
    for (const example of few) alone.push(await gradientOf([example], { clip: 1e6, noise: 0 }));
    expect(distance(await gradientOf(few, { clip: 1e6, noise: 0 }), mean(alone))).toBeLessThan(
      1e-5 * norm(mean(alone)),
    );
    const clip = norm(alone[0]!) / 2;
    const clipped = alone.map((g) => g.map((x) => x * Math.min(1, clip / norm(g))));
    const together = await gradientOf(few, { clip, noise: 0 });
    expect(distance(together, mean(clipped))).toBeLessThan(1e-4 * norm(together));
  });
  test("changes by no more than the clip over the lot when one example is taken away", async () => {
    const clip = 0.01;
    // The lot is 3 with and without it, as a peer's settings are.
    const with3 = await gradientOf(few, { clip, noise: 0, batchSize: 3 });
    const with2 = await gradientOf(few.slice(0, 2), { clip, noise: 0, batchSize: 3 });
    expect(distance(with3, with2)).toBeLessThanOrEqual((clip / 3) * (1 + 1e-4));
    expect(distance(with3, with2)).toBeGreaterThan((clip / 3) * 0.9);
  });
  test("has noise of z C / L on every value, also where chance draws nobody", async () => {
    let calls = 0;
    // The first buffer decides who takes part: nobody.  The noise has a buffer of its own.
    const nobody: RandomSource = { fill: (out) => (calls++ === 0 ? out.fill(255) : randomFillSync(out)) };
    const gradient = await gradientOf(few, { clip: 0.5, noise: 4, batchSize: 2 }, nobody);
    expect(norm(gradient) / Math.sqrt(gradient.length) / ((4 * 0.5) / 2)).toBeCloseTo(1, 0);
    expect(gradient.every((x) => x !== 0)).toBe(true);
  });
  test("is held to a reference outside of what is clipped", async () => {
    const free = await gradientOf(few, { clip: 1e-9, noise: 0 });
    const held = await gradientOf(few, { clip: 1e-9, noise: 0, proximal: 0.25 });
    expect(norm(free)).toBeLessThan(1e-8);
    for (const value of held) expect(value).toBeCloseTo(0.25, 5);
  });
  test("takes each example with the probability of the batch over the data", async () => {
    let drawn = 0;
    const counting = {
      ...runtime,
      load: async (...given: Parameters<typeof runtime.load>) => {
        const session = await runtime.load(...given);
        const run: typeof session.run = (...feeds) => {
          drawn += 1;
          return session.run(...feeds);
        };
        return { run, close: () => session.close() };
      },
    };
    const train = sets.train.slice(0, 20);
    const trainer = await createTrainer(
      { runtime: counting, files, random: secure },
      {
        modelDirectory: files.directory,
        adapter,
        training: {
          optimizer: "sgd",
          learningRate: 1e-3,
          weightDecay: 0,
          gradientClip: 1,
          batchSize: 2,
          maxTokens: 64,
        },
        networkSeed: 11,
        peerSeed: 12,
        data: { ...sets, train },
        engine: { threads: 1 },
        privacy: { clip: 1, noise: 1 },
      },
    );
    opened.push(trainer);
    await trainer.train({ steps: 100 });
    // 2,000 draws with probability 0.1: 200 with a deviation of 13.4; six of them either way.
    expect(Math.abs(drawn - 200)).toBeLessThan(81);
  });
});

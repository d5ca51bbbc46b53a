/** Evaluation in the precision of training: the losses of f32 to half a percent, and no f32 matrix made beside the copy. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { AdapterSettings } from "../../../protocol/adapter-spec.ts";
import { createPrng } from "../../../protocol/prng.ts";
import { goldenDirectory } from "../../golden/golden-models.suite.ts";
import type { Precision } from "../../interface/engine-options.ts";
import type { ExampleSets } from "../../interface/trainer.ts";
import { loadExamples } from "../../local/data-source.ts";
import { loadBaseModel, type ModelFiles } from "../../model/huggingface.ts";
import { CONFIGS, filesOf, type NamedTensor, randomTensors } from "../../model/random-model.suite.ts";
import { safetensorsHeader } from "../../model/safetensors.ts";
import { memoryFile, type WeightFile } from "../../model/weight-file.ts";
import { createOnnxRuntime } from "../../system/compute/onnxruntime.ts";
import { embeddedModelDirectory } from "../../system/files/embedded-model.ts";
import { readModelFiles } from "../../system/files/model-files.ts";
import { createWeightCache } from "../../system/files/weight-cache.ts";
import { createTrainer } from "../trainer.ts";

const runtime = createOnnxRuntime();
/** Of the loss: what an operator may be told in place of the loss in f32. */
const OFF_MAX = 0.005;
const LOREFT: AdapterSettings = { kind: "loreft", rank: 2, layers: "all", positions: "all" };

const open = (files: ModelFiles, data: ExampleSets, precision: Precision) =>
  createTrainer(
    { runtime, files },
    {
      ...{ modelDirectory: files.directory, adapter: LOREFT, networkSeed: 1, peerSeed: 2, data },
      training: {
        optimizer: "adamw",
        learningRate: 2e-3,
        weightDecay: 0,
        gradientClip: 1,
        batchSize: 4,
        maxTokens: 64,
      },
      engine: { threads: 1, precision },
    },
  );

/** Of the start, and of an adapter that is well off it. */
async function losses(files: ModelFiles, data: ExampleSets, precision: Precision) {
  const trainer = await open(files, data, precision);
  const moved = (await trainer.adapter()).map((x, i) => x + 0.02 * Math.sin(3 * i));
  const start = await trainer.evaluate({ set: "test" });
  const { loss } = await trainer.evaluate({ set: "test", adapter: moved });
  await trainer.close();
  return { start: start.loss, moved: loss };
}

/** Random tokens, some of each text learnt. */
function examplesOf({ shape }: ReturnType<typeof loadBaseModel>): ExampleSets {
  const stream = createPrng(3);
  const text = () => Array.from({ length: 12 }, () => stream.below(shape.vocabulary));
  const some = () => Array.from({ length: 4 }, () => ({ tokens: text(), promptLength: 4 }));
  return { train: some(), validation: some(), test: some() };
}

/** The tensors as BF16, the upper halves of their bits. */
function halfFile(tensors: readonly NamedTensor[]): WeightFile {
  const header = safetensorsHeader(tensors.map(({ name, shape }) => ({ name, shape, dtype: "BF16" })));
  const upper = tensors.map(({ data }) => Uint16Array.from(new Uint32Array(data.buffer), (bits) => bits >>> 16));
  return memoryFile("model.safetensors", Buffer.concat([header, ...upper.map(({ buffer }) => new Uint8Array(buffer))]));
}

async function expectAlike(files: ModelFiles, data: ExampleSets) {
  const [exact, integers] = [await losses(files, data, "fp32"), await losses(files, data, "int8")];
  for (const name of ["start", "moved"] as const) {
    expect(Math.abs(integers[name] / exact[name] - 1)).toBeLessThan(OFF_MAX);
    // The same bits would mean that nothing was in integers.
    expect(integers[name]).not.toBe(exact[name]);
  }
}

it.each(["llama", "gpt2", "qwen3", "gemma2", "phi3"])(
  "an evaluation in integers has the losses of f32: %s",
  async (name) => {
    const { cache: _, ...files } = readModelFiles(goldenDirectory(name));
    await expectAlike(files, examplesOf(loadBaseModel(files)));
  },
);

it("an evaluation in integers has the losses of f32: the embedded model", async () => {
  const { cache: _, ...files } = readModelFiles(embeddedModelDirectory());
  const modelDirectory = files.directory;
  const { sets } = await loadExamples({ modelDirectory, maxTokens: 64, batchSize: 8, seed: 4 });
  await expectAlike(files, sets);
});

it("adapters are told apart as in f32: what a round compares", async () => {
  const { cache: _, ...files } = readModelFiles(embeddedModelDirectory());
  const { sets } = await loadExamples({ modelDirectory: files.directory, maxTokens: 64, batchSize: 8, seed: 4 });
  const [exact, integers] = [await open(files, sets, "fp32"), await open(files, sets, "int8")];
  const start = await exact.start();
  await exact.train({ steps: 20 });
  const trained = await exact.adapter();
  const found: Record<"fp32" | "int8", number[]> = { fp32: [], int8: [] };
  for (const lambda of [0, 0.25, 0.5, 0.75, 1]) {
    const adapter = start.map((x, i) => x + lambda * (trained[i]! - x));
    found.fp32.push((await exact.evaluate({ set: "validation", adapter })).loss);
    found.int8.push((await integers.evaluate({ set: "validation", adapter })).loss);
  }
  await Promise.all([exact.close(), integers.close()]);
  const order = (losses: readonly number[]) => [...losses.keys()].toSorted((a, b) => losses[a]! - losses[b]!);
  expect(order(found.int8)).toEqual(order(found.fp32));
  for (const [i, loss] of found.int8.entries()) expect(Math.abs(loss / found.fp32[i]! - 1)).toBeLessThan(OFF_MAX);
});

it("training and evaluation in integers make one file of weights, and none in f32", async () => {
  const folder = mkdtempSync(join(tmpdir(), "weft-evaluation-"));
  try {
    const config = CONFIGS.llama;
    const files = {
      ...filesOf(config, []),
      shards: [halfFile(randomTensors(config))],
      cache: createWeightCache({ folder }),
    };
    const data = examplesOf(loadBaseModel(files));
    const trainer = await open(files, data, "int8");
    await trainer.train({ steps: 1 });
    await trainer.evaluate({ set: "test" });
    expect(readdirSync(folder)).toHaveLength(1);
    // Features are compared with those of other peers.
    await trainer.features({ examples: [0] });
    expect(readdirSync(folder)).toHaveLength(2);
    await trainer.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
});

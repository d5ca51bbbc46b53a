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
      training: { optimizer: "sgd", learningRate: 1, weightDecay: 0, gradientClip: 1, batchSize: 2, maxTokens: 32 },
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
  expect(Math.sign(integers.moved - integers.start)).toBe(Math.sign(exact.moved - exact.start));
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

/**
 * Ten training steps of every folder in `golden` against PyTorch: its optimisers, schedules and clipping, LoRA by peft.
 * The files are made by golden/ten_steps.py; the weights are drawn here as they are there, from one seed.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import type { TrainingSpec } from "../../protocol/network-manifest.ts";
import { createPrng } from "../../protocol/prng.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { textGraph } from "../generation/inference-graph.ts";
import type { Example } from "../interface/trainer.ts";
import { FAMILIES } from "../model/families/by-model-type.ts";
import { loadBaseModel } from "../model/huggingface.ts";
import type { Config } from "../model/random-model.suite.ts";
import { filesOf, randomTensors } from "../model/random-model.suite.ts";
import { encodeModel } from "../onnx/codec.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { int64 } from "../tensor.ts";
import { trainedHead } from "./classification.ts";
import { createTrainer } from "./trainer.ts";

interface TenSteps {
  readonly config: Config;
  readonly adapter: AdapterSettings;
  readonly training: TrainingSpec;
  readonly peerSeed: number;
  readonly examples: readonly Example[];
  /** Of the base model behind the last token of every text. */
  readonly logits: readonly number[];
  /** Where the adapter's rotations start; its other tensors start from the stream of `drawn`. */
  readonly rotations: Readonly<Record<string, readonly number[]>>;
  readonly losses: readonly number[];
  readonly final: Readonly<Record<string, readonly number[]>>;
}

const GOLDEN = join(import.meta.dirname, "golden");
/** Python leaves folders of its own, which begin with _. */
const FOLDER = /^[a-z]/;
const runtime = createOnnxRuntime();
const folders = readdirSync(GOLDEN, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && FOLDER.test(entry.name))
  .map(({ name }) => name)
  .toSorted();

/** A tensor of the adapter before the first step, as golden/ten_steps.py draws it. */
function drawn(name: string, length: number): Float32Array {
  const stream = createPrng(3).fork(name);
  return Float32Array.from({ length }, () => 0.2 * stream.normal());
}

/** Largest difference, relative to the largest expected value. */
function difference(actual: ArrayLike<number>, expected: readonly number[]): number {
  expect(actual.length).toBe(expected.length);
  const scale = Math.max(...expected.map(Math.abs));
  return Math.max(...expected.map((value, i) => Math.abs(value - actual[i]!))) / scale;
}

/**
 * Euclidean distance, relative to the expected length. AdamW divides a gradient by its own size: a value whose gradient
 * is rounding alone may go either way, so single values are no measure.
 */
function distance(actual: ArrayLike<number>, expected: readonly number[]): number {
  expect(actual.length).toBe(expected.length);
  return Math.hypot(...expected.map((value, i) => value - actual[i]!)) / Math.hypot(...expected);
}

it("there is a folder for every family", () => {
  expect([...FAMILIES.keys()].filter((family) => !folders.includes(family))).toEqual([]);
});

describe.each(folders)("ten steps of %s as PyTorch takes them", (folder) => {
  const cases = readdirSync(join(GOLDEN, folder)).toSorted();
  const open = (file: string) => {
    const golden = JSON.parse(readFileSync(join(GOLDEN, folder, file), "utf8")) as TenSteps;
    const files = filesOf(golden.config, randomTensors(golden.config));
    return { golden, files, model: loadBaseModel(files) };
  };

  it("the base model's logits", async () => {
    const { golden, model } = open(cases[0]!);
    const texts = golden.examples.map(({ tokens }) => (model.classifier ? tokens.slice(0, -1) : tokens));
    const width = golden.logits.length / texts.length;
    for (const [i, ids] of texts.entries()) {
      const graph = textGraph({ model }, { examples: 1, tokens: ids.length });
      const session = await runtime.load(encodeModel(graph), { externalData: model.externalData, threads: 1 });
      const whole = new Array<number>(ids.length).fill(1);
      const { logits } = await session.run({
        input_ids: int64([1, ids.length], ids),
        ...(model.classifier ? { attention_mask: int64([1, ids.length], whole) } : {}),
      });
      await session.close();
      const found = (logits!.data as Float32Array).slice(-width);
      expect(difference(found, golden.logits.slice(i * width, (i + 1) * width))).toBeLessThan(1e-5);
    }
  });

  it.each(cases)("%s", async (file) => {
    const { golden, files, model } = open(file);
    const { adapter, training, examples, peerSeed, rotations } = golden;
    const trainer = await createTrainer(
      { runtime, files },
      {
        ...{ modelDirectory: files.directory, adapter, training, peerSeed, networkSeed: 1, engine: { threads: 1 } },
        data: { train: examples, validation: [], test: [] },
        totalSteps: golden.losses.length,
      },
    );
    try {
      const method = adapterMethod(adapter);
      const own = adapterSlots(method.tensors(adapter, model.shape));
      const slots = adapterSlots([...method.tensors(adapter, model.shape), ...trainedHead(model)]);
      expect(slots.map(({ name }) => name).toSorted()).toEqual(Object.keys(golden.final).toSorted());
      // The head, behind the adapter, starts as the model has it.
      const state = await trainer.state();
      const theta = state.adapter.slice();
      for (const { name, offset, length } of own) theta.set(rotations[name] ?? drawn(name, length), offset);
      await trainer.restore({ ...state, adapter: theta });

      const { losses } = await trainer.train({ steps: golden.losses.length });
      const worst = golden.losses.map((loss, step) => Math.abs(losses[step]! - loss) / loss);
      const { adapter: final } = await trainer.state();
      expect(losses.length).toBe(golden.losses.length);
      expect(Math.max(...worst), `losses ${losses}`).toBeLessThan(1e-5);
      for (const { name, offset, length } of slots) {
        expect(distance(final.subarray(offset, offset + length), golden.final[name]!), name).toBeLessThan(1e-4);
      }
    } finally {
      await trainer.close();
    }
  });
});

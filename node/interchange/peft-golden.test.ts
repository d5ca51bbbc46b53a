/**
 * Adapters that peft itself made (golden/peft_adapters.py): read, they give its logits, and written again they say the
 * same to peft. The base model's and the adapter's weights are drawn from streams that both sides know.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createPrng } from "../../protocol/prng.ts";
import { textGraph } from "../generation/inference-graph.ts";
import { loadBaseModel } from "../model/huggingface.ts";
import type { Config } from "../model/random-model.suite.ts";
import { filesOf, randomTensors } from "../model/random-model.suite.ts";
import { readSafetensors, toFloat32, writeSafetensors } from "../model/safetensors.ts";
import { encodeModel } from "../onnx/codec.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { float32, int64, sizeOf } from "../tensor.ts";
import { trainingStepGraph } from "../training/training-step.ts";
import type { FileSet } from "./adapter-directory.ts";
import { jsonBytes, parseJson } from "./adapter-directory.ts";
import { NO_DIGEST, used } from "./golden.suite.ts";
import type { PeftConfig } from "./peft-config.ts";
import { patternValue, readPeftConfig } from "./peft-config.ts";
import { PEFT_CONFIG, PEFT_TENSORS, toPeft } from "./peft-export.ts";
import { fromPeft } from "./peft-import.ts";
import { slotsOf } from "./saved-adapter.ts";

interface PeftGolden {
  readonly model: Config;
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: Readonly<Record<string, readonly number[]>>;
  readonly ids: readonly number[];
  readonly mask: readonly number[];
  readonly logits: readonly number[];
  /** The class that a classifier's gradients are for. */
  readonly label?: number;
  /** Of the next tokens' mean cross entropy, or of the class's, by peft's names; of some adapters. */
  readonly loss?: number;
  readonly gradients?: Readonly<Record<string, readonly number[]>>;
}

const GOLDEN = join(import.meta.dirname, "golden");
const CASES = readdirSync(GOLDEN).filter((name) => name.endsWith(".json"));
const where = { directory: "adapter", digest: NO_DIGEST };

function open(name: string) {
  const golden = JSON.parse(readFileSync(join(GOLDEN, name), "utf8")) as PeftGolden;
  const model = loadBaseModel(filesOf(golden.model, randomTensors(golden.model)));
  const tensors = Object.entries(golden.tensors).map(([key, shape]) => {
    const stream = createPrng(3).fork(key);
    return { name: key, shape, data: Float32Array.from({ length: sizeOf(shape) }, () => 0.2 * stream.normal()) };
  });
  const files: FileSet = new Map([
    [PEFT_CONFIG, jsonBytes(golden.config)],
    [PEFT_TENSORS, writeSafetensors(tensors, { format: "pt" })],
  ]);
  return { golden, model, files };
}

describe("adapters made by peft", () => {
  it("are there", () => expect(CASES.length).toBeGreaterThan(15));

  it.each(CASES)("%s: read, it has the logits that it has in peft", async (name) => {
    const { golden, model, files } = open(name);
    const { adapter } = fromPeft(files, model, where);
    const shape = [1, golden.ids.length];
    const graph = textGraph({ model, adapter: used(adapter, model) }, { examples: 1, tokens: golden.ids.length });
    const session = await createOnnxRuntime().load(encodeModel(graph), {
      externalData: model.externalData,
      threads: 1,
    });
    const { logits } = await session.run({
      input_ids: int64(shape, golden.ids),
      ...(model.classifier ? { attention_mask: int64(shape, golden.mask) } : {}),
    });
    await session.close();
    // What stands behind a padding token is nobody's business.
    const real = model.classifier ? golden.logits.length : golden.mask.lastIndexOf(1) * model.shape.vocabulary;
    const expected = golden.logits.slice(0, real);
    const scale = Math.max(...expected.map(Math.abs));
    const worst = Math.max(...expected.map((value, i) => Math.abs(value - (logits!.data[i] as number))));
    expect(worst / scale).toBeLessThan(1e-5);
  });

  it.each(CASES)("%s: written again, it says the same", (name) => {
    const { golden, model, files } = open(name);
    const { adapter, notes } = fromPeft(files, model, where);
    const again = toPeft(adapter, model, {});
    const [given, written] = [opened(files, name), opened(again, name)];
    for (const key of given.tensors.keys()) expect(written.tensors.has(key), key).toBe(true);
    if (notes.length > 0) return;
    // Nothing was adapted to weft's one rank and scale: the same modules, values and scales.
    expect(written.modules.toSorted()).toEqual(given.modules.toSorted());
    for (const [key, tensor] of given.tensors) {
      const again = written.tensors.get(key)!;
      if (!key.endsWith("lora_magnitude_vector")) expect(again.bytes, key).toEqual(tensor.bytes);
      // What is kept is the change of the magnitudes, whose sum with them is rounded.
      else for (const [i, x] of toFloat32(tensor).entries()) expect(toFloat32(again)[i], key).toBeCloseTo(x, 6);
    }
    for (const key of given.modules) {
      const path = key.slice("base_model.model.".length, -".lora_A.weight".length);
      expect(scaleOf(written.config, path)).toBeCloseTo(scaleOf(given.config, path), 12);
    }
    expect(golden.config.peft_version).toBe("0.21.0");
  });
});

describe("adapters that peft trains", () => {
  const LEARNT = CASES.filter((name) => open(name).golden.gradients);
  it("are of every kind that is not plain LoRA, and of classifiers with their heads", () => {
    expect(LEARNT.length).toBeGreaterThan(10);
    expect(LEARNT.filter((name) => open(name).golden.label !== undefined)).toHaveLength(6);
  });

  it.each(LEARNT)("%s: loss and every gradient are torch's", async (name) => {
    const { golden, model, files } = open(name);
    const { adapter } = fromPeft(files, model, where);
    const slots = slotsOf(adapter);
    const labels = golden.label === undefined ? golden.ids.slice(1) : [golden.label];
    const count = labels.length;
    const size = { examples: 1, tokens: golden.ids.length, labels: count };
    const graph = trainingStepGraph({ model, adapter: adapter.settings, slots }, size);
    const settings = { externalData: model.externalData, threads: 1 };
    const session = await createOnnxRuntime().load(encodeModel(graph), settings);
    const { loss, gradient } = await session.run({
      input_ids: int64([1, golden.ids.length], golden.ids),
      ...(model.classifier ? { attention_mask: int64([1, golden.ids.length], golden.mask) } : {}),
      label_rows: int64([count], [...labels.keys()]),
      label_ids: int64([count], labels),
      label_weights: float32([count], new Float32Array(count).fill(1 / count)),
      adapter: float32([adapter.values.length], adapter.values),
    });
    await session.close();
    expect(loss!.data[0]).toBeCloseTo(golden.loss!, 5);
    for (const { name: own, offset, length } of slots) {
      const key = own.replace(/\.([^.]+)$/, (whole, end) => PEFT_ENDS[end] ?? whole);
      const expected = golden.gradients![`base_model.model.${key}`]!;
      const found = gradient!.data.slice(offset, offset + length) as Float32Array;
      const scale = Math.max(...expected.map(Math.abs));
      expect(Math.max(...expected.map((g, i) => Math.abs(g - found[i]!))) / scale, own).toBeLessThan(2e-5);
    }
  });
});

/** How peft names what weft names by a letter. */
const PEFT_ENDS: Readonly<Record<string, string>> = {
  A: ".lora_A.weight",
  B: ".lora_B.weight",
  b: ".lora_B.bias",
  m: ".lora_magnitude_vector",
};

function opened(files: FileSet, name: string) {
  const { tensors } = readSafetensors(files.get(PEFT_TENSORS)!, { name });
  const config = readPeftConfig(parseJson(files.get(PEFT_CONFIG)!, name), name);
  return { tensors, config, modules: [...tensors.keys()].filter((key) => key.endsWith(".lora_A.weight")) };
}

function scaleOf({ rank_pattern, alpha_pattern, ...config }: PeftConfig, path: string): number {
  const rank = patternValue(rank_pattern, path, config.r);
  return patternValue(alpha_pattern, path, config.lora_alpha) / (config.use_rslora ? Math.sqrt(rank) : rank);
}

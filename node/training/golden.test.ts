/** golden: logits, losses and adapter gradients against PyTorch, transformers and peft, for every directory in node/golden. */
import { describe, expect, it } from "vitest";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { interventionFeeds } from "../adapter/positions.ts";
import type { Golden } from "../golden/golden-models.suite.ts";
import { goldenDirectory, goldenNames, openGolden } from "../golden/golden-models.suite.ts";
import type { Closeness, MeasuredGolden } from "../golden/models-table.suite.ts";
import { modelsTableFaults, writeModelsTable } from "../golden/models-table.suite.ts";
import type { BaseModel } from "../model/base-model.ts";
import { FAMILIES } from "../model/families/by-model-type.ts";
import { encodeModel } from "../onnx/codec.ts";
import type { OnnxGraph } from "../onnx/value.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import type { Tensor } from "../tensor.ts";
import { float32, int64 } from "../tensor.ts";
import { logitsGraph, trainingStepGraph } from "./training-step.ts";

const runtime = createOnnxRuntime();

/** What the tests below measure of each directory. */
const measured = new Map<string, MeasuredGolden>();

function closenessOf(name: string): Closeness {
  const directory = goldenDirectory(name);
  const known = measured.get(name) ?? {
    ...{ name, directory, family: openGolden(name).model.family },
    closeness: { logits: 0, losses: 0, gradients: 0 },
  };
  measured.set(name, known);
  return known.closeness;
}

/** Keep the largest of what is measured. */
function note(name: string, column: keyof Closeness, error: number): number {
  const closeness = closenessOf(name);
  closeness[column] = Math.max(closeness[column], error);
  return error;
}

async function run(graph: OnnxGraph, feeds: Record<string, Tensor>, model: BaseModel) {
  const session = await runtime.load(encodeModel(graph), { threads: 1, externalData: model.externalData });
  try {
    return await session.run(feeds);
  } finally {
    await session.close();
  }
}

/** Largest difference, relative to the largest expected value. */
function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(actual.length).toBe(expected.length);
  let [difference, scale] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    difference = Math.max(difference, Math.abs(actual[i]! - expected[i]!));
    scale = Math.max(scale, Math.abs(expected[i]!));
  }
  return scale === 0 ? difference : difference / scale;
}

function labelFeeds(golden: Golden): Record<string, Tensor> {
  const { labels } = golden;
  const count = labels.length;
  const [rows, ids] = [labels.map(({ row }) => row), labels.map(({ id }) => id)];
  return {
    label_rows: int64([count], rows),
    label_ids: int64([count], ids),
    label_weights: float32([count], new Float32Array(count).fill(1 / count)),
  };
}

/** What every graph of the model is fed; causal models need no mask. */
function textFeeds(golden: Golden): Record<string, Tensor> {
  const shape = golden.shape("input_ids");
  const ids = int64(shape, golden.integers("input_ids"));
  if (!golden.model.classifier) return { input_ids: ids };
  return { input_ids: ids, attention_mask: int64(shape, golden.integers("attention_mask")) };
}

async function checkAdapter(
  name: string,
  golden: Golden,
  settings: AdapterSettings,
  expected: { loss: number; tensor: (name: string) => string; gradient: (name: string) => string },
): Promise<readonly string[]> {
  const { model } = golden;
  const slots = adapterSlots(adapterMethod(settings).tensors(settings, model.shape));
  const adapter = new Float32Array(slots.reduce((sum, slot) => sum + slot.length, 0));
  for (const slot of slots) adapter.set(golden.floats(expected.tensor(slot.name)), slot.offset);
  const { examples, tokens } = golden.size;
  const labels = labelFeeds(golden);
  const counts = adapterMethod(settings).positions(settings);
  const result = await run(
    trainingStepGraph({ model, adapter: settings, slots }, { examples, tokens, labels: labels.label_rows!.shape[0]! }),
    {
      ...textFeeds(golden),
      ...labels,
      adapter: float32([adapter.length], adapter),
      ...interventionFeeds(counts, golden.promptLengths, tokens),
    },
    model,
  );
  const off = Math.abs(Number(result.loss!.data[0]) - expected.loss);
  note(name, "losses", off / expected.loss);
  expect(off).toBeLessThan(1e-5 * Math.max(1, expected.loss));
  const gradient = result.gradient!.data as Float32Array;
  for (const { name: slot, offset, length } of slots) {
    const error = relativeError(gradient.subarray(offset, offset + length), golden.floats(expected.gradient(slot)));
    expect(note(name, "gradients", error), `gradient of ${slot}`).toBeLessThan(1e-3);
  }
  return slots.map(({ name }) => expected.tensor(name));
}

/** Names of the golden tensors of one kind: all of them must have been checked. */
const stored = (golden: Golden, kind: string): readonly string[] =>
  golden.names.filter((name) => name.startsWith(`${kind}.`)).toSorted();

describe("golden", () => {
  it("has a directory of every family", () => {
    const families = goldenNames().map((name) => openGolden(name).model.family);
    expect(new Set(families)).toEqual(new Set(FAMILIES.keys()));
  });

  describe.each(goldenNames())("%s", (name) => {
    it("logits and loss of the base model", async () => {
      const golden = openGolden(name);
      const { model } = golden;
      const { examples, tokens } = golden.size;
      const settings: AdapterSettings = {
        kind: "lora",
        rank: 1,
        alpha: 1,
        targets: [model.shape.linears[0]!.path.split(".").at(-1)!],
        layers: "all",
      };
      const slots = adapterSlots(adapterMethod(settings).tensors(settings, model.shape));
      const size = slots.reduce((sum, slot) => sum + slot.length, 0);
      const { logits } = await run(
        logitsGraph({ model, adapter: settings, slots }, { examples, tokens }),
        {
          ...textFeeds(golden),
          adapter: float32([size], new Float32Array(size)),
        },
        model,
      );
      const width = golden.shape("base_logits").at(-1)!;
      const mask = golden.integers("attention_mask");
      const ofTexts = model.classifier !== undefined && model.classifier.reads !== "each token";
      const real = ofTexts
        ? Array.from({ length: examples }, (_, b) => b)
        : mask.flatMap((one, row) => (one === 1 ? [row] : []));
      const pick = (all: Float32Array) => real.flatMap((row) => [...all.subarray(row * width, (row + 1) * width)]);
      const error = relativeError(pick(logits!.data as Float32Array), pick(golden.floats("base_logits")));
      expect(note(name, "logits", error)).toBeLessThan(1e-4);
      const losses = golden.labels.map(({ row, id }) => {
        const at = ofTexts ? row / tokens : row;
        const z = Array.from((logits!.data as Float32Array).subarray(at * width, (at + 1) * width));
        return Math.log(z.reduce((total, x) => total + Math.exp(x), 0)) - z[id]!;
      });
      const loss = losses.reduce((total, x) => total + x, 0) / losses.length;
      const off = Math.abs(loss - golden.meta.base_loss);
      note(name, "losses", off / loss);
      expect(off).toBeLessThan(1e-5 * Math.max(1, loss));
    });

    it("LoRA loss and every gradient", async () => {
      const golden = openGolden(name);
      const checked = await checkAdapter(name, golden, golden.lora, {
        loss: golden.meta.lora_loss,
        tensor: (slot) => `lora.${slot}`,
        gradient: (slot) => `lora_grad.${slot}`,
      });
      expect(checked.toSorted()).toEqual(stored(golden, "lora"));
    });

    it("LoReFT loss and every gradient", async () => {
      const golden = openGolden(name);
      const short = (slot: string) => slot.replace(/^layers\./, "");
      const checked = await checkAdapter(name, golden, golden.loreft, {
        loss: golden.meta.loreft_loss,
        tensor: (slot) => `loreft.${short(slot)}`,
        gradient: (slot) => `loreft_grad.${short(slot)}`,
      });
      expect(checked.toSorted()).toEqual(stored(golden, "loreft"));
    });
  });

  it("docs/MODELS.md says which directories these are and how close they were", () => {
    const own = [...measured.values()].filter(({ name }) => !name.startsWith("WEFT_GOLDENS/"));
    expect(own.length).toBe(goldenNames().filter((name) => !name.startsWith("WEFT_GOLDENS/")).length);
    if (process.env.WEFT_WRITE_MODELS) writeModelsTable(own);
    expect(modelsTableFaults(own)).toEqual([]);
  });
});

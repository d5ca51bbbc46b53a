/** golden: logits, losses and adapter gradients against PyTorch, transformers and peft, for every directory in node/golden. */
import { describe, expect, it } from "vitest";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { interventionFeeds } from "../adapter/positions.ts";
import type { Golden } from "../golden/golden-models.suite.ts";
import { goldenNames, openGolden } from "../golden/golden-models.suite.ts";
import type { BaseModel } from "../model/base-model.ts";
import { FAMILIES } from "../model/families/by-model-type.ts";
import { encodeModel } from "../onnx/codec.ts";
import type { OnnxGraph } from "../onnx/value.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import type { Tensor } from "../tensor.ts";
import { float32, int64 } from "../tensor.ts";
import { logitsGraph, trainingStepGraph } from "./training-step.ts";

const runtime = createOnnxRuntime();

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
  expect(Math.abs(Number(result.loss!.data[0]) - expected.loss)).toBeLessThan(1e-5 * Math.max(1, expected.loss));
  const gradient = result.gradient!.data as Float32Array;
  for (const { name, offset, length } of slots) {
    const error = relativeError(gradient.subarray(offset, offset + length), golden.floats(expected.gradient(name)));
    expect(error, `gradient of ${name}`).toBeLessThan(1e-3);
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
      const real = model.classifier
        ? Array.from({ length: examples }, (_, b) => b)
        : mask.flatMap((one, row) => (one === 1 ? [row] : []));
      const pick = (all: Float32Array) => real.flatMap((row) => [...all.subarray(row * width, (row + 1) * width)]);
      expect(relativeError(pick(logits!.data as Float32Array), pick(golden.floats("base_logits")))).toBeLessThan(1e-4);
      const losses = golden.labels.map(({ row, id }) => {
        const at = model.classifier ? row / tokens : row;
        const z = Array.from((logits!.data as Float32Array).subarray(at * width, (at + 1) * width));
        return Math.log(z.reduce((total, x) => total + Math.exp(x), 0)) - z[id]!;
      });
      const loss = losses.reduce((total, x) => total + x, 0) / losses.length;
      expect(Math.abs(loss - golden.meta.base_loss)).toBeLessThan(1e-5 * Math.max(1, loss));
    });

    it("LoRA loss and every gradient", async () => {
      const golden = openGolden(name);
      const checked = await checkAdapter(golden, golden.lora, {
        loss: golden.meta.lora_loss,
        tensor: (slot) => `lora.${slot}`,
        gradient: (slot) => `lora_grad.${slot}`,
      });
      expect(checked.toSorted()).toEqual(stored(golden, "lora"));
    });

    it("LoReFT loss and every gradient", async () => {
      const golden = openGolden(name);
      const short = (slot: string) => slot.replace(/^layers\./, "");
      const checked = await checkAdapter(golden, golden.loreft, {
        loss: golden.meta.loreft_loss,
        tensor: (slot) => `loreft.${short(slot)}`,
        gradient: (slot) => `loreft_grad.${short(slot)}`,
      });
      expect(checked.toSorted()).toEqual(stored(golden, "loreft"));
    });
  });
});

/**
 * golden: logits, losses and adapter gradients against PyTorch, transformers and peft, for every model directory in
 * ../shared/assets/golden (format: ../shared/bench/make_golden.py), and greedy decoding against a float64 forward.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { interventionFeeds } from "../adapter/positions.ts";
import type { BaseModel } from "../model/base-model.ts";
import { loadBaseModel } from "../model/huggingface.ts";
import { readSafetensors, toFloat32 } from "../model/safetensors.ts";
import { encodeModel } from "../onnx/codec.ts";
import type { OnnxGraph } from "../onnx/value.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { readModelFiles } from "../system/files/model-files.ts";
import type { Tensor } from "../tensor.ts";
import { float32, int64 } from "../tensor.ts";
import { logitsGraph, trainingStepGraph } from "./training-step.ts";

const ASSETS = join(import.meta.dirname, "../../../shared/assets");
const GOLDEN = join(ASSETS, "golden");
const runtime = createOnnxRuntime();

interface GoldenMeta {
  readonly base_loss: number;
  readonly lora_loss: number;
  readonly loreft_loss: number;
  readonly lora: { readonly r: number; readonly alpha: number; readonly targets: readonly string[] };
  readonly loreft: {
    readonly r: number;
    readonly first: number;
    readonly last: number;
    /** null where the whole text is the prompt, as it is for classifiers. */
    readonly prompt_tokens: number | null;
    readonly layers: readonly number[];
  };
}

class Golden {
  readonly directory: string;
  readonly meta: GoldenMeta;
  readonly #tensors;

  constructor(directory: string) {
    this.directory = directory;
    this.meta = JSON.parse(readFileSync(join(directory, "golden.json"), "utf8"));
    const path = join(directory, "golden.safetensors");
    this.#tensors = readSafetensors(readFileSync(path), { name: path }).tensors;
  }

  floats(name: string): Float32Array {
    return toFloat32(this.#entry(name));
  }

  integers(name: string): readonly number[] {
    const { bytes } = this.#entry(name);
    return Array.from(new BigInt64Array(bytes.slice().buffer), Number);
  }

  shape(name: string): readonly number[] {
    return this.#entry(name).shape;
  }

  #entry(name: string) {
    const entry = this.#tensors.get(name);
    if (!entry) throw new Error(`${this.directory} has no golden tensor ${name}`);
    return entry;
  }
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
  return difference / scale;
}

interface Label {
  readonly row: number;
  readonly id: number;
}

/** Of a language model the token at t predicts the label at t + 1, of a classifier the first token the text's class. */
function labelsOf(golden: Golden): readonly Label[] {
  const [batch, tokens] = golden.shape("input_ids") as [number, number];
  const labels = golden.integers("labels");
  if (golden.shape("labels").length === 1) return labels.map((id, b) => ({ row: b * tokens, id }));
  return Array.from({ length: batch * tokens }, (_, row) => ({ row, id: labels[row + 1] ?? -100 })).filter(
    ({ row, id }) => row % tokens < tokens - 1 && id !== -100,
  );
}

function labelFeeds(golden: Golden): Record<string, Tensor> {
  const labels = labelsOf(golden);
  const count = labels.length;
  const [rows, ids] = [labels.map(({ row }) => row), labels.map(({ id }) => id)];
  return {
    label_rows: int64([count], rows),
    label_ids: int64([count], ids),
    label_weights: float32([count], new Float32Array(count).fill(1 / count)),
  };
}

/** What every graph of the model is fed; causal models need no mask. */
function textFeeds(golden: Golden, { classifier }: BaseModel): Record<string, Tensor> {
  const shape = golden.shape("input_ids");
  const ids = int64(shape, golden.integers("input_ids"));
  if (!classifier) return { input_ids: ids };
  return { input_ids: ids, attention_mask: int64(shape, golden.integers("attention_mask")) };
}

function promptLengths(golden: Golden): readonly number[] {
  const [examples, tokens] = golden.shape("input_ids") as [number, number];
  const mask = golden.integers("attention_mask");
  return Array.from(
    { length: examples },
    (_, b) =>
      golden.meta.loreft.prompt_tokens ??
      mask.slice(b * tokens, (b + 1) * tokens).reduce((total, one) => total + one, 0),
  );
}

async function checkAdapter(
  golden: Golden,
  settings: AdapterSettings,
  expected: { loss: number; tensor: (name: string) => string; gradient: (name: string) => string },
) {
  const model = loadBaseModel(readModelFiles(golden.directory));
  const slots = adapterSlots(adapterMethod(settings).tensors(settings, model.shape));
  const adapter = new Float32Array(slots.reduce((sum, slot) => sum + slot.length, 0));
  for (const slot of slots) adapter.set(golden.floats(expected.tensor(slot.name)), slot.offset);
  const [examples, tokens] = golden.shape("input_ids") as [number, number];
  const labels = labelFeeds(golden);
  const counts = adapterMethod(settings).positions(settings);
  const result = await run(
    trainingStepGraph({ model, adapter: settings, slots }, { examples, tokens, labels: labels.label_rows!.shape[0]! }),
    {
      ...textFeeds(golden, model),
      ...labels,
      adapter: float32([adapter.length], adapter),
      ...interventionFeeds(counts, promptLengths(golden), tokens),
    },
    model,
  );
  expect(Math.abs(Number(result.loss!.data[0]) - expected.loss)).toBeLessThan(1e-5 * Math.max(1, expected.loss));
  const gradient = result.gradient!.data as Float32Array;
  for (const { name, offset, length } of slots) {
    const error = relativeError(gradient.subarray(offset, offset + length), golden.floats(expected.gradient(name)));
    expect(error, `gradient of ${name}`).toBeLessThan(1e-3);
  }
  return slots.length;
}

if (!existsSync(GOLDEN)) console.warn(`golden: skipped, because there is no ${GOLDEN} beside this checkout`);

describe.skipIf(!existsSync(GOLDEN))("golden", () => {
  for (const family of existsSync(GOLDEN) ? readdirSync(GOLDEN).toSorted() : []) {
    it(`${family}: logits and loss of the base model`, async () => {
      const golden = new Golden(join(GOLDEN, family));
      const model = loadBaseModel(readModelFiles(golden.directory));
      const [examples, tokens] = golden.shape("input_ids") as [number, number];
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
          ...textFeeds(golden, model),
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
      const losses = labelsOf(golden).map(({ row, id }) => {
        const at = model.classifier ? row / tokens : row;
        const z = Array.from((logits!.data as Float32Array).subarray(at * width, (at + 1) * width));
        return Math.log(z.reduce((total, x) => total + Math.exp(x), 0)) - z[id]!;
      });
      const loss = losses.reduce((total, x) => total + x, 0) / losses.length;
      expect(Math.abs(loss - golden.meta.base_loss)).toBeLessThan(1e-5 * Math.max(1, loss));
    });

    it(`${family}: LoRA loss and every gradient`, async () => {
      const golden = new Golden(join(GOLDEN, family));
      const { r: rank, alpha, targets } = golden.meta.lora;
      const tensors = await checkAdapter(
        golden,
        { kind: "lora", rank, alpha, targets, layers: "all" },
        { loss: golden.meta.lora_loss, tensor: (name) => `lora.${name}`, gradient: (name) => `lora_grad.${name}` },
      );
      expect(tensors).toBe(2 * 2 * targets.length);
    });

    it(`${family}: LoReFT loss and every gradient`, async () => {
      const golden = new Golden(join(GOLDEN, family));
      const { r: rank, first, last, layers } = golden.meta.loreft;
      const short = (name: string) => name.replace(/^layers\./, "");
      const tensors = await checkAdapter(
        golden,
        { kind: "loreft", rank, layers, positions: { first, last, tied: true } },
        {
          loss: golden.meta.loreft_loss,
          tensor: (name) => `loreft.${short(name)}`,
          gradient: (name) => `loreft_grad.${short(name)}`,
        },
      );
      expect(tensors).toBe(3 * layers.length);
    });
  }

  const STORIES = join(ASSETS, "models/tinystories-656k");
  it.skipIf(!existsSync(STORIES))("tinystories-656k: next-token logits and greedy ids", async () => {
    const golden = JSON.parse(readFileSync(join(STORIES, "golden_greedy_numpy.json"), "utf8")) as {
      prompt_ids: number[];
      greedy_ids: number[];
      top10_next_logits: [number, number][];
    };
    const model = loadBaseModel(readModelFiles(STORIES));
    const settings: AdapterSettings = {
      kind: "loreft",
      rank: 1,
      layers: [0],
      positions: { first: 1, last: 1, tied: true },
    };
    const slots = adapterSlots(adapterMethod(settings).tensors(settings, model.shape));
    const tokens = golden.greedy_ids.length;
    const adapter = new Float32Array(slots.reduce((sum, slot) => sum + slot.length, 0));
    const graph = logitsGraph({ model, adapter: settings, slots }, { examples: 1, tokens });
    const session = await runtime.load(encodeModel(graph), { threads: 1, externalData: model.externalData });
    const ids = [...golden.prompt_ids];
    while (ids.length < tokens) {
      const padded = [...ids, ...new Array<number>(tokens - ids.length).fill(0)];
      const { logits } = await session.run({
        input_ids: int64([1, tokens], padded),
        adapter: float32([adapter.length], adapter),
        ...interventionFeeds(adapterMethod(settings).positions(settings), [0], tokens),
      });
      const size = model.shape.vocabulary;
      const next = (logits!.data as Float32Array).subarray((ids.length - 1) * size, ids.length * size);
      if (ids.length === golden.prompt_ids.length) {
        for (const [id, logit] of golden.top10_next_logits)
          expect(Math.abs(next[id]! - logit)).toBeLessThan(1e-4 * Math.abs(logit));
      }
      ids.push(next.indexOf(Math.max(...next)));
    }
    await session.close();
    expect(ids).toEqual(golden.greedy_ids);
  });
});

/** What tests of narrow bases share: loss and gradients are those of the f32 model that a form stands for. */
import { expect } from "vitest";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { adapterSlots, parameterCount } from "../../protocol/adapter-spec.ts";
import type { BaseForm, NarrowForm } from "../../protocol/settings/base-forms.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { interventionFeeds } from "../adapter/positions.ts";
import { goldenModel, openGolden } from "../golden/golden-models.suite.ts";
import { inBaseForm } from "../model/base/base-form.ts";
import { outOfBlocks } from "../model/base/blocks.ts";
import { narrowCopy, narrowWeights, scalesName } from "../model/base/narrow-file.ts";
import { type BaseModel, modelSession } from "../model/base-model.ts";
import { storedCopy } from "../model/weight-copy.ts";
import { tensorValues } from "../model/weight-file.ts";
import { encodeModel } from "../onnx/codec.ts";
import { constantValue } from "../onnx/graph.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { readModelFiles } from "../system/files/model-files.ts";
import type { Tensor } from "../tensor.ts";
import { float32, int64 } from "../tensor.ts";
import { evaluationGraph, type TrainingStepOptions, trainingStepGraph } from "./training-step.ts";

const runtime = createOnnxRuntime();

/** The f32 model that a narrow form of another stands for; its weights are constants of the graph. */
function standsFor(model: BaseModel, directory: string, form: NarrowForm): BaseModel {
  const { cache: _, ...files } = readModelFiles(directory);
  const tensors = storedCopy(narrowCopy(model, files, form), undefined);
  const values = new Map(
    narrowWeights(model, form).map((weight) => {
      const { name, shape } = weight;
      const stored = tensors.get(name)!;
      if (weight.as !== "blocks") return [name, constantValue(float32(shape, tensorValues(stored)), name)] as const;
      const blocks = {
        scales: tensorValues(tensors.get(scalesName(name))!),
        integers: stored.file.read(stored.offset, stored.end - stored.begin),
      };
      const [rows, columns] = weight.matrix;
      const plain = outOfBlocks(blocks, columns, weight.bits);
      const own = weight.turned ? plain.map((_, i) => plain[(i % rows) * columns + Math.floor(i / rows)]!) : plain;
      return [name, constantValue(float32(shape, own), name)] as const;
    }),
  );
  return { ...model, weight: ({ name }) => values.get(name)! };
}

function randomVector(length: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => 0.1 * Math.sin(7 * i + 1));
}

async function results(model: BaseModel, golden: ReturnType<typeof openGolden>, options: TrainingStepOptions) {
  const settings: AdapterSettings = { kind: "combination", lora: golden.lora, reft: golden.loreft } as AdapterSettings;
  const method = adapterMethod(settings);
  const slots = adapterSlots(method.tensors(settings, model.shape));
  const adapter = randomVector(parameterCount(slots));
  const { examples, tokens } = golden.size;
  const { labels } = golden;
  const adapted = { model, adapter: settings, slots };
  const shape = { examples, tokens, labels: labels.length };
  const feeds: Record<string, Tensor> = {
    input_ids: int64([examples, tokens], golden.integers("input_ids")),
    ...(model.classifier && { attention_mask: int64([examples, tokens], golden.integers("attention_mask")) }),
    label_rows: int64(
      [labels.length],
      labels.map(({ row }) => row),
    ),
    label_ids: int64(
      [labels.length],
      labels.map(({ id }) => id),
    ),
    adapter: float32([adapter.length], adapter),
    ...interventionFeeds(method.positions(settings), golden.promptLengths, tokens),
  };
  const weights = float32([labels.length], new Float32Array(labels.length).fill(1 / labels.length));
  const run = async (graph: Parameters<typeof encodeModel>[0], given: Record<string, Tensor>) => {
    const session = await runtime.load(encodeModel(graph), modelSession(model, { threads: 1 }));
    const outputs = await session.run(given);
    await session.close();
    return outputs;
  };
  const { loss, gradient } = await run(trainingStepGraph(adapted, shape, options), {
    ...feeds,
    label_weights: weights,
  });
  const { losses } = await run(evaluationGraph(adapted, shape), feeds);
  return {
    slots,
    loss: Number(loss!.data[0]),
    gradient: gradient!.data as Float32Array,
    losses: losses!.data as Float32Array,
  };
}

/** Largest difference, relative to the largest expected value. */
function relativeError(actual: Float32Array, expected: Float32Array): number {
  const scale = expected.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const off = expected.reduce((most, x, i) => Math.max(most, Math.abs(x - actual[i]!)), 0);
  return scale === 0 ? off : off / scale;
}

/** Golden directories whose values that a form rounds are values of that form already. */
const STORED_SO: Readonly<Record<Exclude<BaseForm, "f32">, readonly string[]>> = {
  q4: ["llama-awq-symmetric", "llama-gptq", "llama-gptq-128"],
  q8: ["llama-awq-symmetric", "llama-gptq", "llama-gptq-128", "qwen3-awq"],
  f16: ["qwen3-gguf-f16"],
  "q4-e8": ["gemma3-gguf-q4"],
  "q8-e8": [],
};

/** Loss, losses of evaluation and every gradient of a golden directory, against the model that the form stands for. */
export async function checkNarrowBase(name: string, form: Exclude<BaseForm, "f32">, options: TrainingStepOptions = {}) {
  const golden = openGolden(name);
  const { model } = golden;
  const directory = goldenModel(golden.directory);
  const { cache: _, ...files } = readModelFiles(directory);
  const expected = await results(standsFor(model, directory, form), golden, options);
  const actual = await results(inBaseForm(model, files, form), golden, options);
  expect(Math.abs(actual.loss / expected.loss - 1)).toBeLessThan(1e-5);
  expect(relativeError(actual.losses, expected.losses)).toBeLessThan(1e-5);
  for (const { name: slot, offset, length } of actual.slots) {
    const part = (all: Float32Array) => all.subarray(offset, offset + length);
    expect(relativeError(part(actual.gradient), part(expected.gradient)), slot).toBeLessThan(1e-4);
  }
  const plain = await results(model, golden, options);
  const rounded = relativeError(actual.gradient, plain.gradient);
  if (STORED_SO[form].includes(name)) expect(rounded, "nothing is rounded").toBe(0);
  else expect(rounded, "rounded at all").toBeGreaterThan(1e-5);
}

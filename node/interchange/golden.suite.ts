/** The golden folders (../shared/bench/make_golden.py): tensors, and the loss of a model with an adapter in float64. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { adapterMethod } from "../adapter/methods.ts";
import { interventionFeeds } from "../adapter/positions.ts";
import type { UsedAdapter } from "../generation/inference-graph.ts";
import { textGraph } from "../generation/inference-graph.ts";
import type { BaseModel } from "../model/base-model.ts";
import { loadBaseModel } from "../model/huggingface.ts";
import { readSafetensors, toFloat32 } from "../model/safetensors.ts";
import { encodeModel } from "../onnx/codec.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { readModelFiles } from "../system/files/model-files.ts";
import type { Tensor } from "../tensor.ts";
import { int64 } from "../tensor.ts";
import type { SavedAdapter } from "./saved-adapter.ts";
import { slotsOf, tensorsOf } from "./saved-adapter.ts";

const GOLDEN = join(import.meta.dirname, "../../../shared/assets/golden");

/** Folders by name; none where the assets are not at hand. */
export const GOLDEN_FAMILIES: readonly string[] = existsSync(GOLDEN) ? readdirSync(GOLDEN).toSorted() : [];

/** Digest for tests in which the model is known to be the right one. */
export const NO_DIGEST = { weights: "0".repeat(64), config: "0".repeat(64), tokenizer: "0".repeat(64) };

export function openGolden(family: string) {
  const directory = join(GOLDEN, family);
  const path = join(directory, "golden.safetensors");
  const { tensors } = readSafetensors(readFileSync(path), { name: path });
  const meta = JSON.parse(readFileSync(join(directory, "golden.json"), "utf8"));
  const entry = (name: string) => {
    const tensor = tensors.get(name);
    if (!tensor) throw new Error(`${directory} has no golden tensor ${name}`);
    return tensor;
  };
  return {
    directory,
    meta,
    model: loadBaseModel(readModelFiles(directory)),
    names: [...tensors.keys()],
    shape: (name: string) => entry(name).shape,
    floats: (name: string) => toFloat32(entry(name)),
    integers: (name: string) => Array.from(new BigInt64Array(entry(name).bytes.slice().buffer), Number),
  };
}

export type Golden = ReturnType<typeof openGolden>;

export const used = (adapter: SavedAdapter, model: BaseModel): UsedAdapter => {
  const tensor = tensorsOf(adapter, model);
  const names = [
    ...slotsOf(adapter).map(({ name }) => name),
    ...adapterMethod(adapter.settings).frozen(adapter.settings, model.shape, adapter.seed).keys(),
  ];
  return { settings: adapter.settings, tensors: new Map(names.map((name) => [name, tensor(name)])) };
};

/** Logits of the golden texts. */
export async function goldenLogits(
  golden: Golden,
  adapter: UsedAdapter | undefined,
  model: BaseModel = golden.model,
): Promise<Float32Array> {
  const [examples, tokens] = golden.shape("input_ids") as [number, number];
  const mask = golden.integers("attention_mask");
  const prompts = Array.from(
    { length: examples },
    (_, b) =>
      golden.meta.loreft.prompt_tokens ?? mask.slice(b * tokens, (b + 1) * tokens).reduce((sum, one) => sum + one, 0),
  );
  const counts = adapter ? adapterMethod(adapter.settings).positions(adapter.settings) : { first: 0, last: 0 };
  const feeds: Record<string, Tensor> = {
    input_ids: int64([examples, tokens], golden.integers("input_ids")),
    ...(model.classifier ? { attention_mask: int64([examples, tokens], mask) } : {}),
    ...interventionFeeds(counts, prompts, tokens),
  };
  const session = await createOnnxRuntime().load(encodeModel(textGraph({ model, adapter }, { examples, tokens })), {
    externalData: model.externalData,
    threads: 1,
  });
  const { logits } = await session.run(feeds);
  await session.close();
  return logits!.data as Float32Array;
}

/** Mean cross entropy of the golden labels, in float64. */
export async function goldenLoss(
  golden: Golden,
  adapter: UsedAdapter | undefined,
  model: BaseModel = golden.model,
): Promise<number> {
  const logits = await goldenLogits(golden, adapter, model);
  const [examples, tokens] = golden.shape("input_ids") as [number, number];
  const labels = golden.integers("labels");
  const width = golden.shape("base_logits").at(-1)!;
  const rows = model.classifier
    ? labels.map((label, b) => ({ row: b, label }))
    : Array.from({ length: examples * tokens }, (_, row) => ({ row, label: labels[row + 1] ?? -100 })).filter(
        ({ row, label }) => row % tokens < tokens - 1 && label !== -100,
      );
  const losses = rows.map(({ row, label }) => {
    const z = Array.from(logits.subarray(row * width, (row + 1) * width));
    const top = Math.max(...z);
    return top + Math.log(z.reduce((sum, value) => sum + Math.exp(value - top), 0)) - z[label]!;
  });
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
}

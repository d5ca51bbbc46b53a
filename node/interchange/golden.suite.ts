/** Logits of a golden model with an adapter, and their loss in float64. */
import { adapterMethod } from "../adapter/methods.ts";
import { interventionFeeds } from "../adapter/positions.ts";
import type { UsedAdapter } from "../generation/inference-graph.ts";
import { textGraph } from "../generation/inference-graph.ts";
import type { Golden } from "../golden/golden-models.suite.ts";
import type { BaseModel } from "../model/base-model.ts";
import { encodeModel } from "../onnx/codec.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import type { Tensor } from "../tensor.ts";
import { int64 } from "../tensor.ts";
import type { SavedAdapter } from "./saved-adapter.ts";
import { slotsOf, tensorsOf } from "./saved-adapter.ts";

/** Digest for tests in which the model is known to be the right one. */
export const NO_DIGEST = { weights: "0".repeat(64), config: "0".repeat(64), tokenizer: "0".repeat(64) };

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
  const { examples, tokens } = golden.size;
  const counts = adapter ? adapterMethod(adapter.settings).positions(adapter.settings) : { first: 0, last: 0 };
  const feeds: Record<string, Tensor> = {
    input_ids: int64([examples, tokens], golden.integers("input_ids")),
    ...(model.classifier ? { attention_mask: int64([examples, tokens], golden.integers("attention_mask")) } : {}),
    ...interventionFeeds(counts, golden.promptLengths, tokens),
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
  const width = golden.shape("base_logits").at(-1)!;
  // A classifier has one row of logits for each text.
  const rowsPerText = model.classifier && model.classifier.reads !== "each token" ? golden.size.tokens : 1;
  const losses = golden.labels.map(({ row, id }) => {
    const at = row / rowsPerText;
    const z = Array.from(logits.subarray(at * width, (at + 1) * width));
    const top = Math.max(...z);
    return top + Math.log(z.reduce((sum, value) => sum + Math.exp(value - top), 0)) - z[id]!;
  });
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
}

/**
 * The gradient that an onlooker sees of one text: the change that one step of plain gradient descent makes in the
 * values that travel.
 */
import { adapterMethod } from "../adapter/methods.ts";
import { sentPart } from "../adapter/sent-part.ts";
import { fillBatch, planShape } from "../data/batch.ts";
import type { Runtime } from "../interface/runtime.ts";
import type { Example } from "../interface/trainer.ts";
import { encodeModel } from "../onnx/codec.ts";
import { float32 } from "../tensor.ts";
import { modelFeeds, weightFeeds } from "../training/feeds.ts";
import { type AdaptedModel, trainingStepGraph } from "../training/training-step.ts";

/** By the training engine itself, as a peer computes it.  adapter f32[P] -> f32[S], of the tensors that travel. */
export async function seenGradient(
  runtime: Runtime,
  {
    adapted,
    example,
    adapter,
    threads,
  }: {
    readonly adapted: AdaptedModel;
    readonly example: Example;
    readonly adapter: Float32Array;
    readonly threads: number;
  },
): Promise<Float32Array> {
  const { model, adapter: settings, slots } = adapted;
  const method = adapterMethod(settings);
  const shape = { ...planShape([example], { batchSize: 1 }), tokens: example.tokens.length };
  const graph = trainingStepGraph(adapted, { ...shape, examples: 1 });
  const session = await runtime.load(encodeModel(graph), { externalData: model.externalData, threads });
  try {
    const batch = fillBatch([example], { shape, padId: 0 });
    const feeding = { counts: method.positions(settings), classifies: false as const };
    const feeds = { ...modelFeeds(batch, feeding), ...weightFeeds(batch, batch.labelCount) };
    const result = await session.run({ ...feeds, adapter: float32([adapter.length], adapter) });
    return sentPart(slots, method.sent(settings, model.shape)).sentOf(result.gradient!.data as Float32Array);
  } finally {
    await session.close();
  }
}

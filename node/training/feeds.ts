/** The inputs of a training or evaluation graph, made from a batch. */
import type { PositionCounts } from "../adapter/positions.ts";
import { interventionFeeds } from "../adapter/positions.ts";
import type { Batch } from "../data/batch.ts";
import type { Classifier } from "../model/base-model.ts";
import type { Tensor } from "../tensor.ts";
import { float32 } from "../tensor.ts";
import { classifierFeeds } from "./classification.ts";

/** The settings that decide a graph's inputs, beside the batch. */
export interface Feeding {
  /** Prompt positions that the adapter edits. */
  readonly counts: PositionCounts;
  /** From what a classifier reads its classes; false for language models. */
  readonly classifies: Classifier["reads"] | false;
}

/** Inputs of the model and its adapter, without the adapter itself. */
export function modelFeeds(batch: Batch, { counts, classifies }: Feeding): Record<string, Tensor> {
  const prompts = Array.from(batch.promptLengths.data as BigInt64Array, Number);
  const { inputIds: input_ids, labelRows: label_rows, labelIds: label_ids, packing } = batch;
  const starts = packing ? packing.spans.map(({ start }) => start) : batch.inputIds.shape[1]!;
  return {
    ...(classifies ? classifierFeeds(batch, classifies) : { input_ids, label_rows, label_ids }),
    ...(packing ? { positions: packing.positions, segments: packing.segments } : {}),
    ...interventionFeeds(counts, prompts, starts),
  };
}

/** label_weights: 1 / labels for each label, so that a loss is the mean over so many labels. */
export function weightFeeds({ labelWeights }: Batch, labels: number): Record<"label_weights", Tensor> {
  const weights = (labelWeights.data as Float32Array).map((weight) => weight / labels);
  return { label_weights: float32(labelWeights.shape, weights) };
}

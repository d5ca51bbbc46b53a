/**
 * Classifiers differ from language models in their batches, with a mask and one label per text, and in their head.
 * In an example of a classifier the last value is the number of the class, and the text's tokens stand before it.
 */
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import { createPrng } from "../../protocol/prng.ts";
import type { Batch } from "../data/batch.ts";
import { NodeError } from "../errors.ts";
import type { Example } from "../interface/trainer.ts";
import type { BaseModel, Classifier, WeightShape } from "../model/base-model.ts";
import type { Tensor } from "../tensor.ts";
import { int64 } from "../tensor.ts";

/** Deviation of a new head's weights, as in the encoders' own start; biases start at 0, norms at 1. */
const HEAD_DEVIATION = 0.02;

/** The fate of a classifier's head: trained and kept by the peer, trained and sent, or left as it is. */
export type HeadRole = "trained" | "shared" | "frozen";

/** The head's tensors that are trained with the adapter; none for language models. */
export function trainedHead(model: BaseModel, head: HeadRole = "trained"): readonly WeightShape[] {
  return head === "frozen" ? [] : (model.classifier?.head ?? []);
}

/** The start of a head's tensors, one after another: as stored, or drawn from the network's seed where the files hold no head. */
export function headStart(model: BaseModel, head: readonly WeightShape[], networkSeed: number): Float32Array {
  const slots = adapterSlots(head);
  const theta = new Float32Array(slots.reduce((sum, slot) => sum + slot.length, 0));
  for (const [i, { name, shape, offset, length }] of slots.entries()) {
    if (model.has(head[i]!)) theta.set(model.values(head[i]!), offset);
    else if (/norm\.weight$/i.test(name)) theta.fill(1, offset, offset + length);
    else if (shape.length > 1) {
      const stream = createPrng(networkSeed).fork("head").fork(name);
      for (let k = 0; k < length; k++) theta[offset + k] = HEAD_DEVIATION * stream.normal();
    }
  }
  return theta;
}

/** The tokens of a classifier's example.  Throws: DATA_FORMAT when a class is none of the model's. */
export function textOf({ tokens, promptLength, places }: Example, { labels, reads }: Classifier): readonly number[] {
  const classes = tokens.slice(promptLength);
  const known = classes.every((label) => Object.hasOwn(labels, label));
  if (reads === "each token") {
    if (known && places?.length === classes.length) return tokens.slice(0, promptLength);
    const text = `an example of this model is a text and a class of 0 to ${labels.length - 1} for some of its tokens`;
    throw new NodeError("DATA_FORMAT", text, { classes: labels.length });
  }
  const label = tokens[promptLength];
  if (classes.length === 1 && known && places === undefined) return tokens.slice(0, promptLength);
  const text = `a classifier's example is a text and one class of 0 to ${labels.length - 1}; this one ends with ${label}`;
  throw new NodeError("DATA_FORMAT", text, { label, classes: labels.length });
}

/**
 * A batch as a classifier sees it: the class is taken out of the ids, the mask i64[B,T] is 1 on the text, and every
 * label is read at its text's first token, or at its own.
 */
export function classifierFeeds(
  batch: Batch,
  reads: Classifier["reads"],
): Record<"input_ids" | "attention_mask" | "label_rows" | "label_ids", Tensor> {
  const [examples, tokens] = batch.inputIds.shape as [number, number];
  const ids = Array.from(batch.inputIds.data as BigInt64Array, Number);
  const lengths = Array.from(batch.promptLengths.data as BigInt64Array, Number);
  const mask = ids.map((_, row) => (row % tokens < lengths[Math.floor(row / tokens)]! ? 1 : 0));
  const rows = Array.from(batch.labelRows.data as BigInt64Array, Number);
  return {
    input_ids: int64(
      [examples, tokens],
      ids.map((id, row) => id * mask[row]!),
    ),
    attention_mask: int64([examples, tokens], mask),
    label_rows: int64([rows.length], reads === "each token" ? rows : rows.map((row) => row - (row % tokens))),
    label_ids: batch.labelIds,
  };
}

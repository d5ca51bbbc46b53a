/** What evaluation batches amount to: loss, token accuracy, exact match. */
import type { Batch } from "../data/batch.ts";
import type { Evaluation } from "../interface/trainer.ts";

export interface EvaluatedBatch {
  readonly batch: Batch;
  /** f32[M] in nats. */
  readonly losses: ArrayLike<number>;
  /** Most likely token of every row, [M]. */
  readonly predicted: ArrayLike<number>;
}

/**
 * Mean loss over all response tokens, share of tokens predicted, share of examples predicted wholly; sums in float64.
 * Labels of one example stand together and the rows of different examples lie in different multiples of T.
 */
export function summarize(parts: readonly EvaluatedBatch[]): Evaluation {
  let [loss, tokens, hits, examples, exact] = [0, 0, 0, 0, 0];
  for (const { batch, losses, predicted } of parts) {
    const width = batch.inputIds.shape[1]!;
    const missed = new Set<number>();
    for (let m = 0; m < batch.labelCount; m++) {
      loss += losses[m]!;
      tokens += 1;
      if (predicted[m] === Number(batch.labelIds.data[m])) hits += 1;
      else missed.add(Math.floor(Number(batch.labelRows.data[m]) / width));
    }
    examples += batch.exampleCount;
    exact += batch.exampleCount - missed.size;
  }
  if (tokens === 0) return { loss: Number.NaN, accuracy: Number.NaN, exactMatch: Number.NaN, tokens };
  return { loss: loss / tokens, accuracy: hits / tokens, exactMatch: exact / examples, tokens };
}

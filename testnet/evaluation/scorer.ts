/** Scores of an adapter on any examples, for all peers through one evaluation graph. */

import { adapterMethod } from "../../node/adapter/methods.ts";
import type { Batch } from "../../node/data/batch.ts";
import { evaluationBatches, planShape } from "../../node/data/batch.ts";
import type { Evaluation, Example } from "../../node/interface/trainer.ts";
import { encodeModel } from "../../node/onnx/codec.ts";
import { float32 } from "../../node/tensor.ts";
import { type EvaluatedBatch, summarize } from "../../node/training/evaluate.ts";
import { modelFeeds } from "../../node/training/feeds.ts";
import { evaluationGraph } from "../../node/training/training-step.ts";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import type { SharedBase } from "./base.ts";

/** Examples at once: what the product's own evaluation takes. */
const BATCH = 16;

/** Scores adapters of one form. */
export interface Scorer {
  /** theta: all trained values f32[P]. */
  score(examples: readonly Example[], theta: Float32Array): Promise<Evaluation>;
  /** The same, and whether the whole response of each example is predicted. */
  judge(
    examples: readonly Example[],
    theta: Float32Array,
  ): Promise<Evaluation & { readonly whole: readonly boolean[] }>;
  /** Negative log likelihood of each example's response under theta, in nats, summed over its tokens. */
  likelihoods(examples: readonly Example[], theta: Float32Array): Promise<readonly number[]>;
}

/** Whether every label of each example of a batch is predicted. */
function wholeAnswers({ batch, predicted }: EvaluatedBatch): readonly boolean[] {
  const width = batch.inputIds.shape[1]!;
  const whole = Array.from({ length: batch.exampleCount }, () => true);
  for (let m = 0; m < batch.labelCount; m++) {
    const example = Math.floor(Number(batch.labelRows.data[m]) / width);
    if (predicted[m] !== Number(batch.labelIds.data[m])) whole[example] = false;
  }
  return whole;
}

/** fits: examples of at least the length of any that will be scored.  Throws: what the runtime throws. */
export async function createScorer(
  base: SharedBase,
  options: { readonly adapter: AdapterSettings; readonly networkSeed: number; readonly fits: readonly Example[] },
): Promise<Scorer> {
  const { model } = base;
  const { adapter, networkSeed, fits } = options;
  const method = adapterMethod(adapter);
  const shape = planShape(fits, { batchSize: BATCH });
  const slots = adapterSlots(method.tensors(adapter, model.shape));
  const frozen = method.frozen(adapter, model.shape, networkSeed);
  const graph = evaluationGraph({ model, adapter, slots, frozen }, { ...shape, examples: BATCH });
  const session = await base.runtime.load(encodeModel(graph), {
    externalData: model.externalData,
    threads: base.threads,
  });
  const feeding = { counts: method.positions(adapter), classifies: false as const };
  const run = async (batch: Batch, theta: Float32Array): Promise<EvaluatedBatch> => {
    const result = await session.run({ ...modelFeeds(batch, feeding), adapter: float32([theta.length], theta) });
    const predicted = Array.from(result.predicted!.data as BigInt64Array, Number);
    return { batch, losses: result.losses!.data as Float32Array, predicted };
  };
  const all = async (examples: readonly Example[], theta: Float32Array): Promise<EvaluatedBatch[]> => {
    const parts: EvaluatedBatch[] = [];
    for (const batch of evaluationBatches(examples, { shape })) parts.push(await run(batch, theta));
    return parts;
  };
  return {
    score: async (examples, theta) => summarize(await all(examples, theta)),
    judge: async (examples, theta) => {
      const parts = await all(examples, theta);
      return { ...summarize(parts), whole: parts.flatMap(wholeAnswers) };
    },
    likelihoods: async (examples, theta) => {
      const sums = new Array<number>(examples.length).fill(0);
      for (const [b, { batch, losses }] of (await all(examples, theta)).entries()) {
        for (let m = 0; m < batch.labelCount; m++) {
          const row = Math.floor(Number(batch.labelRows.data[m]) / shape.tokens);
          sums[b * BATCH + row]! += losses[m]!;
        }
      }
      return sums;
    },
  };
}

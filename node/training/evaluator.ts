/** Evaluation of an adapter on one of a peer's sets. */
import { evaluationBatches } from "../data/batch.ts";
import { planBuckets } from "../data/bucket.ts";
import type { Runtime, SessionOptions } from "../interface/runtime.ts";
import type { Evaluation, Example, ExampleSets } from "../interface/trainer.ts";
import { encodeModel } from "../onnx/codec.ts";
import { float32 } from "../tensor.ts";
import { createBucketSessions } from "./bucket-sessions.ts";
import { type EvaluatedBatch, summarize } from "./evaluate.ts";
import { type Feeding, modelFeeds } from "./feeds.ts";
import { type AdaptedModel, evaluationGraph } from "./training-step.ts";

/** Examples evaluated at once: enough to fill two cores, few enough that the logits stay small. */
const EVALUATION_BATCH = 16;

/** What is evaluated: an adapted model and a peer's example sets. */
export interface EvaluatorOptions {
  readonly runtime: Runtime;
  readonly adapted: AdaptedModel;
  readonly sessionOptions: SessionOptions;
  readonly data: ExampleSets;
  readonly feeding: Feeding;
  /** At most so many different lengths of batches. */
  readonly bucketsMax: number;
}

/** Evaluates adapters of one model on one peer's sets. */
export interface Evaluator {
  /** The first `examplesMax` examples of a set under an adapter f32[P]. */
  evaluate(options: {
    readonly set: keyof ExampleSets;
    readonly adapter: Float32Array;
    readonly examplesMax: number;
  }): Promise<Evaluation>;
  /** Loss of each example of a set, in its order: nats, summed over its labelled tokens. */
  exampleLosses(options: {
    readonly set: keyof ExampleSets;
    readonly adapter: Float32Array;
  }): Promise<readonly number[]>;
  close(): Promise<void>;
}

/** Its sessions are made when they are first needed, for the lengths of all examples. */
export function createEvaluator(options: EvaluatorOptions): Evaluator {
  const { runtime, adapted, sessionOptions, data, feeding, bucketsMax } = options;
  const all = [...data.train, ...data.validation, ...data.test];
  const shapes = planBuckets(all, { batchSize: EVALUATION_BATCH, bucketsMax }).map(({ shape }) => shape);
  const bucketOf = ({ tokens }: Example): number => shapes.findIndex((shape) => tokens.length <= shape.tokens);
  const sessions = createBucketSessions((bucket) => {
    const shape = shapes[bucket]!;
    return runtime.load(encodeModel(evaluationGraph(adapted, { ...shape, examples: shape.batchSize })), sessionOptions);
  });
  const run = async (examples: readonly Example[], adapter: Float32Array): Promise<Part[]> => {
    const theta = float32([adapter.length], adapter);
    const parts: Part[] = [];
    for (const [bucket, shape] of shapes.entries()) {
      const members = examples.flatMap((example, at) => (bucketOf(example) === bucket ? [{ example, at }] : []));
      const batches = evaluationBatches(
        members.map(({ example }) => example),
        { shape },
      );
      for (const [i, batch] of batches.entries()) {
        const first = i * shape.batchSize;
        const session = await sessions.at(bucket);
        const result = await session.run({ ...modelFeeds(batch, feeding), adapter: theta });
        const own = members.slice(first, first + shape.batchSize);
        parts.push({
          batch,
          losses: result.losses!.data as Float32Array,
          predicted: Array.from(result.predicted!.data as BigInt64Array, Number),
          tasks: own.map(({ example }) => example.task),
          places: own.map(({ at }) => at),
        });
      }
    }
    return parts;
  };
  return {
    evaluate: async ({ set, adapter, examplesMax }) => summarize(await run(data[set].slice(0, examplesMax), adapter)),
    exampleLosses: async ({ set, adapter }) => {
      const sums = new Array<number>(data[set].length).fill(0);
      for (const { batch, losses, places } of await run(data[set], adapter)) {
        const width = batch.inputIds.shape[1]!;
        for (let m = 0; m < batch.labelCount; m++) {
          const row = Math.floor(Number(batch.labelRows.data[m]) / width);
          sums[places[row]!]! += losses[m]!;
        }
      }
      return sums;
    },
    close: sessions.close,
  };
}

/** A batch that was evaluated, and the places of its examples in their set. */
type Part = EvaluatedBatch & { readonly places: readonly number[] };

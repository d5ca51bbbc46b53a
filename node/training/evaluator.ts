/** Evaluation of an adapter on one of a peer's sets. */
import { evaluationBatches } from "../data/batch.ts";
import { planBuckets } from "../data/bucket.ts";
import type { Runtime, SessionOptions } from "../interface/runtime.ts";
import type { Evaluation, Example, ExampleSets } from "../interface/trainer.ts";
import type { BaseModel } from "../model/base-model.ts";
import { encodeModel } from "../onnx/codec.ts";
import { float32 } from "../tensor.ts";
import { createBucketSessions } from "./bucket-sessions.ts";
import { type EvaluatedBatch, summarize } from "./evaluate.ts";
import { type Feeding, modelFeeds } from "./feeds.ts";
import { type AdaptedModel, type BatchShape, evaluationGraph } from "./training-step.ts";

/** Examples evaluated at once: enough to fill two cores, few enough that the logits stay small. */
const EVALUATION_BATCH = 16;

/** Tokens of a batch where memory is short. */
const LOW_MEMORY_TOKENS = 1024;

/** Examples that are evaluated at once: of a length, and fewer long ones where memory is short. */
export function examplesAtOnce({
  tokens,
  lowMemory,
}: {
  readonly tokens: number;
  readonly lowMemory: boolean;
}): number {
  return lowMemory ? Math.max(1, Math.min(EVALUATION_BATCH, Math.floor(LOW_MEMORY_TOKENS / tokens))) : EVALUATION_BATCH;
}

/** The batch in which texts of a length are evaluated, all of whose tokens are learnt. */
export function evaluationShape({
  model,
  ...size
}: {
  readonly tokens: number;
  readonly lowMemory: boolean;
  readonly model: Pick<BaseModel, "classifier">;
}): BatchShape {
  const examples = examplesAtOnce(size);
  const { tokens } = size;
  return { examples, tokens, labels: model.classifier ? examples : examples * (tokens - 1) };
}

/** What is evaluated: an adapted model and a peer's example sets. */
export interface EvaluatorOptions {
  readonly runtime: Runtime;
  readonly adapted: AdaptedModel;
  readonly sessionOptions: SessionOptions;
  readonly data: ExampleSets;
  readonly feeding: Feeding;
  /** At most so many different lengths of batches. */
  readonly bucketsMax: number;
  /** Whether long texts are evaluated a few at a time; default: all in batches of the same size. */
  readonly lowMemory?: boolean;
}

/** Evaluates adapters of one model on one peer's sets. */
export interface Evaluator {
  /** The first `examplesMax` examples of a set under an adapter f32[P]. */
  evaluate(options: {
    readonly set: keyof ExampleSets;
    readonly adapter: Float32Array;
    readonly examplesMax: number;
  }): Promise<Evaluation>;
  close(): Promise<void>;
}

/** Its sessions are made when they are first needed, for the lengths of all examples. */
export function createEvaluator(options: EvaluatorOptions): Evaluator {
  const { runtime, adapted, sessionOptions, data, feeding, bucketsMax, lowMemory = false } = options;
  const all = [...data.train, ...data.validation, ...data.test];
  const tokens = all.reduce((most, example) => Math.max(most, example.tokens.length), 1);
  const batchSize = examplesAtOnce({ tokens, lowMemory });
  const shapes = planBuckets(all, { batchSize, bucketsMax }).map(({ shape }) => shape);
  const bucketOf = ({ tokens }: Example): number => shapes.findIndex((shape) => tokens.length <= shape.tokens);
  const sessions = createBucketSessions((bucket) => {
    const shape = shapes[bucket]!;
    return runtime.load(encodeModel(evaluationGraph(adapted, { ...shape, examples: shape.batchSize })), sessionOptions);
  });
  return {
    evaluate: async ({ set, adapter, examplesMax }) => {
      const examples = data[set].slice(0, examplesMax);
      const theta = float32([adapter.length], adapter);
      const parts: EvaluatedBatch[] = [];
      for (const [bucket, shape] of shapes.entries()) {
        const members = examples.filter((example) => bucketOf(example) === bucket);
        for (const [i, batch] of evaluationBatches(members, { shape }).entries()) {
          const first = i * shape.batchSize;
          const session = await sessions.at(bucket);
          const result = await session.run({ ...modelFeeds(batch, feeding), adapter: theta });
          parts.push({
            batch,
            losses: result.losses!.data as Float32Array,
            predicted: Array.from(result.predicted!.data as BigInt64Array, Number),
            tasks: members.slice(first, first + shape.batchSize).map(({ task }) => task),
          });
        }
      }
      return summarize(parts);
    },
    close: sessions.close,
  };
}

/** Evaluation of an adapter on one of a peer's sets. */
import { type Batch, evaluationBatches, readTokens } from "../data/batch.ts";
import { type Bucket, planBuckets } from "../data/bucket.ts";
import type { Runtime, Session, SessionOptions } from "../interface/runtime.ts";
import type { Evaluation, Example, ExampleSets } from "../interface/trainer.ts";
import type { BaseModel } from "../model/base-model.ts";
import { encodeModel } from "../onnx/codec.ts";
import type { OnnxGraph } from "../onnx/value.ts";
import { float32, type Tensor } from "../tensor.ts";
import { type BucketSessions, createBucketSessions } from "./bucket-sessions.ts";
import { type EvaluatedBatch, exampleLossesOf, lossInterval, summarize } from "./evaluate.ts";
import { EvaluatedAdapters, keepBatch, knownBatch } from "./evaluated-examples.ts";
import { type Feeding, modelFeeds } from "./feeds.ts";
import {
  ACTIVATION_BYTES_MAX,
  type ActivationStore,
  createActivationStore,
  createFrozenBlocks,
  declaredOnly,
  type FrozenBlocks,
} from "./frozen-blocks.ts";
import { evaluationSession } from "./step-session.ts";
import { type AdaptedModel, type BatchShape, cutEvaluation } from "./training-step.ts";

/** Examples evaluated at once: enough to fill two cores, few enough that the logits stay small. */
const EVALUATION_BATCH = 16;

/** What a person reads meanwhile. */
const EVALUATING = "evaluating";

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

/** Kept activations of at most so many bytes: an eighth of what training keeps, for a set that is as much smaller. */
export const EVALUATION_BYTES_MAX = ACTIVATION_BYTES_MAX / 8;

/** What is evaluated: an adapted model and a peer's example sets. */
export interface EvaluatorOptions {
  readonly runtime: Runtime;
  readonly adapted: AdaptedModel;
  readonly sessionOptions: SessionOptions;
  readonly data: ExampleSets;
  readonly feeding: Feeding;
  /** Names of a classifier's classes. */
  readonly labels?: readonly string[] | undefined;
  /** At most so many different lengths of batches. */
  readonly bucketsMax: number;
  /**
   * Bytes of activations below the lowest adapter that are kept of the validation set, which is evaluated again and again; the other
   * sets are evaluated once or twice. None when absent.
   */
  readonly activationBytesMax?: number;
  /** Whether long texts are evaluated a few at a time; default: all in batches of the same size. */
  readonly lowMemory?: boolean;
  /** Never cut the output matrix, as `PartsOptions` has it. */
  readonly wholeMatrix?: boolean;
  /** Whether the weights of one block are in memory at a time; default: those of all. */
  readonly streamBlocks?: boolean;
}

/** Evaluates adapters of one model on one peer's sets. */
export interface Evaluator {
  /** The first `examplesMax` examples of a set under an adapter f32[P]. */
  evaluate(options: {
    readonly set: keyof ExampleSets;
    readonly adapter: Float32Array;
    readonly examplesMax: number;
    readonly perExample?: boolean | undefined;
  }): Promise<Evaluation>;
  /** Loss of each example of a set, in its order: nats, summed over its labelled tokens. */
  exampleLosses(options: {
    readonly set: keyof ExampleSets;
    readonly adapter: Float32Array;
  }): Promise<readonly number[]>;
  close(): Promise<void>;
}

/** Its sessions are made when they are first needed, for the lengths of all examples. */
export const createEvaluator = (options: EvaluatorOptions): Evaluator => new SetEvaluator(options);

/** Sessions by length, and what is kept of the validation set between two evaluations. */
class SetEvaluator implements Evaluator {
  readonly #options: EvaluatorOptions;
  readonly #shapes: readonly Bucket["shape"][];
  readonly #sessions: BucketSessions;
  /** Of the lengths whose lower blocks are computed by themselves. */
  readonly #lower = new Map<number, { readonly blocks: FrozenBlocks; readonly above: OnnxGraph }>();
  readonly #adapters = new EvaluatedAdapters();

  constructor(options: EvaluatorOptions) {
    const { data, bucketsMax, activationBytesMax = 0, lowMemory = false } = options;
    const all = [...data.train, ...data.validation, ...data.test];
    const tokens = all.reduce((most, example) => Math.max(most, readTokens(example)), 1);
    const batchSize = examplesAtOnce({ tokens, lowMemory });
    this.#options = options;
    this.#shapes = planBuckets(all, { batchSize, bucketsMax }).map(({ shape }) => shape);
    const store = createActivationStore({ bytesMax: activationBytesMax });
    this.#sessions = createBucketSessions((bucket) => this.#sessionOf(bucket, store));
  }

  async evaluate({ set, adapter, examplesMax, perExample = false }: Parameters<Evaluator["evaluate"]>[0]) {
    const { data, feeding, labels = [] } = this.#options;
    const parts = await this.#run(set, data[set].slice(0, examplesMax), adapter);
    const summary = summarize(parts, feeding.classifies === "each token" ? labels : []);
    if (!perExample) return summary;
    const interval = lossInterval(parts);
    return { ...summary, exampleLosses: parts.flatMap(exampleLossesOf), ...(interval !== undefined && { interval }) };
  }

  async exampleLosses({ set, adapter }: Parameters<Evaluator["exampleLosses"]>[0]) {
    const examples = this.#options.data[set];
    const sums = new Array<number>(examples.length).fill(0);
    for (const { batch, losses, places } of await this.#run(set, examples, adapter)) {
      const width = batch.inputIds.shape[1]!;
      for (let m = 0; m < batch.labelCount; m++) {
        const row = Math.floor(Number(batch.labelRows.data[m]) / width);
        sums[places[row]!]! += losses[m]!;
      }
    }
    return sums;
  }

  async close() {
    await this.#sessions.close();
    for (const { blocks } of this.#lower.values()) await blocks.close();
  }

  #sessionOf(bucket: number, store: ActivationStore): Promise<Session> {
    const { runtime, adapted, sessionOptions, activationBytesMax = 0, wholeMatrix = false } = this.#options;
    const shape = { ...this.#shapes[bucket]!, examples: this.#shapes[bucket]!.batchSize };
    const how = { wholeMatrix };
    const cut = activationBytesMax > 0 ? cutEvaluation(adapted, shape, how) : undefined;
    if (!cut) {
      const { streamBlocks } = this.#options;
      return evaluationSession(runtime, { adapted, shape, sessionOptions, streamBlocks }, how);
    }
    const blocks = createFrozenBlocks({ runtime, store }, { below: cut.below, sessionOptions });
    this.#lower.set(bucket, { blocks, above: cut.above });
    return runtime.load(encodeModel(cut.above), sessionOptions);
  }

  /** What the graphs give for one batch. */
  async #compute(bucket: number, batch: Batch, theta: Tensor, keeps: boolean) {
    const session = await this.#sessions.at(bucket);
    const given = { ...modelFeeds(batch, this.#options.feeding), adapter: theta };
    const cut = this.#lower.get(bucket);
    const stream = cut && (await cut.blocks.feeds(batch, given, { keeps }));
    const { losses, predicted } = await session.run(cut ? declaredOnly(cut.above, { ...given, ...stream }) : given);
    return {
      losses: losses!.data as Float32Array,
      predicted: Array.from(predicted!.data as BigInt64Array, Number),
    };
  }

  async #run(set: keyof ExampleSets, examples: readonly Example[], adapter: Float32Array): Promise<readonly Part[]> {
    const { runtime } = this.#options;
    const theta = float32([adapter.length], adapter);
    // The other sets are evaluated once or twice.
    const keeps = set === "validation";
    const known = keeps ? this.#adapters.under(adapter) : undefined;
    const parts: Part[] = [];
    let done = 0;
    for (const [bucket, shape] of this.#shapes.entries()) {
      const members = examples.flatMap((example, at) => (this.#bucketOf(example) === bucket ? [{ example, at }] : []));
      const batches = evaluationBatches(
        members.map(({ example }) => example),
        { shape },
      );
      for (const [i, batch] of batches.entries()) {
        const own = members.slice(i * shape.batchSize, (i + 1) * shape.batchSize);
        const places = own.map(({ at }) => at);
        const before = known && knownBatch(known, places);
        const result = before ?? (await this.#compute(bucket, batch, theta, keeps));
        const part = { batch, ...result, tasks: own.map(({ example }) => example.task), places };
        if (known && !before) keepBatch(known, places, part);
        done += own.length;
        runtime.tell?.({ what: EVALUATING, done, total: examples.length, unit: "examples" });
        parts.push(part);
      }
    }
    runtime.tell?.({ what: EVALUATING, isOver: true });
    return parts;
  }

  #bucketOf(example: Example): number {
    return this.#shapes.findIndex((shape) => readTokens(example) <= shape.tokens);
  }
}

/** A batch that was evaluated, and the places of its examples in their set. */
type Part = EvaluatedBatch & { readonly places: readonly number[] };

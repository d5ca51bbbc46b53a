/**
 * Loss and gradient of one local step: of one batch, or of several whose sum is taken, so that a step may be as large
 * as memory does not allow at once.
 */
import type { Prng } from "../../protocol/prng.ts";
import { type DropoutSite, dropoutFeeds } from "../adapter/dropout.ts";
import { type Bucket, type BucketedBatch, createBucketedBatches } from "../data/bucket.ts";
import { createPackedBatches } from "../data/pack.ts";
import type { Runtime, SessionOptions } from "../interface/runtime.ts";
import type { Example } from "../interface/trainer.ts";
import { encodeModel } from "../onnx/codec.ts";
import type { OnnxGraph } from "../onnx/value.ts";
import { float32 } from "../tensor.ts";
import { createBucketSessions } from "./bucket-sessions.ts";
import { type Feeding, modelFeeds, weightFeeds } from "./feeds.ts";
import { createActivationStore, createFrozenBlocks, declaredOnly, type FrozenBlocks } from "./frozen-blocks.ts";
import { proximalFeeds } from "./proximal.ts";
import { stepSession } from "./step-session.ts";
import { type AdaptedModel, type BatchShape, cutTrainingStep, type TrainingStepOptions } from "./training-step.ts";

/** Everything that the steps of one training are computed from. */
export interface StepGradientOptions {
  readonly runtime: Runtime;
  readonly adapted: AdaptedModel;
  readonly sessionOptions: SessionOptions;
  readonly examples: readonly Example[];
  readonly buckets: readonly Bucket[];
  /** Examples per batch when they share rows; then the buckets have no say. */
  readonly packed?: number;
  readonly feeding: Feeding;
  /** Seed of the batch order. */
  readonly seed: number;
  /** k, batches per step. */
  readonly accumulate: number;
  /** l2 of the proximal term; 0 for none. */
  readonly proximal: number;
  /** Whether the proximal term is weighted value by value; default: it is not. */
  readonly fisher?: boolean;
  /** Kept activations of the frozen lower blocks, in bytes; they are computed in every step where it is 0 or absent. */
  readonly activationBytesMax?: number;
  /** Whether the weights of one block are in memory at a time; default: those of all. */
  readonly streamBlocks?: boolean;
  /** How the graphs are built, besides. */
  readonly graph?: Omit<TrainingStepOptions, "proximal" | "fisher">;
  readonly dropout: { readonly sites: readonly DropoutSite[]; readonly prng: Prng };
}

/** Loss and gradient of one local step after another. */
export interface StepGradient {
  /**
   * Loss of step t, in nats per label, and its gradient with respect to theta f32[P]: over all labels of the batches
   * k t to k t + k - 1, sum_j sum_m loss_jm / (labels of all j), the mean as if they were one batch.
   * reference: m of the proximal term, f32[P]; no term without it.  out: the gradient, f32[P].  weights: f of that
   * term, f32[P], where it is weighted; all 1 when absent.
   */
  at(
    step: number,
    theta: Float32Array,
    reference: Float32Array | undefined,
    out: Float32Array,
    weights?: Float32Array,
  ): Promise<number>;
  close(): Promise<void>;
}

/** The session of the longest bucket is loaded at once: what is too large, or refused, is known before the first step. */
export async function createStepGradient(options: StepGradientOptions): Promise<StepGradient> {
  const { runtime, adapted, sessionOptions, feeding, accumulate, proximal, dropout } = options;
  const { shapes, batchesAt } = drawsOf(options);
  const { activationBytesMax = 0 } = options;
  const store = createActivationStore({ bytesMax: activationBytesMax });
  const lower = new Map<number, { readonly blocks: FrozenBlocks; readonly above: OnnxGraph }>();
  const sessions = createBucketSessions((bucket) => {
    const whole = shapes[bucket]!;
    const how = { ...options.graph, proximal: proximal > 0, fisher: options.fisher ?? false };
    const cut = activationBytesMax > 0 ? cutTrainingStep(adapted, whole, how) : undefined;
    if (cut) {
      const blocks = createFrozenBlocks({ runtime, store }, { below: cut.below, sessionOptions });
      lower.set(bucket, { blocks, above: cut.above });
    }
    if (cut) return runtime.load(encodeModel(cut.above), sessionOptions);
    return stepSession(runtime, { adapted, shape: whole, sessionOptions, streamBlocks: options.streamBlocks }, how);
  });
  await sessions.at(shapes.length - 1);
  const lossOut = new Float32Array(1);

  /** One batch's share; its outputs are written where they are wanted, nothing is allocated for them. */
  const run = async (
    { batch, bucket, name }: Drawn,
    feeds: Parameters<Awaited<ReturnType<typeof sessions.at>>["run"]>[0],
    gradient: Float32Array,
  ): Promise<number> => {
    const shape = shapes[bucket]!;
    const masks = dropoutFeeds(dropout.sites, shape.examples * shape.tokens, dropout.prng.fork(name));
    const session = await sessions.at(bucket);
    const outputs = { loss: float32([], lossOut), gradient: float32([gradient.length], gradient) };
    const model = modelFeeds(batch, feeding);
    const cut = lower.get(bucket);
    const stream = cut ? await cut.blocks.feeds(batch, model) : {};
    const given = { ...model, ...stream, ...masks, ...feeds };
    await session.run(cut ? declaredOnly(cut.above, given) : given, outputs);
    return lossOut[0]!;
  };

  return {
    at: async (step, theta, reference, out, weights) => {
      const draws = Array.from({ length: accumulate }, (_, j) => step * accumulate + j);
      const drawn = draws.flatMap(batchesAt);
      const labels = drawn.reduce((sum, { batch }) => sum + batch.labelCount, 0);
      const adapter = float32([theta.length], theta);
      const sum = drawn.length > 1 ? new Float64Array(theta.length) : undefined;
      let loss = 0;
      for (const [j, one] of drawn.entries()) {
        // The proximal term belongs to the step, so it is in the first of its batches only.
        const weight = j === 0 && reference ? proximal : 0;
        const fisher = options.fisher ? (weights ?? new Float32Array(theta.length).fill(1)) : undefined;
        const held = proximal > 0 ? proximalFeeds(reference ?? theta, weight, fisher) : {};
        const feeds = { ...weightFeeds(one.batch, labels), ...held, adapter };
        loss += await run(one, feeds, out);
        if (sum) for (let i = 0; i < sum.length; i++) sum[i]! += out[i]!;
      }
      if (sum) out.set(sum);
      return loss;
    },
    close: async () => {
      await Promise.all([sessions.close(), ...[...lower.values()].map(({ blocks }) => blocks.close())]);
    },
  };
}

/** A batch of a draw; name: of its stream of random masks. */
interface Drawn extends BucketedBatch {
  readonly name: string;
}

/** The shapes of the graphs, and the batches of every draw: several where packing needs more rows than one has. */
function drawsOf({ examples, buckets, packed, seed }: StepGradientOptions): {
  readonly shapes: readonly BatchShape[];
  readonly batchesAt: (draw: number) => readonly Drawn[];
} {
  if (packed === undefined) {
    const batches = createBucketedBatches(examples, { buckets, seed });
    const shapes = buckets.map(({ shape }) => ({ ...shape, examples: shape.batchSize }));
    return { shapes, batchesAt: (draw) => [{ ...batches.batchAt(draw), name: `step-${draw}` }] };
  }
  const { shape, batchesAt } = createPackedBatches(examples, { batchSize: packed, seed });
  return {
    shapes: [{ examples: shape.rows, tokens: shape.tokens, labels: shape.labels, packed: shape.examples }],
    batchesAt: (draw) =>
      batchesAt(draw).map((batch, i) => ({ batch, bucket: 0, name: i === 0 ? `step-${draw}` : `step-${draw}-${i}` })),
  };
}

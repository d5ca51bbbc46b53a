/**
 * The gradient of a local step that hides every single example: DP-SGD.
 * Source: Abadi et al. 2016, arXiv:1607.00133, algorithm 1, with the Poisson sampling that its accountant assumes.
 */
import { dropoutFeeds } from "../adapter/dropout.ts";
import { fillBatch } from "../data/batch.ts";
import { BUCKETS_MAX, planBuckets } from "../data/bucket.ts";
import type { PrivacySettings } from "../interface/privacy.ts";
import type { RandomSource } from "../interface/random-source.ts";
import { gaussianSource, uniformSource } from "../privacy/gaussian-noise.ts";
import { float32 } from "../tensor.ts";
import { createBucketSessions } from "./bucket-sessions.ts";
import { modelFeeds, weightFeeds } from "./feeds.ts";
import type { StepGradient, StepGradientOptions } from "./step-gradient.ts";
import { stepSession } from "./step-session.ts";

/** The options of an ordinary step, and those of its privacy. */
export interface PrivateStepGradientOptions
  extends Omit<StepGradientOptions, "buckets" | "seed" | "activationBytesMax"> {
  readonly batchSize: number;
  readonly privacy: Pick<PrivacySettings, "clip" | "noise">;
  readonly random: RandomSource;
}

/**
 * `at` gives (1/L) (sum_i g_i min(1, C/|g_i|) + N(0, (z C)^2 I)) + l2 f (theta - m), where every example i takes part
 * independently with probability q = min(1, L/N), L = k B examples, and g_i is the gradient of its own mean loss per
 * label. Neither how many take part nor a gradient that is not finite (it counts as 0) changes the noise or the divisor.
 * The loss is the mean over those that took part, the one before where nobody did. One session for each length, of one
 * example at a time: a gradient of its own for everybody, in the memory of one.
 */
export async function createPrivateStepGradient(options: PrivateStepGradientOptions): Promise<StepGradient> {
  const { runtime, adapted, sessionOptions, examples, feeding, accumulate, proximal, dropout, privacy, random } =
    options;
  const { clip, noise } = privacy;
  const lotSize = options.batchSize * accumulate;
  const rate = Math.min(1, lotSize / examples.length);
  const buckets = planBuckets(examples, { batchSize: 1, bucketsMax: BUCKETS_MAX });
  const bucketOf = new Map(buckets.flatMap(({ members }, bucket) => members.map((i) => [i, bucket] as const)));
  const sessions = createBucketSessions((bucket) => {
    const { shape } = buckets[bucket]!;
    const { streamBlocks } = options;
    const of = { adapted, shape: { ...shape, examples: 1 }, sessionOptions, streamBlocks };
    return stepSession(runtime, of, options.graph ?? {});
  });
  await sessions.at(buckets.length - 1);
  const uniform = uniformSource(random);
  const gaussian = gaussianSource(random);
  let lastLoss = 0;

  /** The gradient of one example, and its loss. */
  const ofExample = async (
    index: number,
    draw: string,
    theta: Float32Array,
  ): Promise<{ readonly loss: number; readonly gradient: Float32Array }> => {
    const bucket = bucketOf.get(index)!;
    const { shape } = buckets[bucket]!;
    const batch = fillBatch([examples[index]!], { shape, padId: 0 });
    const masks = dropoutFeeds(dropout.sites, shape.tokens, dropout.prng.fork(draw));
    const feeds = { ...modelFeeds(batch, feeding), ...masks, ...weightFeeds(batch, batch.labelCount) };
    const session = await sessions.at(bucket);
    const result = await session.run({ ...feeds, adapter: float32([theta.length], theta) });
    return { loss: Number(result.loss!.data[0]), gradient: result.gradient!.data as Float32Array };
  };

  return {
    at: async (step, theta, reference, out, weights) => {
      const sum = new Float64Array(theta.length);
      let [loss, taken] = [0, 0];
      for (let index = 0; index < examples.length; index++) {
        if (uniform() >= rate) continue;
        const one = await ofExample(index, `step-${step}-example-${index}`, theta);
        const scale = clippingScale(one.gradient, clip);
        if (scale > 0) for (let i = 0; i < sum.length; i++) sum[i]! += scale * one.gradient[i]!;
        if (Number.isFinite(one.loss)) {
          loss += one.loss;
          taken += 1;
        }
      }
      const held = reference ? proximal : 0;
      for (let i = 0; i < sum.length; i++) {
        const noised = (sum[i]! + noise * clip * gaussian()) / lotSize;
        out[i] = noised + (reference ? held * (weights?.[i] ?? 1) * (theta[i]! - reference[i]!) : 0);
      }
      if (taken > 0) lastLoss = loss / taken;
      return lastLoss;
    },
    close: sessions.close,
  };
}

/** min(1, C / |g|); 0 of a gradient that is not finite. */
function clippingScale(gradient: Float32Array, clip: number): number {
  let squares = 0;
  for (const value of gradient) squares += value * value;
  const norm = Math.sqrt(squares);
  if (!Number.isFinite(norm)) return 0;
  return norm <= clip ? 1 : clip / norm;
}

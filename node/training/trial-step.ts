/** One small training step from fixed inputs. A device runs it to show that it computes as the processor does. */
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import { createPrng } from "../../protocol/prng.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { planBuckets } from "../data/bucket.ts";
import type { Runtime } from "../interface/runtime.ts";
import type { Example } from "../interface/trainer.ts";
import { type BaseModel, modelSession } from "../model/base-model.ts";
import { createStepGradient } from "./step-gradient.ts";

/** Both ways in which adapters reach into a model: the residual stream, and the linear layers. */
export const TRIAL_KINDS = ["loreft", "lora"] as const;
/** The kind of adapter that a trial trains. */
export type TrialKind = (typeof TRIAL_KINDS)[number];

/** The result of a trial step, and the time that it took. */
export interface TrialStep {
  readonly loss: number;
  readonly gradient: Float32Array;
  /** Seconds of the step, without loading and without the first run, in which devices compile their kernels. */
  readonly seconds: number;
  /** Seconds of loading and of that first run. */
  readonly startSeconds: number;
}

/** Largest difference from the processor's result that a device may have, of the largest value (float32 in another order). */
export const DIFFERENCE_MAX = 1e-3;

/** Threads: 1, so that the processor's own result has the same bits everywhere. */
export async function trialStep(runtime: Runtime, model: BaseModel, kind: TrialKind): Promise<TrialStep> {
  const adapter = settingsOf(kind, model);
  const method = adapterMethod(adapter);
  const slots = adapterSlots(method.tensors(adapter, model.shape));
  const examples = [trialExample(model, 0), trialExample(model, 1)];
  const began = performance.now();
  const gradients = await createStepGradient({
    runtime,
    adapted: { model, adapter, slots, frozen: method.frozen(adapter, model.shape, SEED) },
    sessionOptions: modelSession(model, { threads: 1 }),
    examples,
    buckets: planBuckets(examples, { batchSize: examples.length }),
    feeding: { counts: method.positions(adapter), classifies: false },
    seed: SEED,
    accumulate: 1,
    proximal: 0,
    dropout: { sites: method.dropout(adapter, model.shape), prng: createPrng(SEED).fork("dropout") },
  });
  try {
    // Off the start, where half of LoRA's gradient is 0.
    const theta = method.start(adapter, model.shape, SEED).map((x, i) => x + 0.02 * Math.sin(i));
    method.retract(slots, theta);
    const gradient = new Float32Array(theta.length);
    await gradients.at(0, theta, undefined, gradient);
    const started = performance.now();
    const loss = await gradients.at(0, theta, undefined, gradient);
    const ended = performance.now();
    return { loss, gradient, seconds: (ended - started) / 1000, startSeconds: (started - began) / 1000 };
  } finally {
    await gradients.close();
  }
}

/** The largest difference of loss and gradient, of the loss and of the gradient's largest value; NaN where one is NaN. */
export function trialDifference(
  found: Pick<TrialStep, "loss" | "gradient">,
  expected: Pick<TrialStep, "loss" | "gradient">,
): number {
  let [difference, scale] = [0, 0];
  for (const [i, g] of expected.gradient.entries()) {
    difference = Math.max(difference, Math.abs(g - found.gradient[i]!));
    scale = Math.max(scale, Math.abs(g));
  }
  return Math.max(difference / scale, Math.abs(found.loss - expected.loss) / Math.abs(expected.loss));
}

/**
 * The same for products in 16 bits, whose values are rounded to 11 bits of mantissa (2^-11 = 5e-4 each) and meet in sums.
 * Measured on the processor: 1.2e-3 at most (precision/half-products.test.ts); a device that adds in 16 bits too errs by several times
 * that.
 */
export const DIFFERENCE_IN_HALVES_MAX = 2e-2;

const SEED = 1;

function settingsOf(kind: TrialKind, model: BaseModel): AdapterSettings {
  if (kind === "loreft") {
    return { kind, rank: 2, layers: "all", positions: { first: 2, last: 2, tied: false } };
  }
  const names = new Set(model.shape.linears.map(({ path }) => path.split(".").at(-1)!));
  // With dropout, whose masks are the one input of bytes that a device has to read.
  return { kind, rank: 2, alpha: 4, targets: [...names].slice(0, 2), layers: "all", dropout: 0.25 };
}

function trialExample({ shape }: BaseModel, index: number): Example {
  const stream = createPrng(SEED).fork(`example-${index}`);
  const length = Math.min(14 + index, shape.contextTokens);
  return { tokens: Array.from({ length }, () => stream.below(shape.vocabulary)), promptLength: length - 6 };
}

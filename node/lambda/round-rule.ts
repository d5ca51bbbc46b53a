/** The rules that decide lambda from one round alone: a fixed value, a search, and the gain of the aggregate. */
import type { LambdaRule } from "../../protocol/network-manifest.ts";

/** The rules that look at one round only; the adaptive one is in adaptive.ts. */
export type RoundLambdaRule = Exclude<LambdaRule, { readonly mode: "adaptive" }>;

/** Candidates of the search, rising: quarters, because a held-out batch does not tell finer steps apart. */
export const LAMBDA_CANDIDATES = [0, 1 / 4, 1 / 2, 3 / 4, 1] as const;

/** Smallest own loss, in nats per token, that the relative gain of the tanh rule divides by. */
const LOSS_MIN = 1e-8;

/** A lambda, and how it was found. */
export interface LambdaChoice {
  readonly lambda: number;
  /** The adapter mixed with it. */
  readonly theta: Float32Array;
  /** The lambdas that were evaluated, in order; empty under a fixed rule. */
  readonly losses: readonly { readonly lambda: number; readonly loss: number }[];
}

/**
 * Choose λ and mix with it. `fixed` evaluates nothing. `search` takes the smallest held-out loss over the candidates,
 * the smaller λ when equal, so 0 when nothing improves. `tanh` compares the own loss with that of the aggregate.
 * A loss that is not finite counts as infinitely bad and never wins.
 * Throws: what `evaluate` throws; the signal's reason when aborted between evaluations.
 */
export async function chooseLambda(
  rule: RoundLambdaRule,
  {
    mixed,
    evaluate,
    signal,
  }: {
    /** The adapter at one λ, such as `mix` of this room. */
    readonly mixed: (lambda: number) => Float32Array;
    /** Loss of an adapter on a held-out local batch, in nats per response token. */
    readonly evaluate: (theta: Float32Array) => Promise<number>;
    readonly signal?: AbortSignal;
  },
): Promise<LambdaChoice> {
  const losses: { lambda: number; loss: number }[] = [];
  const lossAt = async (lambda: number): Promise<number> => {
    signal?.throwIfAborted();
    const loss = await evaluate(mixed(lambda));
    losses.push({ lambda, loss });
    return loss;
  };
  const lambda = await lambdaOf(rule, lossAt);
  return { lambda, theta: mixed(lambda), losses };
}

/** λ_max · clip(tanh(κ (L_local - L_abm) / max(L_local, ε)), 0, 1); losses in nats per token. */
export function tanhLambda(
  { max, kappa }: { readonly max: number; readonly kappa: number },
  { own, aggregate }: { readonly own: number; readonly aggregate: number },
): number {
  if (!Number.isFinite(aggregate)) return 0;
  if (!Number.isFinite(own)) return max;
  const gain = (own - aggregate) / Math.max(own, LOSS_MIN);
  return max * Math.min(1, Math.max(0, Math.tanh(kappa * gain)));
}

async function lambdaOf(rule: RoundLambdaRule, lossAt: (lambda: number) => Promise<number>): Promise<number> {
  switch (rule.mode) {
    case "fixed":
      return rule.value;
    case "tanh": {
      const own = await lossAt(0);
      return tanhLambda(rule, { own, aggregate: await lossAt(1) });
    }
    case "search": {
      let best = { lambda: 0, loss: Number.POSITIVE_INFINITY };
      for (const lambda of LAMBDA_CANDIDATES) {
        const loss = await lossAt(lambda);
        if (Number.isFinite(loss) && loss < best.loss) best = { lambda, loss };
      }
      return best.lambda;
    }
  }
}

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
  readonly losses: readonly LambdaLook[];
  /** Whether the aggregate had its momentum; absent where there was none. */
  readonly pushed?: boolean;
}

/** One candidate that was evaluated; `pushed` as in `LambdaChoice`, absent at λ = 0 as well. */
export interface LambdaLook {
  readonly lambda: number;
  readonly pushed?: boolean;
  readonly loss: number;
}

/**
 * Choose λ and mix with it. `fixed` evaluates nothing. `search` takes the smallest held-out loss over the candidates,
 * the smaller λ when equal, so 0 when nothing improves; where the aggregate has momentum, each λ above 0 without it and with
 * it. The other rules mix with it. `tanh` compares the own loss with that of the aggregate.
 * A loss that is not finite counts as infinitely bad and never wins.
 * Throws: what `evaluate` throws; the signal's reason when aborted between evaluations.
 */
export async function chooseLambda(
  rule: RoundLambdaRule,
  {
    mixed,
    evaluate,
    hasMomentum = false,
    signal,
  }: {
    /** The adapter at one λ, such as `mix` of this room; pushed: with the momentum of the aggregate, where it has some. */
    readonly mixed: (lambda: number, pushed?: boolean) => Float32Array;
    /** Loss of an adapter on a held-out local batch, in nats per response token. */
    readonly evaluate: (theta: Float32Array) => Promise<number>;
    readonly hasMomentum?: boolean;
    readonly signal?: AbortSignal;
  },
): Promise<LambdaChoice> {
  const losses: LambdaLook[] = [];
  const lossAt = async (lambda: number, pushed = true): Promise<number> => {
    signal?.throwIfAborted();
    const loss = await evaluate(mixed(lambda, pushed));
    losses.push({ lambda, ...(hasMomentum && lambda > 0 && { pushed }), loss });
    return loss;
  };
  const { lambda, pushed } = await candidateOf(rule, hasMomentum, lossAt);
  return { lambda, theta: mixed(lambda, pushed), losses, ...(hasMomentum && lambda > 0 && { pushed }) };
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

interface Chosen {
  readonly lambda: number;
  readonly pushed: boolean;
}

async function candidateOf(
  rule: RoundLambdaRule,
  hasMomentum: boolean,
  lossAt: (lambda: number, pushed?: boolean) => Promise<number>,
): Promise<Chosen> {
  switch (rule.mode) {
    case "fixed":
      return { lambda: rule.value, pushed: true };
    case "tanh": {
      const own = await lossAt(0);
      return { lambda: tanhLambda(rule, { own, aggregate: await lossAt(1) }), pushed: true };
    }
    case "search": {
      let best: Chosen & { readonly loss: number } = { lambda: 0, pushed: true, loss: Number.POSITIVE_INFINITY };
      for (const lambda of LAMBDA_CANDIDATES) {
        for (const pushed of hasMomentum && lambda > 0 ? [false, true] : [true]) {
          const loss = await lossAt(lambda, pushed);
          if (Number.isFinite(loss) && loss < best.loss) best = { lambda, pushed, loss };
        }
      }
      return best;
    }
  }
}

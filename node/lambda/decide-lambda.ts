/**
 * How a peer decides in a round how far it moves from its own adapter (lambda 0) to the aggregate of the others (lambda 1).
 * This room holds the whole decision, and reads in this order:
 *
 * 1. `peer-rule.ts`: which rule the peer goes by. It is the network's, unless the peer's role or its privacy overrides it.
 * 2. This file: without a neighbour lambda is 0. With one, the rule decides.
 * 3. `round-rule.ts`: the rules that look at one round, `fixed`, `search` and `tanh`.
 * 4. `adaptive.ts`: what the adaptive rule makes of a round's losses and of what it remembers. `trial.ts` obtains those
 *    losses, and trains the rival that the peer is compared with. `paired.ts` says whether a difference is chance.
 *
 * How two adapters are mixed at a given lambda is `mix` in node/aggregation. Reasons and measurements are in docs/LAMBDA.md.
 */
import type { LambdaRule } from "../../protocol/network-manifest.ts";
import type { Clock } from "../interface/clock.ts";
import type { Logger } from "../interface/logger.ts";
import type { LambdaCost } from "../interface/peer-event.ts";
import type { Trainer } from "../interface/trainer.ts";
import type { HeldOutLoss } from "./paired.ts";
import { chooseLambda } from "./round-rule.ts";
import { type Anchoring, type Mixing, type RivalPast, type TrialMemory, trialRound } from "./trial.ts";

/**
 * Examples that lambda is judged on: enough to tell quarters apart on a held-out set of a private data set's size. They
 * are always the first ones, so that candidates are compared on the same examples.
 */
export const LAMBDA_EXAMPLES_MAX = 64;

/** What the decision needs of the peer. */
export interface LambdaDependencies {
  /** The peer's trainer. It evaluates on held-out data, and under the adaptive rule it trains the rival. */
  readonly trainer: Trainer;
  readonly logger: Logger;
  readonly clock: Pick<Clock, "now">;
}

/** One round to decide. */
export interface LambdaQuestion {
  /** The rule that the peer goes by, as `lambdaRuleOf` gives it. */
  readonly rule: LambdaRule;
  /** The peer's adapter as it travels, f32[P]. */
  readonly own: Float32Array;
  /** The own adapter, mixed with what its neighbours sent, at any lambda. Undefined where no neighbour is in the aggregate. */
  readonly mixing: Mixing | undefined;
  /** The reference model, which holds a rival as it holds the peer. */
  readonly anchoring?: Anchoring | undefined;
  /** The memory of the adaptive rule. The other rules leave it as it is. */
  readonly trial: TrialMemory;
  readonly localSteps: number;
  /** Whether no round follows, so that nothing can pay later. */
  readonly last: boolean;
  readonly round: number;
  readonly signal: AbortSignal;
}

/** A decision, and its cost. */
export interface LambdaDecision {
  readonly lambda: number;
  /** The peer's adapter, f32[P], mixed as far as that; the rival's where the rival won. */
  readonly theta: Float32Array;
  readonly trial: TrialMemory;
  /** Whether the peer has become its rival: the past that it remembers is not that of its adapter then. */
  readonly rivalWon: boolean;
  /** What the rival that won remembered before this round. */
  readonly rivalPast?: RivalPast | undefined;
  readonly cost: LambdaCost;
}

/**
 * Decide one round. Where the rival won, the trainer has the rival's state afterwards; else it is as it was before.
 * Throws: what the trainer throws; the signal's reason when aborted.
 */
export async function decideLambda(
  dependencies: LambdaDependencies,
  question: LambdaQuestion,
): Promise<LambdaDecision> {
  const { clock } = dependencies;
  const began = clock.now();
  let evaluations = 0;
  const evaluate = (theta: Float32Array): Promise<HeldOutLoss> => {
    evaluations += 1;
    return heldOutLoss(dependencies.trainer, theta);
  };
  const { steps = 0, ...decided } = await decide(dependencies, question, evaluate);
  const seconds = Math.max(0, clock.now() - began) / 1000;
  return { ...decided, cost: { evaluations, steps, seconds } };
}

async function decide(
  { trainer, logger }: LambdaDependencies,
  question: LambdaQuestion,
  evaluate: (theta: Float32Array) => Promise<HeldOutLoss>,
): Promise<Omit<LambdaDecision, "cost"> & { readonly steps?: number }> {
  const { rule, own, mixing, anchoring, trial, localSteps, last, round, signal } = question;
  if (rule.mode !== "adaptive") {
    if (mixing === undefined) return { lambda: 0, theta: own, trial, rivalWon: false };
    const mixed = await mixing(own);
    const hasMomentum = mixed.hasMomentum === true;
    const lossOf = async (theta: Float32Array): Promise<number> => (await evaluate(theta)).loss;
    const { lambda, theta } = await chooseLambda(rule, { mixed, evaluate: lossOf, hasMomentum, signal });
    return { lambda, theta, trial, rivalWon: false };
  }
  const decided = await trialRound(trainer, {
    trial,
    own,
    mixing,
    anchoring,
    evaluate,
    localSteps,
    last,
    signal,
  });
  if (decided.trial.state.stage !== trial.state.stage) {
    logger.debug("lambda", { round, from: trial.state.stage, to: decided.trial.state.stage });
  }
  return decided;
}

/** Loss of an adapter on the first held-out examples, and on each of them. */
async function heldOutLoss(trainer: Trainer, adapter: Float32Array): Promise<HeldOutLoss> {
  const options = { set: "validation", adapter, examplesMax: LAMBDA_EXAMPLES_MAX, perExample: true } as const;
  const { loss, exampleLosses = [loss] } = await trainer.evaluate(options);
  return { loss, examples: exampleLosses };
}

/** A round under the adaptive lambda: the losses are measured, the rival is trained, and the peer takes what `decide` chose. */
import { NodeError } from "../errors.ts";
import type { Trainer, TrainerState } from "../interface/trainer.ts";
import { ADAPTIVE_SHARE, type AdaptiveState, decide, FIRST_TRIAL, isLookDue, passRound } from "./adaptive.ts";
import { chooseLambda, type LambdaChoice } from "./round-rule.ts";

/** The memory of a trial between rounds; plain data. */
export interface TrialMemory {
  readonly state: AdaptiveState;
  /** The trainer as it would be, had it searched for lambda in every round since the trial began; in a trial only. */
  readonly rival?: TrainerState;
}

/** The memory of a peer that has not mixed yet. */
export const NO_TRIAL: TrialMemory = { state: FIRST_TRIAL };

/** The outcome of a round. */
export interface TrialRound {
  readonly lambda: number;
  readonly theta: Float32Array;
  readonly trial: TrialMemory;
  /** Whether the peer has become its rival: the past that it remembers is not that of its adapter then. */
  readonly rivalWon: boolean;
  /** Local steps of the rival. */
  readonly steps: number;
}

/** One round of one peer. */
export interface TrialOptions {
  readonly trial: TrialMemory;
  /** The trainer's adapter as it travels. */
  readonly own: Float32Array;
  /** An adapter of this peer, as it travels, mixed with what its neighbours sent. */
  readonly mixing: (own: Float32Array) => Promise<Mixed>;
  /** Loss of an adapter on held-out data, in nats per token; what does not travel is the trainer's. */
  readonly evaluate: (theta: Float32Array) => Promise<number>;
  readonly localSteps: number;
  /** Whether no round follows, so that nothing can pay later. */
  readonly last: boolean;
  readonly signal: AbortSignal;
}

/** The mix of a peer's adapter and its aggregate at one lambda, f32[P]. */
export type Mixed = (lambda: number) => Float32Array;

/** Local steps of a rival between two looks at the signal. */
const CHUNK_STEPS = 8;

/**
 * Decide one round. The rival takes as many local steps as the peer did, on the same batches, and mixes as far as the
 * search finds good. Where the rival won, the trainer is left with the rival's state; else it has its own.
 * Throws: what the trainer throws; the signal's reason when aborted; the trainer is as it was then.
 */
export async function trialRound(trainer: Trainer, options: TrialOptions): Promise<TrialRound> {
  const { trial, own, last } = options;
  const { stage } = trial.state;
  const stay = { rivalWon: false, steps: 0 };
  const mixed = await options.mixing(own);
  if (!isLookDue(trial.state, { last })) {
    return { lambda: ADAPTIVE_SHARE, theta: mixed(ADAPTIVE_SHARE), trial: { state: passRound(trial.state) }, ...stay };
  }
  if (stage === "search") {
    const { lambda, theta } = await searched(mixed, options);
    return { lambda, theta, trial, ...stay };
  }
  const beginning = stage === "trial" && trial.rival === undefined && trial.state.rounds === 0;
  // Where all of lambda is looked at anyway, the even mix is among it.
  const found = last || beginning ? await searched(mixed, options) : undefined;
  const losses = found
    ? { own: lossAt(found, 0), mixed: last ? lossOf(found) : lossAt(found, ADAPTIVE_SHARE) }
    : { own: await options.evaluate(own), mixed: await options.evaluate(mixed(ADAPTIVE_SHARE)) };
  options.signal.throwIfAborted();
  const before = await trainer.state();
  const rival = stage === "trial" ? await rivalOf(trainer, { before, beginning, found, options }) : undefined;
  const decision = decide(trial.state, { ...losses, ...(rival && { rival: lossOf(rival.choice) }) }, { last });
  const { take, state } = decision;
  const steps = rival?.steps ?? 0;
  if (take === "rival" && rival) {
    await trainer.restore(rival.state);
    const { lambda, theta } = rival.choice;
    return { lambda, theta, trial: { state }, rivalWon: true, steps };
  }
  const next = state.stage === "trial" && rival && !last ? { state, rival: rival.state } : { state };
  if (take === "own") return { lambda: 0, theta: mixed(0), trial: next, rivalWon: false, steps };
  const lambda = last && found ? found.lambda : ADAPTIVE_SHARE;
  return { lambda, theta: mixed(lambda), trial: next, rivalWon: false, steps };
}

const searched = (mixed: Mixed, { evaluate, signal }: Pick<TrialOptions, "evaluate" | "signal">) =>
  chooseLambda({ mode: "search" }, { mixed, evaluate, signal });

const lossAt = ({ losses }: LambdaChoice, lambda: number): number =>
  losses.find((one) => one.lambda === lambda)?.loss ?? Number.NaN;
const lossOf = (choice: LambdaChoice): number => lossAt(choice, choice.lambda);

interface Rival {
  readonly state: TrainerState;
  readonly choice: LambdaChoice;
  readonly steps: number;
}

/**
 * The rival after this round; the trainer is as before. In a trial's first round the rival has the peer's own adapter, and
 * differs from then on. A rival whose training diverges is given up: undefined.
 */
async function rivalOf(
  trainer: Trainer,
  {
    before,
    beginning,
    found,
    options,
  }: {
    readonly before: TrainerState;
    readonly beginning: boolean;
    readonly found: LambdaChoice | undefined;
    readonly options: TrialOptions;
  },
): Promise<Rival | undefined> {
  const { trial, localSteps, mixing, signal } = options;
  if (!beginning && trial.rival === undefined) return undefined;
  const steps = beginning ? 0 : localSteps;
  try {
    if (trial.rival) await trainer.restore(trial.rival);
    for (let done = 0; done < steps; done += CHUNK_STEPS) {
      signal.throwIfAborted();
      await trainer.train({ steps: Math.min(CHUNK_STEPS, steps - done) });
    }
    const choice = beginning && found ? found : await searched(await mixing(await trainer.adapter()), options);
    await trainer.setAdapter(choice.theta);
    return { state: await trainer.state(), choice, steps };
  } catch (error) {
    if (error instanceof NodeError && error.code === "TRAINING_DIVERGED") return undefined;
    throw error;
  } finally {
    await trainer.restore(before);
  }
}

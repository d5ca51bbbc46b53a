/** A round under the adaptive lambda: what a peer goes on with, and the rival that it is measured against. */
import { ADAPTIVE_SHARE, type AdaptiveState, decide, FIRST_TRIAL, isLookDue, passRound } from "../aggregation/index.ts";
import { NodeError } from "../errors.ts";
import type { Trainer, TrainerState } from "../interface/trainer.ts";

/** What a peer remembers of it; plain data. */
export interface TrialMemory {
  readonly state: AdaptiveState;
  /** The trainer as it would be without any mixing since the trial began; in a trial only. */
  readonly rival?: TrainerState;
}

/** Of a peer that has not mixed yet. */
export const NO_TRIAL: TrialMemory = { state: FIRST_TRIAL };

export interface TrialRound {
  readonly lambda: number;
  readonly theta: Float32Array;
  readonly trial: TrialMemory;
  /** Whether the rival won: the rounds that the peer remembers are not those of its adapter then. */
  readonly rivalWon: boolean;
  /** Local steps of the rival. */
  readonly steps: number;
}

/** Local steps of a rival between two looks at the signal. */
const CHUNK_STEPS = 8;

/**
 * Decide one round. The rival takes as many local steps as the peer did, on the same batches. The trainer is left with
 * the state that the result belongs to: its own, or, where the rival won, the rival's.
 * own: the trainer's adapter as it travels.  last: whether no round follows, so that nothing can pay later.
 * Throws: what the trainer throws; the signal's reason when aborted; the trainer is as it was then.
 */
export async function trialRound(
  trainer: Trainer,
  options: {
    readonly trial: TrialMemory;
    readonly own: Float32Array;
    readonly mixed: (lambda: number) => Float32Array;
    readonly evaluate: (theta: Float32Array) => Promise<number>;
    readonly localSteps: number;
    readonly last: boolean;
    readonly signal: AbortSignal;
  },
): Promise<TrialRound> {
  const { trial, own, mixed, evaluate, localSteps, last, signal } = options;
  const at = (lambda: number): Pick<TrialRound, "lambda" | "theta"> => ({ lambda, theta: mixed(lambda) });
  if (!isLookDue(trial.state, { last })) {
    const { take, state } = passRound(trial.state);
    return { ...at(take === "own" ? 0 : ADAPTIVE_SHARE), trial: { state }, rivalWon: false, steps: 0 };
  }
  const before = await trainer.state();
  const isTrial = trial.state.stage === "trial";
  const steps = isTrial && trial.rival ? localSteps : 0;
  const rival = isTrial ? await trained(trainer, { rival: trial.rival, before, steps, signal }) : undefined;
  const losses = { own: await evaluate(own), mixed: await evaluate(mixed(ADAPTIVE_SHARE)) };
  signal.throwIfAborted();
  // Of the first round of a trial: nothing sets the rival apart yet.
  const rivalLoss = rival && (rival.state === before ? losses.own : await evaluate(rival.adapter));
  const decision = decide(trial.state, { ...losses, ...(rivalLoss !== undefined && { rival: rivalLoss }) }, { last });
  const { take, state } = decision;
  const next = state.stage === "trial" ? { state, rival: rival?.state ?? before } : { state };
  if (take === "rival" && rival) {
    await trainer.restore(rival.state);
    return { lambda: 0, theta: rival.adapter, trial: next, rivalWon: true, steps };
  }
  return { ...at(take === "mixed" ? ADAPTIVE_SHARE : 0), trial: next, rivalWon: false, steps };
}

/** The rival after its local steps; the trainer is as before. A rival that diverges is none any more. */
async function trained(
  trainer: Trainer,
  {
    rival,
    before,
    steps,
    signal,
  }: {
    readonly rival: TrainerState | undefined;
    readonly before: TrainerState;
    readonly steps: number;
    readonly signal: AbortSignal;
  },
): Promise<{ readonly state: TrainerState; readonly adapter: Float32Array } | undefined> {
  if (rival === undefined) return { state: before, adapter: await trainer.adapter() };
  await trainer.restore(rival);
  try {
    for (let done = 0; done < steps; done += CHUNK_STEPS) {
      signal.throwIfAborted();
      await trainer.train({ steps: Math.min(CHUNK_STEPS, steps - done) });
    }
    return { state: await trainer.state(), adapter: await trainer.adapter() };
  } catch (error) {
    if (error instanceof NodeError && error.code === "TRAINING_DIVERGED") return undefined;
    throw error;
  } finally {
    await trainer.restore(before);
  }
}

/** A round under the adaptive lambda: the losses are measured, the rival is trained, and the peer takes what was decided. */

import type { ReferenceState } from "../aggregation/index.ts";
import { NodeError } from "../errors.ts";
import type { Trainer, TrainerState } from "../interface/trainer.ts";
import {
  ADAPTIVE_SHARE,
  type AdaptiveState,
  type CandidateLosses,
  decideMix,
  decideTrial,
  FIRST_TRIAL,
  smallestOf,
} from "./adaptive.ts";
import type { HeldOutLoss } from "./paired.ts";
import { LAMBDA_CANDIDATES } from "./round-rule.ts";

/** The memory of a trial between rounds; plain data. */
export interface TrialMemory {
  readonly state: AdaptiveState;
  /**
   * The trainer as it would be, had it trained alone since the trial began: in a trial up to the last round, in the swarm up to
   * the end of the trial.
   */
  readonly rival?: TrainerState;
  /** What the rival remembers of its own rounds; with a rival only. */
  readonly rivalPast?: RivalPast;
}

/** A rival's memory of its rounds: what a peer alone would remember. */
export interface RivalPast {
  readonly reference: ReferenceState;
}

/** How a network's reference model holds an adapter back. */
export interface Anchoring {
  /** The peer's own past; a rival begins with it. */
  readonly past: RivalPast;
  /** Hold the trainer's next steps to this past, where the network has a proximal term. */
  hold(past: ReferenceState): Promise<void>;
  /** Anchor a mix, f32[P], to this past.  Shapes: → f32[P]. */
  anchor(mixed: Float32Array, past: ReferenceState, fisher: Float32Array | undefined): Float32Array;
  /** Remember the adapter that left the round. */
  remember(past: ReferenceState, adapter: Float32Array): ReferenceState;
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
  /** The past of the rival that won, as it was before this round. */
  readonly rivalPast?: RivalPast | undefined;
  /** Local steps of the rival. */
  readonly steps: number;
}

/** One round of one peer. */
export interface TrialOptions {
  readonly trial: TrialMemory;
  /** The trainer's adapter as it travels. */
  readonly own: Float32Array;
  /** The own adapter mixed with what its neighbours sent. Undefined where no neighbour is in the aggregate. */
  readonly mixing: Mixing | undefined;
  /** The reference model, which holds the rival as it holds the peer; nothing holds them when absent. */
  readonly anchoring?: Anchoring | undefined;
  /** Loss of an adapter on held-out data; what does not travel is the trainer's. */
  readonly evaluate: (theta: Float32Array) => Promise<HeldOutLoss>;
  readonly localSteps: number;
  /** Whether no round follows, so that nothing can pay later. */
  readonly last: boolean;
  readonly signal: AbortSignal;
}

/** The mix of a peer's adapter and its aggregate at one lambda, f32[P]. */
export interface Mixed {
  /** pushed: with the momentum of the aggregate, where it has some; true when absent. */
  (lambda: number, pushed?: boolean): Float32Array;
  readonly hasMomentum?: boolean;
}

/** Mixes of the peer's adapter with what the neighbours sent. */
export type Mixing = (own: Float32Array) => Promise<Mixed>;

const DIVERGENCES: readonly NodeError["code"][] = ["TRAINING_DIVERGED", "ADAPTER_SHAPE"];

/** Local steps of a rival between two looks at the signal. */
const CHUNK_STEPS = 8;

/**
 * Decide one round. A trial's rival takes as many local steps as the peer did, on the same batches, and mixes with nobody.
 * Where the rival won, the trainer is left with the rival's state; else it has its own.
 * Throws: what the trainer throws; the signal's reason when aborted; the trainer is as it was then.
 */
export async function trialRound(trainer: Trainer, options: TrialOptions): Promise<TrialRound> {
  const { trial, own, mixing, last } = options;
  if (mixing === undefined) return roundAlone(trainer, options);
  const mixed = await mixing(own);
  const looked: Looked = { own: { lambda: 0, theta: own, held: await options.evaluate(own) }, mixes: [] };
  const isTrial = trial.state.stage === "trial";
  const shares = isTrial && !last ? [ADAPTIVE_SHARE] : LAMBDA_CANDIDATES.filter((lambda) => lambda > 0);
  for (const { lambda, pushed } of candidatesOf(mixed, shares)) {
    options.signal.throwIfAborted();
    const theta = mixed(lambda, pushed);
    looked.mixes.push({ lambda, theta, held: await options.evaluate(theta) });
  }
  options.signal.throwIfAborted();
  return isTrial ? roundOfTrial(trainer, looked, options) : roundOfMixing(trainer, looked, options);
}

/** An adapter that was looked at. */
interface Look {
  readonly lambda: number;
  readonly theta: Float32Array;
  readonly held: HeldOutLoss;
}

interface Looked {
  readonly own: Look;
  /** At least one. */
  readonly mixes: Look[];
}

/** Each lambda, where the aggregate has momentum without it and with it. */
const candidatesOf = (
  { hasMomentum = false }: Mixed,
  shares: readonly number[],
): readonly { lambda: number; pushed: boolean }[] =>
  shares.flatMap((lambda) => (hasMomentum ? [false, true] : [true]).map((pushed) => ({ lambda, pushed })));

const leastOf = (looks: readonly Look[]): Look =>
  looks.reduce((least, one) => (one.held.loss < least.held.loss || Number.isNaN(least.held.loss) ? one : least));

async function roundOfTrial(trainer: Trainer, { own, mixes }: Looked, options: TrialOptions): Promise<TrialRound> {
  const { trial, last } = options;
  const before = await trainer.state();
  const rival = await rivalOf(trainer, { before, held: own.held, options });
  const best = leastOf(mixes);
  const losses = { own: own.held, mixed: best.held, rival: rival?.held };
  const { take, state } = last ? { take: smallestOf(losses), state: trial.state } : decideTrial(trial.state, losses);
  const steps = rival?.steps ?? 0;
  if (take === "rival" && rival) return { ...(await becomeRival(trainer, rival, before)), trial: { state }, steps };
  const { lambda, theta } = take === "own" ? own : best;
  const next = rival && !last ? { state, ...remembered(rival) } : { state };
  return { lambda, theta, trial: next, rivalWon: false, steps };
}

/** A round of the swarm or of the search; the rival of a trial that is over is taken where the swarm ends and it is ahead. */
async function roundOfMixing(trainer: Trainer, { own, mixes }: Looked, options: TrialOptions): Promise<TrialRound> {
  const { trial, last } = options;
  const { mix, state } = decideMix(
    trial.state,
    own.held,
    mixes.map(({ held }) => held),
  );
  const isSwarm = trial.state.stage === "swarm";
  const best = leastOf(mixes);
  const isEnding = isSwarm && (last || state.stage !== "swarm");
  const rival = isEnding ? await keptRival(trainer, options) : undefined;
  const losses: CandidateLosses = { own: own.held, mixed: best.held, rival: rival?.held };
  const judged = mix === undefined ? "own" : "mixed";
  const wins = rival && smallestOf({ ...losses, ...(!last && { mixed: own.held }) }) === "rival";
  if (rival && wins) {
    return { ...(await becomeRival(trainer, rival, await trainer.state())), trial: { state }, steps: 0 };
  }
  const take = last && isSwarm ? smallestOf(losses) : judged;
  const { lambda, theta } = take === "own" ? own : best;
  return { lambda, theta, trial: isEnding || !isSwarm ? { state } : { ...trial, state }, rivalWon: false, steps: 0 };
}

/**
 * A round in which nobody is in the aggregate: the peer goes on alone, and so does a trial's rival. In the last round the better
 * of the two is taken.
 */
async function roundAlone(trainer: Trainer, options: TrialOptions): Promise<TrialRound> {
  const { trial, own, last, evaluate } = options;
  const stay = { lambda: 0, theta: own, trial, rivalWon: false, steps: 0 };
  if (trial.rival === undefined) return stay;
  const before = await trainer.state();
  const isTrial = trial.state.stage === "trial";
  if (!isTrial && !last) return stay;
  const rival = isTrial
    ? await rivalOf(trainer, { before, held: undefined, options })
    : await keptRival(trainer, options);
  const { state } = trial;
  if (rival === undefined) return { ...stay, trial: { state } };
  const { steps } = rival;
  if (!last) return { ...stay, trial: { state, ...remembered(rival) }, steps };
  const held = await evaluate(own);
  if (smallestOf({ own: held, mixed: held, rival: rival.held }) !== "rival")
    return { ...stay, trial: { state }, steps };
  return { ...(await becomeRival(trainer, rival, before)), trial: { state }, steps };
}

interface Rival {
  readonly state: TrainerState;
  /** Its adapter as it travels, f32[P], before the reference model holds it. */
  readonly theta: Float32Array;
  readonly held: HeldOutLoss;
  readonly steps: number;
  /** What it remembers from this round on, and what it remembered before. */
  readonly past: RivalPast | undefined;
  readonly before: RivalPast | undefined;
}

const remembered = ({ state, past }: Rival): Pick<TrialMemory, "rival" | "rivalPast"> => ({
  rival: state,
  ...(past && { rivalPast: past }),
});

/** The trainer goes on as the rival, at the place in the order of batches where the peer is. */
async function becomeRival(
  trainer: Trainer,
  { state, theta, before: rivalPast }: Rival,
  { step }: TrainerState,
): Promise<Omit<TrialRound, "trial" | "steps">> {
  await trainer.restore({ ...state, step });
  return { lambda: 0, theta, rivalWon: true, rivalPast };
}

/** The rival of a trial that is over, as it was then; undefined without one. */
async function keptRival(trainer: Trainer, { trial, evaluate }: TrialOptions): Promise<Rival | undefined> {
  const { rival: state, rivalPast: past } = trial;
  if (state === undefined) return undefined;
  const before = await trainer.state();
  try {
    await trainer.restore(state);
    const theta = await trainer.adapter();
    return { state, theta, held: await evaluate(theta), steps: 0, past, before: past };
  } finally {
    await trainer.restore(before);
  }
}

/**
 * The rival of a trial after this round; the trainer is as before. In a trial's first round the rival has the peer's own adapter,
 * whose held-out loss is known, and differs from then on. A rival whose training diverges is given up: undefined.
 */
async function rivalOf(
  trainer: Trainer,
  {
    before,
    held,
    options,
  }: { readonly before: TrainerState; readonly held: HeldOutLoss | undefined; readonly options: TrialOptions },
): Promise<Rival | undefined> {
  const { trial, localSteps, anchoring, evaluate, signal } = options;
  const past = trial.rivalPast ?? anchoring?.past;
  const isBeginning = trial.rival === undefined && trial.state.rounds === 0;
  if (!isBeginning && trial.rival === undefined) return undefined;
  const steps = isBeginning ? 0 : localSteps;
  try {
    if (trial.rival) await trainer.restore(trial.rival);
    if (past && steps > 0) await anchoring?.hold(past.reference);
    for (let done = 0; done < steps; done += CHUNK_STEPS) {
      signal.throwIfAborted();
      await trainer.train({ steps: Math.min(CHUNK_STEPS, steps - done) });
    }
    const theta = await trainer.adapter();
    const loss = steps === 0 && held ? held : await evaluate(theta);
    const anchored = past && anchoring?.anchor(theta, past.reference, await trainer.fisher());
    if (anchored) await trainer.setAdapter(anchored);
    const reference = past && anchoring?.remember(past.reference, await trainer.adapter());
    const after = reference && { reference };
    return { state: await trainer.state(), theta, held: loss, steps, past: after, before: past };
  } catch (error) {
    // Rotations that cannot be brought back to orthonormal rows are a way of diverging as well.
    const hasDiverged = error instanceof NodeError && DIVERGENCES.includes(error.code);
    if (hasDiverged) return undefined;
    throw error;
  } finally {
    await trainer.restore(before);
  }
}

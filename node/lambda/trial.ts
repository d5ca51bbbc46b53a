/** A round under the adaptive lambda: the losses are measured, the rival is trained, and the peer takes what `decide` chose. */

import type { ReferenceState, RememberedAggregate } from "../aggregation/index.ts";
import { NodeError } from "../errors.ts";
import type { Trainer, TrainerState } from "../interface/trainer.ts";
import {
  ADAPTIVE_SHARE,
  type AdaptiveState,
  type Decision,
  decide,
  FIRST_TRIAL,
  isLookDue,
  passRound,
} from "./adaptive.ts";
import { chooseLambda, type LambdaChoice } from "./round-rule.ts";

/** The memory of a trial between rounds; plain data. */
export interface TrialMemory {
  readonly state: AdaptiveState;
  /** The trainer as it would be, had it searched for lambda in every round since the trial began; in a trial only. */
  readonly rival?: TrainerState;
  /** What the rival remembers of its own rounds; with a rival only. */
  readonly rivalPast?: RivalPast;
}

/** A rival's memory of its rounds: what a peer that searched would remember. */
export interface RivalPast {
  readonly reference: ReferenceState;
  /** Its last aggregate, where the network has momentum. */
  readonly aggregate?: RememberedAggregate | undefined;
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
  /** The aggregate of the rival that won. */
  readonly rivalAggregate?: Float32Array | undefined;
  /** Local steps of the rival. */
  readonly steps: number;
}

/** One round of one peer. */
export interface TrialOptions {
  readonly trial: TrialMemory;
  /** The trainer's adapter as it travels. */
  readonly own: Float32Array;
  /**
   * An adapter of this peer, as it travels, mixed with what its neighbours sent; before: the aggregate that the momentum counts
   * from, the peer's own when absent. Undefined where no neighbour is in the aggregate.
   */
  readonly mixing: Mixing | undefined;
  /** The reference model, which holds the rival as it holds the peer; nothing holds them when absent. */
  readonly anchoring?: Anchoring | undefined;
  /** The round, for what the rival remembers; 0 when absent. */
  readonly round?: number;
  /** Loss of an adapter on held-out data, in nats per token; what does not travel is the trainer's. */
  readonly evaluate: (theta: Float32Array) => Promise<number>;
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
  /** The aggregate before momentum, f32[P]. */
  readonly aggregate?: Float32Array;
}

/** Mixes of one adapter with what the neighbours sent. */
export type Mixing = (own: Float32Array, past?: RivalPast) => Promise<Mixed>;

const DIVERGENCES: readonly NodeError["code"][] = ["TRAINING_DIVERGED", "ADAPTER_SHAPE"];

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
  if (options.mixing === undefined) return roundAlone(trainer, options);
  const mixed = await options.mixing(own);
  if (!isLookDue(trial.state, { last })) {
    const theta = mixed(ADAPTIVE_SHARE, trial.state.pushed);
    return { lambda: ADAPTIVE_SHARE, theta, trial: { state: passRound(trial.state) }, ...stay };
  }
  if (stage === "search") {
    const { lambda, theta } = await searched(mixed, options);
    return { lambda, theta, trial, ...stay };
  }
  const beginning = stage === "trial" && trial.rival === undefined && trial.state.rounds === 0;
  // Where all of lambda is looked at anyway, the even mix is among it.
  const found = last || beginning ? await searched(mixed, options) : undefined;
  const even = await evenMix(mixed, found, options);
  const losses = found
    ? { own: lossAt(found, 0), mixed: last ? lossOf(found) : even.loss }
    : { own: await options.evaluate(own), mixed: even.loss };
  options.signal.throwIfAborted();
  const before = await trainer.state();
  const rival = stage === "trial" ? await rivalOf(trainer, { before, beginning, found, options }) : undefined;
  const decision = decide(trial.state, { ...losses, ...(rival && { rival: lossOf(rival.choice) }) }, { last });
  const { take, state } = remembering(decision, even);
  const steps = rival?.steps ?? 0;
  if (take === "rival" && rival) {
    await trainer.restore(rival.state);
    const { lambda, theta } = rival.choice;
    return { lambda, theta, trial: { state }, rivalWon: true, ...rival.before, steps };
  }
  const next = state.stage === "trial" && rival && !last ? { state, ...remembered(rival) } : { state };
  if (take === "own") return { lambda: 0, theta: mixed(0), trial: next, rivalWon: false, steps };
  const { lambda, pushed } = last && found ? found : { lambda: ADAPTIVE_SHARE, pushed: even.pushed };
  return { lambda, theta: mixed(lambda, pushed), trial: next, rivalWon: false, steps };
}

/** The even mix, without or with the momentum of the aggregate, whichever is better on held-out data. */
interface EvenMix {
  readonly loss: number;
  /** Absent where there is no momentum to choose. */
  readonly pushed?: boolean;
}

async function evenMix(
  mixed: Mixed,
  found: LambdaChoice | undefined,
  { evaluate }: Pick<TrialOptions, "evaluate">,
): Promise<EvenMix> {
  if (found !== undefined) return bestAt(found, ADAPTIVE_SHARE);
  if (!mixed.hasMomentum) return { loss: await evaluate(mixed(ADAPTIVE_SHARE)) };
  const [plain, pushed] = [await evaluate(mixed(ADAPTIVE_SHARE, false)), await evaluate(mixed(ADAPTIVE_SHARE, true))];
  return better(plain, pushed);
}

/** Plain where both are equal or neither is a number. */
const better = (plain: number, pushed: number): EvenMix =>
  pushed < plain || (Number.isFinite(pushed) && !Number.isFinite(plain))
    ? { loss: pushed, pushed: true }
    : { loss: plain, pushed: false };

/** The state after a look: rounds without one mix as the last look found better. */
function remembering({ take, state }: Decision, { pushed }: EvenMix): Decision {
  return pushed === undefined || state.stage === "search" ? { take, state } : { take, state: { ...state, pushed } };
}

/**
 * A round in which nobody is in the aggregate: a peer that searched would go on alone, and so does the rival. In the last round
 * the better of the two is taken.
 */
async function roundAlone(trainer: Trainer, options: TrialOptions): Promise<TrialRound> {
  const { trial, own, last, evaluate } = options;
  const stay = { lambda: 0, theta: own, trial, rivalWon: false, steps: 0 };
  if (trial.rival === undefined) return stay;
  const rival = await rivalOf(trainer, {
    before: await trainer.state(),
    beginning: false,
    found: undefined,
    options,
  });
  if (rival === undefined) return { ...stay, trial: { state: trial.state } };
  const { steps } = rival;
  if (!last) return { ...stay, trial: { state: trial.state, ...remembered(rival) }, steps };
  const losses = { own: await evaluate(own), mixed: Number.NaN, rival: await evaluate(rival.choice.theta) };
  const { take, state } = decide(trial.state, losses, { last });
  if (take !== "rival") return { ...stay, trial: { state }, steps };
  await trainer.restore(rival.state);
  return { ...stay, theta: rival.choice.theta, trial: { state }, rivalWon: true, ...rival.before, steps };
}

const searched = (mixed: Mixed, { evaluate, signal }: Pick<TrialOptions, "evaluate" | "signal">) =>
  chooseLambda({ mode: "search" }, { mixed, evaluate, signal, hasMomentum: mixed.hasMomentum === true });

/** The loss at one lambda where there is no momentum to choose, as at 0. */
const lossAt = ({ losses }: LambdaChoice, at: number): number =>
  losses.find(({ lambda }) => lambda === at)?.loss ?? Number.NaN;

/** The better of both at one lambda, where the momentum was looked at. */
function bestAt(choice: LambdaChoice, at: number): EvenMix {
  const looks = choice.losses.filter(({ lambda }) => lambda === at);
  const [plain, pushed] = [false, true].map((is) => looks.find((one) => one.pushed === is)?.loss);
  return plain === undefined || pushed === undefined ? { loss: lossAt(choice, at) } : better(plain, pushed);
}
const lossOf = ({ lambda, pushed, losses }: LambdaChoice): number =>
  losses.find((one) => one.lambda === lambda && one.pushed === pushed)?.loss ?? Number.NaN;

interface Rival {
  readonly state: TrainerState;
  readonly choice: LambdaChoice;
  readonly steps: number;
  /** What it remembers from this round on. */
  readonly past: RivalPast | undefined;
  /** What it remembered before, and this round's aggregate. */
  readonly before: Pick<TrialRound, "rivalPast" | "rivalAggregate">;
}

const remembered = ({ state, past }: Rival): Pick<TrialMemory, "rival" | "rivalPast"> => ({
  rival: state,
  ...(past && { rivalPast: past }),
});

/** The choice of a peer that has nothing to mix. */
const alone = (theta: Float32Array): LambdaChoice => ({ lambda: 0, theta, losses: [] });

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
  const { trial, localSteps, mixing, anchoring, round = 0, signal } = options;
  const past = trial.rivalPast ?? anchoring?.past;
  if (!beginning && trial.rival === undefined) return undefined;
  const steps = beginning ? 0 : localSteps;
  try {
    if (trial.rival) await trainer.restore(trial.rival);
    if (past && steps > 0) await anchoring?.hold(past.reference);
    for (let done = 0; done < steps; done += CHUNK_STEPS) {
      signal.throwIfAborted();
      await trainer.train({ steps: Math.min(CHUNK_STEPS, steps - done) });
    }
    const trained = await trainer.adapter();
    const mixed = await mixing?.(beginning ? options.own : trained, past);
    const choice = beginning && found ? found : mixed ? await searched(mixed, options) : alone(trained);
    const held = past && anchoring?.anchor(choice.theta, past.reference, await trainer.fisher());
    await trainer.setAdapter(held ?? choice.theta);
    const left = await trainer.adapter();
    const reference = past && anchoring?.remember(past.reference, left);
    const aggregate = mixed?.aggregate && { round, z: mixed.aggregate };
    return {
      state: await trainer.state(),
      choice,
      steps,
      past: reference && { reference, ...(aggregate && { aggregate }) },
      before: { rivalPast: past, rivalAggregate: mixed?.aggregate },
    };
  } catch (error) {
    // Rotations that cannot be brought back to orthonormal rows are a way of diverging as well.
    const hasDiverged = error instanceof NodeError && DIVERGENCES.includes(error.code);
    if (hasDiverged) return undefined;
    throw error;
  } finally {
    await trainer.restore(before);
  }
}

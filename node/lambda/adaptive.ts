/**
 * The adaptive lambda: mixing is tried before it is judged, and training alone stays in reach.
 *
 * A single look at losses misleads. Right after mixing, a mix of related adapters often looks worse than it is, because it
 * pays only after further local steps. Once a peer has drifted away from the others, mixing looks bad though it would have
 * paid. So a peer begins by mixing evenly, whatever the first rounds look like. Beside it a rival goes on from the same
 * adapter and trains alone, with the same batches. Where the rival is ahead beyond chance, the peer becomes the rival and has
 * lost nothing. Where the mixing peer is ahead beyond chance, the rival trains no more, but its adapter is kept.
 *
 * This file is pure: losses in, a decision out. Source: this project's own; the measurements are in docs/LAMBDA.md.
 */
import { type Better, bestAgainst, differencesOf, type HeldOutLoss, pairedTest, pooled } from "./paired.ts";

/** lambda of a peer that tries mixing: the even mix, which no fixed value beat on related data. */
export const ADAPTIVE_SHARE = 0.5;

/**
 * trial: mixing evenly, with a rival that trains alone; swarm: mixing as far as is best, unless that is worse beyond chance;
 * search: mixing only where that is better beyond chance.
 */
export type AdaptiveStage = "trial" | "swarm" | "search";

/** The memory of the adaptive rule between rounds; plain data. */
export interface AdaptiveState {
  readonly stage: AdaptiveStage;
  /** Rounds with neighbours in this stage. */
  readonly rounds: number;
  /** Of a trial: the rival's loss less the peer's on each held-out example, pooled; absent before the first look. */
  readonly differences?: readonly number[];
  /** Of the swarm: rounds in a row in which mixing was worse beyond chance. */
  readonly against: number;
}

/** Held-out losses of the adapters that a peer of a trial can go on with; without a rival where it diverged. */
export interface CandidateLosses {
  readonly own: HeldOutLoss;
  readonly mixed: HeldOutLoss;
  readonly rival?: HeldOutLoss | undefined;
}

/** The adapters that a peer can go on with. */
export type Candidate = keyof CandidateLosses;

/** A round decided: the adapter to go on with, and the state to remember. */
export interface Decision {
  readonly take: Candidate;
  readonly state: AdaptiveState;
}

/** The state of a peer that has not mixed yet: a trial begins. */
export const FIRST_TRIAL: AdaptiveState = { stage: "trial", rounds: 0, against: 0 };

/** Rounds of a trial before it is judged: the first mixes of related peers look bad for one or two. */
export const TRIAL_ROUNDS_MIN = 3;
/** Share of the past that stays in what is pooled, by round. */
const DECAY = 0.5;
/** Rounds in a row of worse mixes after which the swarm is left: one in 20 is chance. */
export const AGAINST_MAX = 2;

const entered = (stage: AdaptiveStage): AdaptiveState => ({ stage, rounds: 0, against: 0 });

/**
 * A round of a trial: d ← d/2 + (l_rival - l_best) on every example, l_best of the own adapter or the mix, whichever has the
 * smaller loss. From the third round on the paired test of d decides: the rival better makes the peer its rival (search),
 * the peer better ends the trial (swarm); until then both go on. Where there is no rival, the swarm is entered.
 */
export function decideTrial(state: AdaptiveState, { own, mixed, rival }: CandidateLosses): Decision {
  if (rival === undefined) return { take: "mixed", state: entered("swarm") };
  const newest = differencesOf(rival, smaller(own, mixed));
  const differences = pooled(state.differences, newest, DECAY);
  const looked = { ...state, rounds: state.rounds + 1, differences };
  if (looked.rounds < TRIAL_ROUNDS_MIN) return { take: "mixed", state: looked };
  const better: Better = pairedTest(differences);
  if (better === "first") return { take: "rival", state: entered("search") };
  return { take: "mixed", state: better === "second" ? entered("swarm") : looked };
}

/**
 * A round of the swarm or of the search, from the losses of the own adapter and of mixes with it. The swarm mixes unless the own
 * adapter is better beyond chance, and is left after two such rounds in a row; the search mixes only where a mix is better
 * beyond chance.
 */
export function decideMix(
  state: AdaptiveState,
  own: HeldOutLoss,
  mixes: readonly HeldOutLoss[],
): { readonly mix: number | undefined; readonly state: AdaptiveState } {
  const { best, better } = bestAgainst(own, mixes);
  const rounds = state.rounds + 1;
  if (state.stage === "search") return { mix: better === "second" ? best : undefined, state: { ...state, rounds } };
  if (better !== "first") return { mix: best, state: { ...state, rounds, against: 0 } };
  const against = state.against + 1;
  return { mix: undefined, state: against < AGAINST_MAX ? { ...state, rounds, against } : entered("search") };
}

/** The smallest loss; own before the others when equal, and when nothing is finite. */
export function smallestOf(losses: CandidateLosses): Candidate {
  let best: { readonly take: Candidate; readonly loss: number } = { take: "own", loss: finiteLoss(losses.own) };
  for (const take of ["mixed", "rival"] as const) {
    const one = losses[take];
    if (one && finiteLoss(one) < best.loss) best = { take, loss: finiteLoss(one) };
  }
  return best.take;
}

const smaller = (own: HeldOutLoss, mixed: HeldOutLoss): HeldOutLoss =>
  finiteLoss(mixed) <= finiteLoss(own) ? mixed : own;

const finiteLoss = ({ loss }: HeldOutLoss): number => (Number.isFinite(loss) ? loss : Number.POSITIVE_INFINITY);

/**
 * The adaptive lambda: mixing is tried before it is judged.
 *
 * A single look at losses misleads. Right after mixing, a mix of related adapters often looks worse than it is, because it
 * pays only after further local steps. Once a peer has drifted away from the others, mixing looks bad though it would have
 * paid. So a peer begins by mixing evenly, whatever the first rounds look like. Beside it a rival goes on from the same
 * adapter, and mixes only as far as the search finds good at once. Where the rival is ahead, the peer becomes the rival and
 * has lost nothing. Where the even mix is ahead, the rival is given up and costs nothing more. After the last round the
 * candidate with the smallest loss is taken.
 *
 * This file is pure: losses in, a decision out. Source: this project's own; the measurements are in docs/LAMBDA.md.
 */

/** lambda of a peer that mixes: the even mix, which no fixed value beat on related data. */
export const ADAPTIVE_SHARE = 0.5;

/** trial: mixing evenly, with a rival; swarm: mixing evenly; search: mixing as far as a search finds good at once. */
export type AdaptiveStage = "trial" | "swarm" | "search";

/** The memory of the adaptive rule between rounds; plain data. */
export interface AdaptiveState {
  readonly stage: AdaptiveStage;
  /** Rounds with neighbours in this stage. */
  readonly rounds: number;
  /** Pooled relative gain of the mix over the peer's own adapter; of the swarm. */
  readonly gain: number;
  /** Pooled relative lead over the rival; of a trial. */
  readonly lead: number;
  /** Rounds until the next look; 0 for now. Other than 0 in the swarm only. */
  readonly wait: number;
  /** Rounds between the last two looks. */
  readonly interval: number;
  /** Whether the even mix had the momentum of the aggregate at the last look that could tell; absent before it. */
  readonly pushed?: boolean;
}

/** Held-out losses of the adapters that a peer can go on with, in nats per token. Only a trial has a `rival`. */
export interface CandidateLosses {
  readonly own: number;
  readonly mixed: number;
  readonly rival?: number;
}

/** The adapters that a peer can go on with. */
export type Candidate = keyof CandidateLosses;

/** A round decided: the adapter to go on with, and the state to remember. */
export interface Decision {
  readonly take: Candidate;
  readonly state: AdaptiveState;
}

/** The state of a peer that has not mixed yet: a trial begins. */
export const FIRST_TRIAL: AdaptiveState = { stage: "trial", rounds: 0, gain: 0, lead: 0, wait: 0, interval: 1 };

/** Rounds of a trial before it is judged: the first mixes of related peers look bad for one or two. */
export const TRIAL_ROUNDS_MIN = 3;
/** Rounds after which a trial is decided in favour of the side that is ahead, so that the cost of a rival has an end. */
export const TRIAL_ROUNDS_MAX = 6;
/** Share of the past that stays in what is pooled, by round. */
const DECAY = 0.5;
/** Pooled relative lead that decides a trial before its last round, either way. */
const LEAD_MIN = 0.1;
/** Pooled relative loss by mixing at which the swarm is left. */
const LOSS_BY_MIXING_MAX = 0.1;
/** Longest time between two looks when nothing changes. */
const INTERVAL_MAX = 4;
/** Smallest loss that a difference is divided by. */
const LOSS_MIN = 1e-8;

/** Whether this round has to be looked at: losses are needed then, and not otherwise. */
export function isLookDue(state: AdaptiveState, { last }: { readonly last: boolean }): boolean {
  return last || state.stage !== "swarm" || state.wait <= 0;
}

/** After a round of the swarm without a look, in which it went on mixing. */
export function passRound(state: AdaptiveState): AdaptiveState {
  return { ...state, rounds: state.rounds + 1, wait: state.wait - 1 };
}

/**
 * A round of a trial or of the swarm.
 * trial: l ← l/2 + (L_rival - L_best) / max(L_rival, L_best) with L_best = min(L_own, L_mix). From the third round on
 * l < -0.1 makes the peer its rival (search), l > 0.1 drops the rival (swarm); in the sixth the sign of l decides.
 * swarm: g ← g/2 + (L_own - L_mix) / max(L_own, L_mix); g < -0.1 ends it (search).  Last round: the smallest loss.
 */
export function decide(state: AdaptiveState, losses: CandidateLosses, { last }: { readonly last: boolean }): Decision {
  const best = Number.isNaN(losses.mixed) || losses.own < losses.mixed ? losses.own : losses.mixed;
  const gain = DECAY * state.gain + relativeGain(losses.own, losses.mixed);
  const lead = losses.rival === undefined ? 0 : DECAY * state.lead + relativeGain(losses.rival, best);
  const looked = { ...state, rounds: state.rounds + 1, gain, lead };
  if (last) return { take: smallest(losses), state: looked };
  if (state.stage === "trial") {
    const decisive = looked.rounds >= TRIAL_ROUNDS_MAX ? 0 : LEAD_MIN;
    if (looked.rounds < TRIAL_ROUNDS_MIN) return { take: "mixed", state: looked };
    if (lead < -decisive) return { take: "rival", state: entered("search") };
    if (lead > decisive || looked.rounds >= TRIAL_ROUNDS_MAX) return { take: "mixed", state: entered("swarm") };
    return { take: "mixed", state: looked };
  }
  if (gain < -LOSS_BY_MIXING_MAX) return { take: "own", state: entered("search") };
  return { take: "mixed", state: settled(looked) };
}

const entered = (stage: AdaptiveStage): AdaptiveState => ({ stage, rounds: 0, gain: 0, lead: 0, wait: 0, interval: 1 });

/** The next look is twice as far away as the last one was. */
function settled(state: AdaptiveState): AdaptiveState {
  return { ...state, wait: state.interval - 1, interval: Math.min(2 * state.interval, INTERVAL_MAX) };
}

/** From -1 to 1; a loss that is no finite number is infinitely bad, two of them are equal. */
function relativeGain(from: number, to: number): number {
  const [a, b] = [from, to].map((loss) => (Number.isFinite(loss) ? loss : Number.POSITIVE_INFINITY)) as [
    number,
    number,
  ];
  if (a === b) return 0;
  if (a === Number.POSITIVE_INFINITY) return 1;
  if (b === Number.POSITIVE_INFINITY) return -1;
  return (a - b) / Math.max(a, b, LOSS_MIN);
}

/** Own before the others when equal, and when nothing is finite. */
function smallest({ own, mixed, rival = Number.NaN }: CandidateLosses): Candidate {
  let best: { take: Candidate; loss: number } = {
    take: "own",
    loss: Number.isFinite(own) ? own : Number.POSITIVE_INFINITY,
  };
  for (const [take, loss] of [
    ["mixed", mixed],
    ["rival", rival],
  ] as const) {
    if (Number.isFinite(loss) && loss < best.loss) best = { take, loss };
  }
  return best.take;
}

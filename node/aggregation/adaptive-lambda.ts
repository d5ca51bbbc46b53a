/**
 * A lambda that is tried before it is judged. Right after mixing, a mix of related adapters often looks worse than it
 * is (it pays only after further local steps), and once a peer has drifted away from the others, mixing never looks good
 * again, though it would have been. So a peer begins by mixing, whatever the first rounds look like, while a rival goes
 * on alone beside it from the same adapter. Where mixing keeps hurting, the peer becomes its rival and has lost nothing;
 * where the mix gets ahead of the rival, the rival is given up and costs nothing more; at the end the best is taken.
 * Source: this project's own; the measurements are in docs/LAMBDA.md.
 */

/** lambda of a peer that mixes: the even mix, which no fixed value beat on related data. */
export const ADAPTIVE_SHARE = 0.5;

/** trial: mixing, with a rival; swarm: mixing; alone: not mixing. */
export type AdaptiveStage = "trial" | "swarm" | "alone";

/** What a peer remembers of it between rounds; plain data. */
export interface AdaptiveState {
  readonly stage: AdaptiveStage;
  /** Rounds with neighbours in this stage. */
  readonly rounds: number;
  /** Pooled relative gain of the mix over the peer's own adapter. */
  readonly gain: number;
  /** Pooled relative lead of the mix over the rival; 0 without one. */
  readonly lead: number;
  /** Rounds until the next look; 0 for now. Of a trial always 0. */
  readonly wait: number;
  /** Rounds between the last two looks. */
  readonly interval: number;
}

/** Held-out losses in nats per token, of what a peer can go on with; `rival` in a trial only. */
export interface CandidateLosses {
  readonly own: number;
  readonly mixed: number;
  readonly rival?: number;
}

export type Candidate = keyof CandidateLosses;

/** How a round is decided: what to go on with, and what to remember. */
export interface Decision {
  readonly take: Candidate;
  readonly state: AdaptiveState;
}

/** The state of a peer that has not mixed yet: a trial begins. */
export const FIRST_TRIAL: AdaptiveState = { stage: "trial", rounds: 0, gain: 0, lead: 0, wait: 0, interval: 1 };

/** Rounds of a trial before it is judged: the first mixes of related peers look bad for one or two. */
export const TRIAL_ROUNDS_MIN = 3;
/** Share of the past that stays in what is pooled, by round. */
const DECAY = 0.5;
/** Pooled relative gain below whose negative mixing is given up, and above which it is tried again. */
const GAIN_MIN = 0.1;
/** Pooled relative lead from which the rival is given up. */
const LEAD_MIN = 0.2;
/** Longest time between two looks when nothing changes. */
const INTERVAL_MAX = 4;
/** Smallest loss that a difference is divided by. */
const LOSS_MIN = 1e-8;

/** Whether this round has to be looked at: losses are needed then, and not otherwise. */
export function isLookDue(state: AdaptiveState, { last }: { readonly last: boolean }): boolean {
  return last || state.stage === "trial" || state.wait <= 0;
}

/** A round without a look: go on as before. */
export function passRound(state: AdaptiveState): Decision {
  return {
    take: state.stage === "alone" ? "own" : "mixed",
    state: { ...state, rounds: state.rounds + 1, wait: state.wait - 1 },
  };
}

/**
 * g ← g/2 + (L_own - L_mix) / max(L_own, L_mix), and likewise the lead l with the rival in place of own.
 * In a trial of 3 rounds or more: g < -0.1 makes the peer its rival (alone), l > 0.2 drops the rival (swarm).
 * swarm: g < -0.1 ends the mixing.  alone: g > 0.1 begins a new trial.  Last round: the smallest loss.
 */
export function decide(state: AdaptiveState, losses: CandidateLosses, { last }: { readonly last: boolean }): Decision {
  const gain = DECAY * state.gain + relativeGain(losses.own, losses.mixed);
  const best = Number.isNaN(losses.mixed) || losses.own < losses.mixed ? losses.own : losses.mixed;
  const lead = losses.rival === undefined ? 0 : DECAY * state.lead + relativeGain(losses.rival, best);
  const looked = { ...state, rounds: state.rounds + 1, gain, lead };
  if (last) return { take: smallest(losses), state: looked };
  switch (state.stage) {
    case "trial":
      if (looked.rounds < TRIAL_ROUNDS_MIN) return { take: "mixed", state: looked };
      if (gain < -GAIN_MIN && lead < LEAD_MIN)
        return { take: losses.rival === undefined ? "own" : "rival", state: entered("alone") };
      if (lead > LEAD_MIN) return { take: "mixed", state: entered("swarm") };
      return { take: "mixed", state: looked };
    case "swarm":
      if (gain < -GAIN_MIN) return { take: "own", state: entered("alone") };
      return { take: "mixed", state: settled(looked) };
    case "alone":
      if (gain > GAIN_MIN) return { take: "mixed", state: { ...FIRST_TRIAL, rounds: 1 } };
      return { take: "own", state: settled(looked) };
  }
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

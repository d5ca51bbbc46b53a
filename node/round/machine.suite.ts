import {
  initialRoundState,
  type RoundEffect,
  type RoundEvent,
  type RoundSettings,
  type RoundState,
  step,
} from "./machine.ts";

export const settings: RoundSettings = { count: 5, localSteps: 4, deadlineMs: { min: 200, max: 30_000 }, ageMax: 2 };

export type Told = RoundEvent extends infer E
  ? E extends RoundEvent
    ? Omit<E, "now"> & { now?: number }
    : never
  : never;

/** The state after some events, one millisecond apart unless they say when, and the effects of the last one. */
export function play(
  events: readonly Told[],
  from = initialRoundState(settings),
): { state: RoundState; last: RoundEffect[] } {
  let state = from;
  let last: readonly RoundEffect[] = [];
  let now = 1000;
  for (const event of events) {
    now = event.now ?? now + 1;
    const next = step(state, { ...event, now } as RoundEvent);
    state = next.state;
    last = next.effects;
  }
  return { state, last: [...last] };
}

export const at = (round: number): Told => ({ type: "started", position: { round, phase: "training" } });
export const started = at(0);
export const trained: Told = { type: "trained" };
export const published: Told = { type: "published", now: 2000 };
export const aggregated = { type: "aggregated" } as const satisfies Told;
export const evaluated: Told = { type: "evaluated" };
export const join = (peer: string): Told => ({ type: "peerJoined", peer });
export const leave = (peer: string): Told => ({ type: "peerLeft", peer });
export const update = (peer: string, round: number, now?: number): Told => ({
  type: "updateHeard",
  peer,
  round,
  ...(now === undefined ? {} : { now }),
});
export const deadline = (deadlineAt: number, now = deadlineAt): Told => ({ type: "deadline", at: deadlineAt, now });

/** Lags that are known when a round begins: others that were early. */
export const quick: readonly Told[] = [0, 1, 2].map((i) => update(`early${i}`, 4));

/** A round alone: nobody is there, so it ends at the shortest deadline. */
export const aloneRound = (publishedAt: number): Told[] => [
  trained,
  { type: "published", now: publishedAt },
  deadline(publishedAt + 200),
  aggregated,
];

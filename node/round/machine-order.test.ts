import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { aggregated, evaluated, play, settings, started, type Told, trained } from "./machine.suite.ts";
import { initialRoundState, type RoundEvent, type RoundState, step } from "./machine.ts";

describe("any order of events", () => {
  const name = fc.constantFrom("a", "b", "c", "d");
  const told = fc.oneof(
    fc.constant<Told>(trained),
    fc.constant<Told>({ type: "published" }),
    fc.constant<Told>(aggregated),
    fc.constant<Told>(evaluated),
    fc.record({ type: fc.constant("peerJoined" as const), peer: name }),
    fc.record({ type: fc.constant("peerLeft" as const), peer: name }),
    fc.record({ type: fc.constant("updateHeard" as const), peer: name, round: fc.nat({ max: 4 }) }),
    fc.record({ type: fc.constant("deadline" as const), at: fc.nat({ max: 40_000 }) }),
  ) as fc.Arbitrary<Told>;

  /** What a driver answers to a state's phase, so that it goes on. */
  const answer = (state: RoundState, now: number): RoundEvent => {
    switch (state.phase) {
      case "idle":
        return { type: "started", now, position: { round: 0, phase: "training" } };
      case "training":
        return { type: "trained", now };
      case "publishing":
        return { type: "published", now };
      case "collecting":
        return { type: "deadline", now, at: state.deadlineAt! };
      case "aggregating":
        return { type: "aggregated", now };
      case "serving":
      case "finished":
        return state.over.evaluation
          ? { type: "deadline", now, at: state.deadlineAt ?? -1 }
          : { type: "evaluated", now };
    }
  };

  test("never gets stuck: with the deadline as the only help every peer finishes", () => {
    fc.assert(
      fc.property(fc.array(told, { maxLength: 60 }), (events) => {
        let { state } = play([started, ...events]);
        for (let i = 0; i < 50 && state.phase !== "finished"; i++) {
          const before = state;
          state = step(state, answer(state, 1e6 + i)).state;
          if (before.phase === "collecting") expect(state.phase).toBe("aggregating");
        }
        expect(state.phase).toBe("finished");
      }),
      { numRuns: 300 },
    );
  });

  test("a phase that waits always has its deadline, never beyond the longest; no other phase has one", () => {
    fc.assert(
      fc.property(fc.array(told, { maxLength: 60 }), (events) => {
        let state = initialRoundState(settings);
        let armed: number | undefined;
        let now = 1000;
        for (const event of [started, ...events]) {
          const next = step(state, { ...event, now: (now += 37) } as RoundEvent);
          state = next.state;
          for (const effect of next.effects) {
            if (effect.type === "setDeadline") armed = effect.at;
            if (effect.type === "cancelDeadline") armed = undefined;
          }
          if (event.type === "deadline" && event.at === armed) armed = undefined;
          const waits = state.phase === "collecting" || (state.phase === "serving" && !state.over.service);
          expect(state.deadlineAt !== undefined).toBe(waits);
          expect(armed).toBe(state.deadlineAt);
          if (waits) expect(state.deadlineAt! - state.waitingSince).toBeLessThanOrEqual(settings.deadlineMs.max);
        }
      }),
      { numRuns: 300 },
    );
  });

  test("rounds only rise, and each is published at most once", () => {
    fc.assert(
      fc.property(fc.array(told, { maxLength: 80 }), (events) => {
        let state = initialRoundState(settings);
        const rounds: number[] = [];
        let now = 0;
        for (const event of [started, ...events]) {
          const next = step(state, { ...event, now: (now += 10) } as RoundEvent);
          expect(next.state.round).toBeGreaterThanOrEqual(state.round);
          for (const effect of next.effects) if (effect.type === "publish") rounds.push(effect.round);
          state = next.state;
        }
        expect(rounds).toEqual([...new Set(rounds)].sort((a, b) => a - b));
      }),
      { numRuns: 200 },
    );
  });

  test("a jump follows somebody present who still trains, far enough ahead, and leaves the last round to do", () => {
    fc.assert(
      fc.property(fc.array(told, { maxLength: 80 }), (events) => {
        let state = initialRoundState(settings);
        const last = settings.count - 1;
        let now = 0;
        for (const event of [started, ...events]) {
          const next = step(state, { ...event, now: (now += 10) } as RoundEvent);
          for (const effect of next.effects) {
            if (effect.type !== "aggregate" || effect.asOf === effect.round) continue;
            expect(effect.asOf).toBeLessThan(last);
            expect(effect.asOf - effect.round).toBeGreaterThan(settings.ageMax);
            const peers = [...next.state.peers.values()];
            expect(peers.some(({ present, latest }) => present && latest === effect.asOf)).toBe(true);
          }
          state = next.state;
        }
      }),
      { numRuns: 300 },
    );
  });

  test("among peers that are through, every round is trained, whoever comes and goes", () => {
    const last = settings.count - 1;
    const through = told.map((event): Told => (event.type === "updateHeard" ? { ...event, round: last } : event));
    fc.assert(
      fc.property(fc.array(through, { maxLength: 40 }), (events) => {
        let state = initialRoundState(settings);
        const rounds: number[] = [];
        const tell = (event: RoundEvent): void => {
          const next = step(state, event);
          for (const effect of next.effects) if (effect.type === "train") rounds.push(effect.round);
          state = next.state;
        };
        for (const [i, event] of [started, ...events].entries()) tell({ ...event, now: 10 * i } as RoundEvent);
        for (let i = 0; i < 50 && state.phase !== "finished"; i++) tell(answer(state, 1e6 + i));
        expect(rounds).toEqual([0, 1, 2, 3, 4]);
      }),
      { numRuns: 200 },
    );
  });

  test("equal events give equal states and effects, and no state is changed in place", () => {
    fc.assert(
      fc.property(fc.array(told, { maxLength: 40 }), (events) => {
        const first = play([started, ...events]);
        const half = play([started, ...events.slice(0, events.length >> 1)]);
        const copy = structuredClone(half.state);
        play(events, half.state);
        expect(half.state).toEqual(copy);
        expect(play([started, ...events])).toEqual(first);
      }),
      { numRuns: 100 },
    );
  });
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  initialRoundState,
  PEERS_MAX,
  positionOf,
  type RoundEffect,
  type RoundEvent,
  type RoundPhase,
  type RoundSettings,
  type RoundState,
  step,
  waitedFor,
} from "./machine.ts";

const settings: RoundSettings = { count: 5, localSteps: 4, deadlineMs: { min: 200, max: 30_000 }, ageMax: 2 };

type Told = RoundEvent extends infer E ? (E extends RoundEvent ? Omit<E, "now"> & { now?: number } : never) : never;

/** The state after some events, one millisecond apart unless they say when, and the effects of the last one. */
function play(events: readonly Told[], from = initialRoundState(settings)): { state: RoundState; last: RoundEffect[] } {
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

const at = (round: number): Told => ({ type: "started", position: { round, phase: "training" } });
const started = at(0);
const trained: Told = { type: "trained" };
const published: Told = { type: "published", now: 2000 };
const aggregated: Told = { type: "aggregated" };
const evaluated: Told = { type: "evaluated" };
const join = (peer: string): Told => ({ type: "peerJoined", peer });
const leave = (peer: string): Told => ({ type: "peerLeft", peer });
const update = (peer: string, round: number, now?: number): Told => ({
  type: "updateHeard",
  peer,
  round,
  ...(now === undefined ? {} : { now }),
});
const deadline = (deadlineAt: number, now = deadlineAt): Told => ({ type: "deadline", at: deadlineAt, now });

/** Lags that are known when a round begins: others that were early. */
const quick: readonly Told[] = [0, 1, 2].map((i) => update(`early${i}`, 4));

/** A round alone: nobody is there, so it ends at the shortest deadline. */
const aloneRound = (publishedAt: number): Told[] => [
  trained,
  { type: "published", now: publishedAt },
  deadline(publishedAt + 200),
  aggregated,
];

describe("one event at a time", () => {
  const rows: readonly [string, readonly Told[], RoundPhase, readonly RoundEffect[]][] = [
    ["a start trains", [started], "training", [{ type: "train", round: 0, steps: 4 }]],
    ["a start within a later round trains that one", [at(3)], "training", [{ type: "train", round: 3, steps: 4 }]],
    [
      "a start after the local steps publishes",
      [{ type: "started", position: { round: 2, phase: "trained" } }],
      "publishing",
      [{ type: "checkpoint" }, { type: "publish", round: 2 }],
    ],
    [
      "a start after the last round serves and evaluates",
      [{ type: "started", position: { round: 5, phase: "serving" }, now: 7000 }],
      "serving",
      [{ type: "evaluate" }, { type: "setDeadline", at: 7200 }],
    ],
    ["a second start is nothing", [started, at(3)], "training", []],
    [
      "what was trained is saved before it is published",
      [started, trained],
      "publishing",
      [{ type: "checkpoint" }, { type: "publish", round: 0 }],
    ],
    [
      "alone, the shortest deadline holds",
      [started, trained, published],
      "collecting",
      [{ type: "setDeadline", at: 2200 }],
    ],
    [
      "with a peer of unknown pace, the longest deadline holds",
      [started, join("a"), trained, published],
      "collecting",
      [{ type: "setDeadline", at: 32_000 }],
    ],
    [
      "when everybody is there already, nobody waits",
      [started, join("a"), update("a", 0), trained, published],
      "aggregating",
      [{ type: "aggregate", round: 0, asOf: 0 }],
    ],
    [
      "the last update that was missing ends the wait",
      [started, join("a"), join("b"), trained, published, update("a", 0), update("b", 0)],
      "aggregating",
      [{ type: "cancelDeadline" }, { type: "aggregate", round: 0, asOf: 0 }],
    ],
    [
      "an update of a later round is fresh",
      [started, join("a"), trained, published, update("a", 2)],
      "aggregating",
      [{ type: "cancelDeadline" }, { type: "aggregate", round: 0, asOf: 0 }],
    ],
    ["an update of an earlier round is not", [at(1), join("a"), trained, published, update("a", 0)], "collecting", []],
    [
      "the deadline ends the wait",
      [started, join("a"), trained, published, deadline(32_000)],
      "aggregating",
      [{ type: "aggregate", round: 0, asOf: 0 }],
    ],
    [
      "the deadline ends the wait even when the clock was set back",
      [started, join("a"), trained, published, deadline(32_000, 5)],
      "aggregating",
      [{ type: "aggregate", round: 0, asOf: 0 }],
    ],
    [
      "with most of the others further behind than updates may be old, the longest deadline holds, whatever the pace is",
      [at(3), ...["a", "b"].map((peer) => update(peer, 0)), ...quick, trained, published],
      "collecting",
      [{ type: "setDeadline", at: 32_000 }],
    ],
    [
      "until most of them are near enough, with the pace's deadline from then on",
      [at(3), ...["a", "b"].map((peer) => update(peer, 0)), ...quick, trained, published, update("a", 1)],
      "collecting",
      [{ type: "setDeadline", at: 2200 }],
    ],
    [
      "and when that is over already, nobody waits",
      [at(3), update("a", 0), ...quick, trained, published, update("a", 1, 9000)],
      "aggregating",
      [{ type: "cancelDeadline" }, { type: "aggregate", round: 3, asOf: 3 }],
    ],
    [
      "half of them behind are not waited for",
      [at(4), update("a", 0), update("b", 3), ...quick, trained, published],
      "collecting",
      [{ type: "setDeadline", at: 2200 }],
    ],
    ["a deadline that was replaced is nothing", [started, trained, published, deadline(31_000)], "collecting", []],
    [
      "when the one that is missing leaves, nobody else is waited for",
      [started, join("a"), join("b"), update("a", 0), trained, published, leave("b")],
      "aggregating",
      [{ type: "cancelDeadline" }, { type: "aggregate", round: 0, asOf: 0 }],
    ],
    [
      "when the only other one leaves, the shortest deadline holds",
      [started, join("a"), trained, published, { type: "peerLeft", peer: "a", now: 2100 }],
      "collecting",
      [{ type: "setDeadline", at: 2200 }],
    ],
    [
      "when the only other one leaves late, the wait is over",
      [started, join("a"), trained, published, { type: "peerLeft", peer: "a", now: 9000 }],
      "aggregating",
      [{ type: "cancelDeadline" }, { type: "aggregate", round: 0, asOf: 0 }],
    ],
    [
      "after aggregating, the state is saved and the next round trains",
      [started, ...aloneRound(2000)],
      "training",
      [{ type: "checkpoint" }, { type: "train", round: 1, steps: 4 }],
    ],
    [
      "after the last round, the peer saves, evaluates and serves a while",
      [at(4), join("a"), trained, published, deadline(32_000), { ...aggregated, now: 40_000 }],
      "serving",
      [{ type: "checkpoint" }, { type: "evaluate" }, { type: "setDeadline", at: 70_000 }],
    ],
    [
      "it serves until the others have published their last round, and long enough to be heard itself",
      [at(4), join("a"), trained, published, deadline(32_000), aggregated, update("a", 4)],
      "serving",
      [{ type: "setDeadline", at: 32_201 }],
    ],
    [
      "and finishes when it has evaluated too",
      [at(4), join("a"), trained, published, deadline(32_000), aggregated, update("a", 4, 40_000), evaluated],
      "finished",
      [{ type: "finish" }],
    ],
    [
      "or the other way round",
      [
        at(4),
        join("a"),
        trained,
        published,
        deadline(32_000),
        { ...aggregated, now: 40_000 },
        evaluated,
        deadline(70_000),
      ],
      "finished",
      [{ type: "finish" }],
    ],
    [
      "behind by more than ageMax, it aggregates as of the others' round",
      [started, update("a", 3), trained, published],
      "aggregating",
      [{ type: "aggregate", round: 0, asOf: 3 }],
    ],
    [
      "and goes on with the round after it",
      [started, update("a", 3), trained, published, aggregated],
      "training",
      [{ type: "checkpoint" }, { type: "train", round: 4, steps: 4 }],
    ],
    [
      "who makes nothing of its own and heard nothing fresh does the same round again",
      [at(3), trained, published, deadline(2200), { ...aggregated, again: true }],
      "training",
      [{ type: "checkpoint" }, { type: "train", round: 3, steps: 4 }],
    ],
    [
      "when the others are through, it aggregates what they have and does all its own rounds",
      [started, update("a", 4), update("b", 4), trained, published],
      "aggregating",
      [{ type: "aggregate", round: 0, asOf: 0 }],
    ],
    [
      "one after another",
      [started, update("a", 4), update("b", 4), trained, published, aggregated],
      "training",
      [{ type: "checkpoint" }, { type: "train", round: 1, steps: 4 }],
    ],
    [
      "of those it goes by whoever still trains",
      [started, update("a", 4), update("b", 3), update("c", 4), trained, published],
      "aggregating",
      [{ type: "aggregate", round: 0, asOf: 3 }],
    ],
    [
      "and stays when those are not ahead",
      [started, update("a", 4), update("b", 1), update("c", 4), trained, published],
      "aggregating",
      [{ type: "aggregate", round: 0, asOf: 0 }],
    ],
    [
      "whoever left is not gone after",
      [started, update("a", 3), leave("a"), join("b"), update("b", 0), trained, published],
      "aggregating",
      [{ type: "aggregate", round: 0, asOf: 0 }],
    ],
    [
      "behind by ageMax, it stays in its own round",
      [started, update("a", 2), trained, published, aggregated],
      "training",
      [{ type: "checkpoint" }, { type: "train", round: 1, steps: 4 }],
    ],
    [
      "a minority that claims to be far ahead moves nobody",
      [started, update("a", 0), update("b", 0), update("liar", 3), trained, published, aggregated],
      "training",
      [{ type: "checkpoint" }, { type: "train", round: 1, steps: 4 }],
    ],
    [
      "a majority does, but never past the last round",
      [started, update("a", 0), ...["x", "y"].map((liar) => update(liar, 3)), trained, published, aggregated],
      "training",
      [{ type: "checkpoint" }, { type: "train", round: 4, steps: 4 }],
    ],
  ];
  test.each(rows)("%s", (_title, events, phase, effects) => {
    const { state, last } = play(events);
    expect(state.phase).toBe(phase);
    expect(last).toEqual(effects);
  });
});

describe("who is waited for", () => {
  test("a peer that falls silent holds the others up for two more rounds, then no longer, until it is heard again", () => {
    let { state } = play([started, update("a", 0), update("silent", 0)]);
    const waited: boolean[] = [];
    for (let round = 0; round < 4; round++) {
      const now = 10_000 * (round + 1);
      state = play([trained, { ...published, now }], state).state;
      waited.push(waitedFor(state).includes("silent"));
      if (state.phase === "collecting") state = play([update("a", round, now + 1)], state).state;
      if (state.phase === "collecting") state = play([deadline(state.deadlineAt!)], state).state;
      expect(state.phase).toBe("aggregating");
      state = play([aggregated], state).state;
    }
    expect(waited).toEqual([true, true, true, false]);
    expect(waitedFor(play([update("silent", 1)], state).state)).toContain("silent");
  });

  test("a peer whose connection closed is waited for again once it is back", () => {
    const { state } = play([started, join("a"), leave("a")]);
    expect(waitedFor(state)).toEqual([]);
    expect(waitedFor(play([join("a")], state).state)).toEqual(["a"]);
    expect(waitedFor(play([update("a", 0)], state).state)).toEqual(["a"]);
  });

  test("catching up does not make those it caught up with count as silent", () => {
    const { state } = play([started, update("a", 3), trained, published, aggregated]);
    expect(state.round).toBe(4);
    expect(waitedFor(state)).toEqual(["a"]);
  });

  test("a peer that leaves without having come is nothing", () => {
    expect(play([started, leave("a")]).state.peers.size).toBe(0);
  });

  test("beyond the bound the one heard longest ago is forgotten", () => {
    let { state } = play([started, join("oldest")]);
    state = { ...state, turn: 1 };
    for (let i = 0; i < PEERS_MAX; i++) state = play([join(`p${i}`)], state).state;
    expect(state.peers.size).toBe(PEERS_MAX);
    expect(state.peers.has("oldest")).toBe(false);
  });
});

describe("the deadline follows the pace", () => {
  test("lags are measured from this peer's own publishing; whoever was early has none", () => {
    const { state } = play([
      started,
      join("late"),
      update("early", 0),
      trained,
      published,
      update("late", 0, 2700),
      aggregated,
    ]);
    expect(state.pace).toEqual([0, 700]);
  });

  test("an answer after the deadline still counts, as long as its round is remembered", () => {
    const { state } = play([started, ...aloneRound(2000), update("a", 0, 5000), update("b", 0, 90_000)]);
    expect(state.pace).toEqual([3000, 30_000]);
  });

  test("the same round of a peer is measured once", () => {
    const { state } = play([started, ...aloneRound(2000), update("a", 0, 5000), update("a", 0, 6000)]);
    expect(state.pace).toEqual([3000]);
  });

  test("a known pace gives a shorter deadline", () => {
    const { state } = play([started, join("a"), trained, published], initialRoundState(settings, [500, 500, 500]));
    expect(state.deadlineAt).toBe(2500);
  });
});

test("where to go on after a kill: a published round is collected again, never trained again", () => {
  const states = [
    [[started], { round: 0, phase: "training" }],
    [[started, trained], { round: 0, phase: "trained" }],
    [[started, trained, published], { round: 0, phase: "trained" }],
    [[started, trained, published, deadline(2200)], { round: 0, phase: "trained" }],
    [[started, ...aloneRound(2000)], { round: 1, phase: "training" }],
    [[at(4), ...aloneRound(2000)], { round: 5, phase: "serving" }],
  ] as const;
  for (const [events, position] of states) expect(positionOf(play(events).state)).toEqual(position);
});

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

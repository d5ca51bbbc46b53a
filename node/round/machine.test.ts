import { describe, expect, test } from "vitest";
import {
  aggregated,
  aloneRound,
  at,
  deadline,
  evaluated,
  join,
  leave,
  play,
  published,
  quick,
  settings,
  started,
  type Told,
  trained,
  update,
} from "./machine.suite.ts";
import { initialRoundState, PEERS_MAX, positionOf, type RoundEffect, type RoundPhase, waitedFor } from "./machine.ts";

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

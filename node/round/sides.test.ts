/** Sides that trained apart and meet again: whole round machines on virtual time, with the exchange's rules on rounds. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LIMITS } from "../../protocol/limits.ts";
import { createPrng } from "../../protocol/prng.ts";
import { createVirtualClock } from "../system/platform/virtual-clock.ts";
import { initialRoundState, type RoundEvent, type RoundState, step } from "./machine.ts";

const LATENCY_MS = 20;
const AGGREGATE_MS = 10;
const DEADLINE_MS = { min: 200, max: 10_000 };

interface Side {
  readonly size: number;
  /** Where its peers begin. */
  readonly round: number;
  /** Of a round's local steps; every round takes up to a fifth more or less. */
  readonly trainMs: number;
}

interface Member {
  readonly name: string;
  state: RoundState;
  /** The round that it last published, -1 before the first. */
  own: number;
  /** The newest round of every other peer that was accepted. */
  readonly inbox: Map<string, number>;
  readonly links: Set<Member>;
  readonly rounds: { readonly round: number; readonly endedAt: number; readonly used: readonly string[] }[];
}

type Told = RoundEvent extends infer E ? (E extends RoundEvent ? Omit<E, "now"> : never) : never;

function createSwarm(sides: readonly Side[], { ageMax, seed }: { readonly ageMax: number; readonly seed: number }) {
  const clock = createVirtualClock(1_000_000);
  const settings = { count: 1_000_000, localSteps: 1, deadlineMs: DEADLINE_MS, ageMax };

  /** An update of a round comes to a peer: accepted by its round, or news of where the author is. */
  const say = (to: Member, author: string, round: number): void => {
    const behind = to.state.round - round;
    if (behind <= ageMax && -behind <= LIMITS.roundsAheadMax) {
      to.inbox.set(author, Math.max(round, to.inbox.get(author) ?? -1));
    }
    tell(to, { type: "updateHeard", peer: author, round });
  };
  const sayOwn = (from: Member, to: Member): void => {
    const { own } = from;
    if (own >= 0) clock.after(LATENCY_MS, () => say(to, from.name, own));
  };
  const createMember = (name: string, { round, trainMs }: Side): Member => {
    const member: Member = {
      name,
      state: initialRoundState(settings),
      own: -1,
      inbox: new Map(),
      links: new Set(),
      rounds: [],
    };
    const prng = createPrng(seed).fork(name);
    works.set(member, () => trainMs * (0.8 + 0.4 * prng.uniform()));
    clock.after(0, () => tell(member, { type: "started", position: { round, phase: "training" } }));
    return member;
  };
  const works = new Map<Member, () => number>();
  const tell = (member: Member, event: Told): void => {
    const next = step(member.state, { ...event, now: clock.now() } as RoundEvent);
    member.state = next.state;
    for (const effect of next.effects) {
      switch (effect.type) {
        case "train":
          clock.after(works.get(member)!(), () => tell(member, { type: "trained" }));
          break;
        case "publish":
          member.own = effect.round;
          for (const other of member.links) sayOwn(member, other);
          clock.after(0, () => tell(member, { type: "published" }));
          break;
        case "setDeadline":
          // One that was replaced or cancelled is nothing to the machine.
          clock.after(effect.at - clock.now(), () => tell(member, { type: "deadline", at: effect.at }));
          clock.after((effect.at - clock.now()) / 2, () => askAgain(member));
          break;
        case "aggregate": {
          const { round, asOf } = effect;
          const used = [...member.inbox].filter(([, of]) => of >= asOf - ageMax).map(([author]) => author);
          member.rounds.push({ round, endedAt: clock.now(), used });
          clock.after(AGGREGATE_MS, () => tell(member, { type: "aggregated" }));
        }
      }
    }
  };
  const askAgain = (member: Member): void => {
    for (const other of member.links) {
      sayOwn(other, member);
      sayOwn(member, other);
    }
  };
  const connect = (one: Member, other: Member): void => {
    for (const [from, to] of [
      [one, other],
      [other, one],
    ] as const) {
      to.links.add(from);
      tell(to, { type: "peerJoined", peer: from.name });
      sayOwn(from, to);
    }
  };
  const connectAll = (members: readonly Member[]): void => {
    for (const [i, one] of members.entries()) {
      for (const other of members.slice(i + 1)) if (!one.links.has(other)) connect(one, other);
    }
  };
  /** Let time pass until `isDone`; false when it is not within so much time. */
  const until = (isDone: () => boolean, withinMs: number): boolean => {
    for (const end = clock.now() + withinMs; !isDone(); ) {
      if (clock.now() >= end) return false;
      clock.advance(clock.nextAt()! - clock.now());
    }
    return true;
  };
  const members = sides.map((side, i) =>
    Array.from({ length: side.size }, (_, n) => createMember(`${"abc"[i]}${n}`, side)),
  );
  for (const side of members) connectAll(side);
  return { clock, sides: members, all: members.flat(), tell, say, connectAll, until };
}

/** Rounds between the first and the last of them. */
const spread = (members: readonly Member[]): number => {
  const rounds = members.map(({ own }) => own);
  return Math.max(...rounds) - Math.min(...rounds);
};

/**
 * Where a side is several times slower and not the larger one, its peers are stragglers among the others, partition or not:
 * the larger side gets its time, and of equal ones one takes twice the other's at most.
 */
function followable([a, b]: readonly [Side, Side], ageMax: number): readonly [Side, Side] {
  const [small, large] = a.size < b.size ? [a, b] : [b, a];
  const slowMs = Math.max(small.trainMs, large.trainMs);
  if (small.size === large.size) {
    const quickMs = Math.max(Math.min(small.trainMs, large.trainMs), slowMs / 2);
    return [
      { ...small, trainMs: Math.max(small.trainMs, quickMs) },
      { ...large, trainMs: Math.max(large.trainMs, quickMs) },
    ];
  }
  if (1.2 * small.trainMs <= 0.8 * Math.min(2, ageMax) * large.trainMs) return [small, large];
  return [
    { ...small, trainMs: Math.min(small.trainMs, large.trainMs) },
    { ...large, trainMs: slowMs },
  ];
}

/** Whether a member used an update of another side in one of its newest rounds. */
const usesOthers = ({ name, rounds }: Member, count: number): boolean =>
  rounds.slice(-count).some(({ used }) => used.some((author) => author[0] !== name[0]));

const roundsOf = (members: readonly Member[]): readonly number[] => members.map(({ rounds }) => rounds.length);

describe("sides that are connected again", () => {
  const side = fc.record({
    size: fc.integer({ min: 1, max: 4 }),
    round: fc.integer({ min: 0, max: 150 }),
    trainMs: fc.integer({ min: 400, max: 2000 }),
  });
  const someSeed = fc.nat({ max: 1e6 });
  const someAge = fc.integer({ min: 1, max: 6 });

  test("two come together within rounds in proportion to what parted them, and use each other's updates from then on", () => {
    fc.assert(
      fc.property(fc.tuple(side, side), someSeed, someAge, (drawn, seed, ageMax) => {
        const sides = followable(drawn, ageMax);
        const { all, connectAll, until } = createSwarm(sides, { ageMax, seed });
        expect(until(() => all.every(({ rounds }) => rounds.length >= 3), 1e6)).toBe(true);
        const apart = spread(all);
        const ahead = all.filter(({ own }) => own === Math.max(...all.map((one) => one.own)));
        connectAll(all);
        const before = roundsOf(ahead);
        // While one side waits for a round's longest deadline, the other does as many rounds as fit into it; before and
        // after that they are as near as they may be.
        const slowestMs = 1.2 * Math.max(...sides.map(({ trainMs }) => trainMs)) + 4 * LATENCY_MS;
        const roundsMax = 6 + 2 * ageMax + apart / (Math.floor(DEADLINE_MS.max / slowestMs) - 1);
        expect(until(() => spread(all) <= ageMax, roundsMax * (DEADLINE_MS.max + slowestMs))).toBe(true);
        for (const [i, count] of roundsOf(ahead).entries()) expect(count - before[i]!).toBeLessThanOrEqual(roundsMax);
        const then = roundsOf(all);
        expect(until(() => all.every(({ rounds }, i) => rounds.length >= then[i]! + 30), 1e6)).toBe(true);
        for (const member of all) expect(usesOthers(member, 20), member.name).toBe(true);
      }),
      { seed: 20, numRuns: 12 },
    );
  });

  test("three do, too, where they go at one pace", () => {
    fc.assert(
      fc.property(fc.tuple(side, side, side), someSeed, someAge, (drawn, seed, ageMax) => {
        const { all, connectAll, until } = createSwarm(
          drawn.map((one) => ({ ...one, trainMs: 1000 })),
          { ageMax, seed },
        );
        expect(until(() => all.every(({ rounds }) => rounds.length >= 3), 1e6)).toBe(true);
        connectAll(all);
        expect(until(() => spread(all) <= ageMax, 40 * (DEADLINE_MS.max + 2000))).toBe(true);
        const then = roundsOf(all);
        expect(until(() => all.every(({ rounds }, i) => rounds.length >= then[i]! + 10), 1e6)).toBe(true);
        for (const member of all) expect(usesOthers(member, 10), member.name).toBe(true);
      }),
      { seed: 20, numRuns: 4 },
    );
  });
});

describe("who is far behind", () => {
  const ageMax = 2;
  const LIARS = ["x", "y", "z"] as const;

  /** How long each of a peer's rounds took, with another honest one beside it, once `count` liars are there, who say what `roundOf` gives. */
  function roundsBeside(count: number, roundOf: (saidBefore: number) => number, rounds = 12): readonly number[] {
    const { all, clock, say, tell, until } = createSwarm([{ size: 3, round: 100, trainMs: 500 }], { ageMax, seed: 7 });
    expect(until(() => all.every((one) => one.rounds.length >= 20), 1e6)).toBe(true);
    const liars = LIARS.slice(0, count);
    for (const peer of liars) for (const member of all) tell(member, { type: "peerJoined", peer });
    const before = all[0]!.rounds.length;
    for (let said = 0; all[0]!.rounds.length < before + rounds; said++) {
      for (const liar of liars) for (const member of all) say(member, liar, roundOf(said));
      until(() => false, 300);
      expect(clock.now()).toBeLessThan(1e7);
    }
    const times = all[0]!.rounds.slice(before - 1, before + rounds).map(({ endedAt }) => endedAt);
    return times.slice(1).map((at, i) => at - times[i]!);
  }
  const quickMs = 500 * 1.2 + DEADLINE_MS.min + 100;
  const longestMs = quickMs + DEADLINE_MS.max;

  test("and is most of the others, but makes no progress, holds up three rounds at most, whatever it repeats", () => {
    const took = roundsBeside(3, () => 5);
    expect(Math.max(...took)).toBeLessThan(longestMs);
    expect(Math.max(...took)).toBeGreaterThan(DEADLINE_MS.max);
    expect(took.filter((ms) => ms > quickMs).length).toBeLessThanOrEqual(3);
  });

  test.each([1, 2])(
    "and talks of ever later old rounds holds nobody up where it is %i of four others at most",
    (count) => {
      expect(Math.max(...roundsBeside(count, (said) => said))).toBeLessThan(quickMs);
    },
  );

  test("and is most of the others delays each round by the longest deadline at most", () => {
    const took = roundsBeside(3, (said) => said, 4);
    expect(Math.max(...took)).toBeLessThan(longestMs);
    expect(Math.min(...took.slice(1))).toBeGreaterThan(DEADLINE_MS.max);
  });
});

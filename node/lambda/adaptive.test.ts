import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type AdaptiveState,
  type CandidateLosses,
  decide,
  decideAlone,
  FIRST_TRIAL,
  isLookDue,
  passRound,
  TRIAL_ROUNDS_MAX,
} from "./adaptive.ts";

const loss = fc.oneof(
  fc.double({ min: 0, max: 9, noNaN: true }),
  fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY),
);
const losses: fc.Arbitrary<CandidateLosses> = fc.record({ own: loss, mixed: loss, rival: loss });
const more = { last: false };

/** Rounds with the same losses, looked at when due, until the stage is the search.  Returns what was gone through. */
function stages(of: CandidateLosses, rounds: number): { stage: string; looked: boolean; take: string }[] {
  let state = FIRST_TRIAL;
  const seen: { stage: string; looked: boolean; take: string }[] = [];
  while (seen.length < rounds && state.stage !== "search") {
    const looked = isLookDue(state, more);
    const decision = looked ? decide(state, of, more) : { take: "mixed", state: passRound(state) };
    state = decision.state;
    seen.push({ stage: state.stage, looked, take: decision.take });
  }
  return seen;
}

describe("the adaptive lambda", () => {
  it("mixes for two rounds whatever they look like, and becomes the rival when the third is no better", () => {
    const seen = stages({ own: 2, mixed: 2, rival: 1 }, 9);
    expect(seen.map(({ take }) => take)).toEqual(["mixed", "mixed", "rival"]);
    expect(seen[2]!.stage).toBe("search");
  });

  it("forgives first mixes that look bad when later ones look good", () => {
    let state: AdaptiveState = FIRST_TRIAL;
    for (const mixed of [3, 2.4, 1.5, 1.4]) state = decide(state, { own: 3, mixed, rival: 2 }, more).state;
    expect(state.stage).toBe("swarm");
  });

  it("gives the rival up when the mix is well ahead, and looks at longer and longer intervals then", () => {
    const seen = stages({ own: 1.1, mixed: 1, rival: 1.5 }, 16);
    expect(seen[2]!.stage).toBe("swarm");
    expect(seen.every(({ take }) => take === "mixed")).toBe(true);
    expect(seen.map(({ looked }) => (looked ? "x" : ".")).join("")).toBe("xxxxx.x...x...x.");
  });

  it.each([
    [0.99, "rival", "search"],
    [1, "mixed", "swarm"],
    [1.01, "mixed", "swarm"],
  ])("decides for whoever is ahead when a trial has lasted long: rival's loss %d", (rival, take, stage) => {
    const seen = stages({ own: 1, mixed: 1, rival }, TRIAL_ROUNDS_MAX);
    expect(seen.slice(0, -1).every((round) => round.stage === "trial")).toBe(true);
    expect(seen.at(-1)).toMatchObject({ take, stage });
  });

  it("leaves the swarm for the search when mixing begins to hurt", () => {
    const swarm: AdaptiveState = { ...FIRST_TRIAL, stage: "swarm" };
    expect(decide(swarm, { own: 1, mixed: 1.5 }, more)).toMatchObject({ take: "own", state: { stage: "search" } });
    expect(decide(swarm, { own: 1, mixed: 1.05 }, more)).toMatchObject({ take: "mixed", state: { stage: "swarm" } });
  });

  it("searches in every round once it searches", () => {
    expect(isLookDue({ ...FIRST_TRIAL, stage: "search", wait: 3 }, more)).toBe(true);
  });

  it("takes the smallest loss in the last round, whatever came before, and never one that is no number", () => {
    fc.assert(
      fc.property(losses, fc.constantFrom<AdaptiveState["stage"]>("trial", "swarm"), (of, stage) => {
        const { take } = decide({ ...FIRST_TRIAL, stage }, of, { last: true });
        const finite = Object.values(of).filter(Number.isFinite);
        if (finite.length === 0) expect(take).toBe("own");
        else expect(of[take]).toBe(Math.min(...finite));
      }),
    );
  });

  it("keeps its evidence within two rounds' worth, and every trial within its rounds", () => {
    fc.assert(
      fc.property(fc.array(losses, { maxLength: 20 }), (all) => {
        let state = FIRST_TRIAL;
        for (const of of all) {
          if (state.stage === "search") return;
          const due = isLookDue(state, more);
          const decision = due ? decide(state, of, more) : { take: "mixed", state: passRound(state) };
          state = decision.state;
          expect(Math.abs(state.gain)).toBeLessThanOrEqual(2);
          expect(Math.abs(state.lead)).toBeLessThanOrEqual(2);
          expect(state.wait).toBeLessThanOrEqual(3);
          if (state.stage === "trial") expect(state.rounds).toBeLessThan(TRIAL_ROUNDS_MAX);
          if (decision.take === "rival") expect(state.stage).toBe("search");
        }
      }),
    );
  });

  it("pools as the sum of halves, written out", () => {
    const run = [
      { own: 2, mixed: 1, rival: 4 },
      { own: 1, mixed: 4, rival: 2 },
    ];
    const state = run.reduce((before, of) => decide(before, of, more).state, FIRST_TRIAL);
    expect(state.gain).toBe(0.5 * (1 / 2) + -3 / 4);
    expect(state.lead).toBe(0.5 * (3 / 4) + 1 / 2);
  });
});

describe("a trial against training alone", () => {
  /** Looks with these rival losses against 1 of the mix, until decided.  Returns what was taken, and the stage at the end. */
  function looks(rivals: readonly number[], own = 9): { take: string[]; stage: string; state: AdaptiveState } {
    let state = FIRST_TRIAL;
    const take: string[] = [];
    for (const rival of rivals) {
      if (state.stage !== "trial") break;
      const decision = decideAlone(state, { own, mixed: 1, rival }, more);
      take.push(decision.take);
      state = decision.state;
    }
    return { take, stage: state.stage, state };
  }

  it.each([
    [[2, 2, 2], "swarm", "mixed"],
    [[0.5, 0.5, 0.5], "search", "rival"],
    [[1.02, 1.04, 1.03], "swarm", "mixed"],
    [[0.98, 0.96, 0.97], "search", "rival"],
  ])("is decided by three looks like %j: %s", (rivals, stage, take) => {
    const seen = looks(rivals);
    expect(seen.stage).toBe(stage);
    expect(seen.take).toEqual(["mixed", "mixed", take]);
  });

  it("stays undecided while looks disagree, for as long as they do, and takes the best at the end", () => {
    const rivals = Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? 1.5 : 0.7));
    const { state, take } = looks(rivals);
    expect(state.stage).toBe("trial");
    expect(new Set(take)).toEqual(new Set(["mixed"]));
    expect(decideAlone(state, { own: 3, mixed: 1, rival: 0.9 }, { last: true }).take).toBe("rival");
    expect(decideAlone(state, { own: 3, mixed: 1, rival: 1.1 }, { last: true }).take).toBe("mixed");
  });

  it("gives up neither side on average worse: never the rival while the swarm leads, nor the other way round", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0.1, max: 9, noNaN: true }), { minLength: 3, maxLength: 12 }), (rivals) => {
        const { take, stage } = looks(rivals);
        const seen = rivals.slice(0, take.length).map((rival) => (rival - 1) / Math.max(rival, 1));
        const mean = seen.reduce((sum, lead) => sum + lead, 0) / seen.length;
        if (stage === "search") expect(mean).toBeLessThan(0);
        if (stage === "swarm") expect(mean).toBeGreaterThan(0);
      }),
    );
  });

  it("never ends with a larger loss than training alone has", () => {
    fc.assert(
      fc.property(losses, (of) => {
        const { take } = decideAlone(FIRST_TRIAL, of, { last: true });
        if (Number.isFinite(of.rival)) expect(of[take]).toBeLessThanOrEqual(of.rival!);
      }),
    );
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type AdaptiveState,
  type CandidateLosses,
  decide,
  FIRST_TRIAL,
  isLookDue,
  passRound,
} from "./adaptive-lambda.ts";

const loss = fc.oneof(
  fc.double({ min: 0, max: 9, noNaN: true }),
  fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY),
);
const losses: fc.Arbitrary<CandidateLosses> = fc.record({ own: loss, mixed: loss, rival: loss });
const more = { last: false };

/** Rounds with the same losses, looked at when due.  Returns the stages that were gone through. */
function stages(of: CandidateLosses, rounds: number): { stage: string; looked: boolean; take: string }[] {
  let state = FIRST_TRIAL;
  return Array.from({ length: rounds }, () => {
    const looked = isLookDue(state, more);
    const decision = looked ? decide(state, of, more) : passRound(state);
    state = decision.state;
    return { stage: state.stage, looked, take: decision.take };
  });
}

describe("the adaptive lambda", () => {
  it("mixes for two rounds whatever they look like, and goes back to the rival when the third is no better", () => {
    const seen = stages({ own: 1, mixed: 2, rival: 1 }, 4);
    expect(seen.map(({ take }) => take)).toEqual(["mixed", "mixed", "rival", "own"]);
    expect(seen[2]!.stage).toBe("alone");
  });

  it("forgives first mixes that look bad when later ones look good", () => {
    let state: AdaptiveState = FIRST_TRIAL;
    for (const mixed of [3, 2.4, 1.5, 1.4]) state = decide(state, { own: 2, mixed, rival: 2 }, more).state;
    expect(state.stage).not.toBe("alone");
  });

  it("gives the rival up when the mix is well ahead, and looks at longer and longer intervals then", () => {
    const seen = stages({ own: 1.1, mixed: 1, rival: 1.5 }, 16);
    expect(seen[2]!.stage).toBe("swarm");
    expect(seen.every(({ take }) => take === "mixed")).toBe(true);
    expect(seen.map(({ looked }) => (looked ? "x" : ".")).join("")).toBe("xxxxx.x...x...x.");
  });

  it("stays in trial with its rival while neither is ahead", () => {
    expect(stages({ own: 1, mixed: 1, rival: 1 }, 9).every(({ stage }) => stage === "trial")).toBe(true);
  });

  it("leaves the swarm when mixing begins to hurt, and tries again when it begins to pay", () => {
    const swarm: AdaptiveState = { ...FIRST_TRIAL, stage: "swarm" };
    expect(decide(swarm, { own: 1, mixed: 1.5 }, more)).toMatchObject({ take: "own", state: { stage: "alone" } });
    expect(decide(swarm, { own: 1, mixed: 1.05 }, more)).toMatchObject({ take: "mixed", state: { stage: "swarm" } });
    const alone: AdaptiveState = { ...FIRST_TRIAL, stage: "alone" };
    expect(decide(alone, { own: 1.5, mixed: 1 }, more)).toMatchObject({ take: "mixed", state: { stage: "trial" } });
    expect(decide(alone, { own: 1.05, mixed: 1 }, more)).toMatchObject({ take: "own", state: { stage: "alone" } });
  });

  it("takes the smallest loss in the last round, whatever came before, and never one that is no number", () => {
    fc.assert(
      fc.property(losses, fc.constantFrom<AdaptiveState["stage"]>("trial", "swarm", "alone"), (of, stage) => {
        const { take } = decide({ ...FIRST_TRIAL, stage }, of, { last: true });
        const finite = Object.values(of).filter(Number.isFinite);
        if (finite.length === 0) expect(take).toBe("own");
        else expect(of[take]).toBe(Math.min(...finite));
      }),
    );
  });

  it("keeps its evidence within two rounds' worth, so that nothing is settled for ever", () => {
    fc.assert(
      fc.property(fc.array(losses, { maxLength: 20 }), (all) => {
        let state = FIRST_TRIAL;
        for (const of of all) {
          const decision = isLookDue(state, more) ? decide(state, of, more) : passRound(state);
          state = decision.state;
          expect(Math.abs(state.gain)).toBeLessThanOrEqual(2);
          expect(Math.abs(state.lead)).toBeLessThanOrEqual(2);
          expect(state.wait).toBeLessThanOrEqual(3);
          if (decision.take === "rival") expect(state.stage).toBe("alone");
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

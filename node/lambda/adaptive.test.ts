import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AdaptiveState, AGAINST_MAX, decideMix, decideTrial, FIRST_TRIAL, smallestOf } from "./adaptive.ts";
import type { HeldOutLoss } from "./paired.ts";

/** A loss whose examples scatter by 0.1 around it, always in the same way. */
const held = (loss: number): HeldOutLoss => ({
  loss,
  examples: [loss - 0.1, loss + 0.1, loss, loss + 0.05, loss - 0.05],
});
/** The same loss on the mean, made of examples that scatter by `spread`, in another order. */
const scattered = (loss: number, spread: number): HeldOutLoss => ({
  loss,
  examples: [loss + spread, loss - spread, loss + spread, loss - spread, loss],
});
const someLoss = fc
  .oneof(fc.double({ min: 0, max: 9, noNaN: true }), fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY))
  .map(held);

/** Rounds of a trial with the same losses, until it ends.  Returns what was gone through. */
function trial(of: Parameters<typeof decideTrial>[1], rounds: number): { stage: string; take: string }[] {
  let state = FIRST_TRIAL;
  const seen: { stage: string; take: string }[] = [];
  while (seen.length < rounds && state.stage === "trial") {
    const decision = decideTrial(state, of);
    state = decision.state;
    seen.push({ stage: state.stage, take: decision.take });
  }
  return seen;
}

describe("a trial of the adaptive lambda", () => {
  it("mixes for two rounds whatever they look like, and becomes the rival when that is better beyond chance", () => {
    const seen = trial({ own: held(2), mixed: held(2), rival: held(1) }, 9);
    expect(seen.map(({ take }) => take)).toEqual(["mixed", "mixed", "rival"]);
    expect(seen[2]!.stage).toBe("search");
  });

  it("ends for the swarm when the mixing peer is better beyond chance, by its own adapter or by the mix", () => {
    for (const losses of [
      { own: held(1.1), mixed: held(1), rival: held(1.5) },
      { own: held(1), mixed: held(3), rival: held(1.5) },
    ]) {
      const seen = trial(losses, 9);
      expect(seen.map(({ stage }) => stage)).toEqual(["trial", "trial", "swarm"]);
    }
  });

  it("forgives first mixes that look bad when later ones look good", () => {
    let state: AdaptiveState = FIRST_TRIAL;
    for (const mixed of [3, 2.4, 1.5, 1.4, 1.3]) {
      if (state.stage === "trial")
        state = decideTrial(state, { own: held(3), mixed: held(mixed), rival: held(2) }).state;
    }
    expect(state.stage).toBe("swarm");
  });

  it("goes on for as long as the examples cannot tell, however far apart the means are", () => {
    for (const rival of [1.8, 2.2]) {
      const seen = trial({ own: scattered(2, 3), mixed: scattered(2, 3), rival: held(rival) }, 30);
      expect(seen).toHaveLength(30);
      expect(seen.every(({ take, stage }) => take === "mixed" && stage === "trial")).toBe(true);
    }
  });

  it("ends for the swarm where the rival diverged", () => {
    expect(decideTrial(FIRST_TRIAL, { own: held(1), mixed: held(2) })).toMatchObject({ state: { stage: "swarm" } });
  });

  it("pools as the sum of halves, written out", () => {
    const first = decideTrial(FIRST_TRIAL, { own: held(2), mixed: held(1), rival: held(4) }).state;
    const second = decideTrial(first, { own: held(1), mixed: held(4), rival: held(2) }).state;
    expect(second.differences!.map((d) => Math.round(1e9 * d) / 1e9)).toEqual(Array(5).fill(0.5 * 3 + 1));
  });
});

describe("a round of the swarm or of the search", () => {
  const swarm: AdaptiveState = { ...FIRST_TRIAL, stage: "swarm" };
  const search: AdaptiveState = { ...FIRST_TRIAL, stage: "search" };

  it("mixes in the swarm unless that is worse beyond chance, and leaves it after such rounds in a row", () => {
    expect(decideMix(swarm, held(1), [scattered(1.5, 3), held(1)])).toMatchObject({
      mix: 1,
      state: { stage: "swarm" },
    });
    expect(decideMix(swarm, held(1), [scattered(1.5, 3)])).toMatchObject({ mix: 0, state: { stage: "swarm" } });
    let state = swarm;
    for (let round = 1; round <= AGAINST_MAX; round++) {
      const decided = decideMix(state, held(1), [held(1.5), held(2)]);
      expect(decided.mix).toBeUndefined();
      state = decided.state;
      expect(state.stage).toBe(round < AGAINST_MAX ? "swarm" : "search");
    }
    const forgiven = decideMix(decideMix(swarm, held(1), [held(2)]).state, held(1), [held(1)]).state;
    expect(forgiven).toMatchObject({ stage: "swarm", against: 0 });
  });

  it("mixes in the search only where that is better beyond chance", () => {
    expect(decideMix(search, held(2), [held(1.5), held(1)])).toMatchObject({ mix: 1, state: { stage: "search" } });
    expect(decideMix(search, held(2), [scattered(1.8, 3)]).mix).toBeUndefined();
    expect(decideMix(search, held(2), [held(3)]).mix).toBeUndefined();
  });

  it("never mixes what has no finite loss", () => {
    fc.assert(
      fc.property(
        fc.array(someLoss, { minLength: 1, maxLength: 5 }),
        fc.constantFrom(swarm, search),
        (mixes, state) => {
          const { mix } = decideMix(state, held(1), mixes);
          if (mix !== undefined) expect(mixes[mix]!.loss).toBe(Math.min(...mixes.map(finite)));
        },
      ),
    );
  });
});

const finite = ({ loss }: HeldOutLoss): number => (Number.isFinite(loss) ? loss : Number.POSITIVE_INFINITY);

it("takes the smallest loss in the last round, and never one that is no number", () => {
  const losses = fc.record({ own: someLoss, mixed: someLoss, rival: fc.option(someLoss, { nil: undefined }) });
  fc.assert(
    fc.property(losses, (of) => {
      const take = smallestOf(of);
      const all = [of.own, of.mixed, ...(of.rival ? [of.rival] : [])].map(finite);
      if (all.every((loss) => loss === Number.POSITIVE_INFINITY)) expect(take).toBe("own");
      else expect(of[take]!.loss).toBe(Math.min(...all));
    }),
  );
});

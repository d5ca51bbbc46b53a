import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createPrng } from "../../protocol/prng.ts";
import { bestAgainst, differencesOf, type HeldOutLoss, pairedTest, pooled, studentQuantile } from "./paired.ts";

const heldOut = (...examples: number[]): HeldOutLoss => ({
  loss: examples.reduce((sum, one) => sum + one, 0) / examples.length,
  examples,
});
/** Below this a double has fewer digits, and a multiple of it is no multiple. */
const NORMAL_MIN = 2 ** -1000;
const loss = fc.double({ min: -5, max: 5, noNaN: true }).map((d) => (Math.abs(d) < NORMAL_MIN ? 0 : d));
const losses = fc.array(loss, { minLength: 2, maxLength: 40 });
const turned = { first: "second", second: "first", undecided: "undecided" } as const;

describe("the paired test", () => {
  it("has the quantiles of the tables", () => {
    for (const [degrees, quantile] of [
      [2, 2.92],
      [3, 2.353],
      [5, 2.015],
      [10, 1.812],
      [31, 1.696],
      [63, 1.669],
      [1e6, 1.645],
    ] as const) {
      expect(Math.abs(studentQuantile(degrees) - quantile), `${degrees}`).toBeLessThan(0.04);
    }
  });

  it("is wrong in one case of twenty to either side where there is no difference", () => {
    const prng = createPrng(7);
    for (const n of [4, 16, 64]) {
      const found = { first: 0, second: 0, undecided: 0 };
      for (let i = 0; i < 4000; i++) found[pairedTest(Array.from({ length: n }, () => prng.normal()))] += 1;
      for (const side of ["first", "second"] as const) {
        expect(found[side] / 4000, `${n} ${side}`).toBeGreaterThan(0.035);
        expect(found[side] / 4000, `${n} ${side}`).toBeLessThan(0.065);
      }
    }
  });

  it("turns with the sides, and knows neither order nor scale", () => {
    fc.assert(
      fc.property(losses, fc.integer({ min: -8, max: 8 }), (differences, power) => {
        const found = pairedTest(differences);
        expect(pairedTest(differences.map((d) => -d))).toBe(turned[found]);
        expect(pairedTest(differences.map((d) => d * 2 ** power))).toBe(found);
      }),
    );
  });

  it("decides nothing by one example or none, everything by a loss that is not finite", () => {
    expect([pairedTest([]), pairedTest([-3]), pairedTest([0, 0, 0])]).toEqual(Array(3).fill("undecided"));
    expect(pairedTest([1, 1, 1])).toBe("second");
    const bad = differencesOf(heldOut(1, Number.NaN, 1), heldOut(2, 2, 2));
    expect(bad).toEqual([-1, Number.POSITIVE_INFINITY, -1]);
    expect(pairedTest(bad)).toBe("second");
    expect(pairedTest(bad.map((d) => -d))).toBe("first");
    expect(pairedTest([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])).toBe("undecided");
    expect(differencesOf(heldOut(Number.NaN), heldOut(Number.POSITIVE_INFINITY))).toEqual([0]);
  });

  it("pools by halves, and forgets a difference that was not finite", () => {
    expect(pooled(undefined, [1, 2], 0.5)).toEqual([1, 2]);
    expect(pooled([4, Number.POSITIVE_INFINITY], [1, 2], 0.5)).toEqual([3, 2]);
    expect(pooled([4], [1, 2], 0.5)).toEqual([1, 2]);
  });
});

describe("the best of several candidates", () => {
  it("is that of the least loss, whatever the test says", () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.double({ min: 0, max: 9, noNaN: true }), { minLength: 6, maxLength: 6 }), {
          minLength: 1,
          maxLength: 5,
        }),
        (rows) => {
          const candidates = rows.map((row) => heldOut(...row));
          const { best } = bestAgainst(heldOut(1, 1, 1, 1, 1, 1), candidates);
          expect(candidates[best]!.loss).toBe(Math.min(...candidates.map(({ loss }) => loss)));
        },
      ),
    );
  });

  it("gains nothing from being chosen among many by the same examples", () => {
    const prng = createPrng(9);
    let [crossed, naive] = [0, 0];
    for (let i = 0; i < 1000; i++) {
      const noisy = (): HeldOutLoss => heldOut(...Array.from({ length: 24 }, () => 3 + prng.normal()));
      const [own, ...candidates] = [noisy(), ...Array.from({ length: 8 }, noisy)] as const;
      const { best, better } = bestAgainst(own, candidates);
      if (better === "second") crossed += 1;
      if (pairedTest(differencesOf(own, candidates[best]!)) === "second") naive += 1;
    }
    expect(naive / 1000).toBeGreaterThan(0.2);
    expect(crossed / 1000).toBeLessThan(0.08);
  });

  it("is found where it is better, and no candidate without a finite loss is", () => {
    const own = heldOut(2, 3, 2, 3);
    expect(bestAgainst(own, [heldOut(3, 4, 3, 4), heldOut(1, 2, 1.1, 2)])).toEqual({ best: 1, better: "second" });
    const bad = heldOut(Number.NaN, Number.NaN, Number.NaN, Number.NaN);
    expect(bestAgainst(own, [bad])).toEqual({ best: 0, better: "first" });
    expect(bestAgainst(own, [bad, heldOut(1, 2, 1.1, 2)])).toEqual({ best: 1, better: "second" });
  });
});

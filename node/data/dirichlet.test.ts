import { describe, expect, test } from "vitest";
import { createPrng } from "../../protocol/prng.ts";
import { dirichlet, logGamma } from "./dirichlet.ts";

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const DRAWS = 20_000;

describe("gamma and Dirichlet draws", () => {
  test("gamma has mean alpha and variance alpha, below 1 and above", () => {
    for (const alpha of [0.3, 1, 4.5]) {
      const prng = createPrng(11).fork(`alpha-${alpha}`);
      const draws = Array.from({ length: DRAWS }, () => Math.exp(logGamma(prng, alpha)));
      const average = mean(draws);
      // The mean of n draws deviates by sqrt(alpha / n); 5 deviations, and twice that for the heavier-tailed variance.
      const deviation = Math.sqrt(alpha / DRAWS);
      expect(Math.abs(average - alpha), `mean at ${alpha}`).toBeLessThan(5 * deviation);
      const variance = mean(draws.map((draw) => (draw - average) ** 2));
      const fourth = Math.sqrt((3 * alpha ** 2 + 6 * alpha - alpha ** 2) / DRAWS);
      expect(Math.abs(variance - alpha), `variance at ${alpha}`).toBeLessThan(5 * fourth);
    }
  });

  test("gamma at 1 is the exponential distribution", () => {
    const prng = createPrng(12);
    const draws = Array.from({ length: DRAWS }, () => Math.exp(logGamma(prng, 1)));
    for (const x of [0.1, 0.5, 1, 2]) {
      const below = draws.filter((draw) => draw < x).length / DRAWS;
      expect(below, `${x}`).toBeCloseTo(1 - Math.exp(-x), 1.7);
    }
  });

  test("proportions add up to 1 and have variance (1/n)(1 - 1/n) / (n alpha + 1)", () => {
    const prng = createPrng(13);
    const count = 4;
    for (const alpha of [0.2, 1, 5]) {
      const draws = Array.from({ length: 4000 }, () => dirichlet(prng, { alpha, count }));
      for (const draw of draws) expect(draw.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 12);
      const firsts = draws.map(([p]) => p!);
      const expected = ((1 / count) * (1 - 1 / count)) / (count * alpha + 1);
      expect(mean(firsts)).toBeCloseTo(1 / count, 1);
      expect(mean(firsts.map((p) => (p - 1 / count) ** 2)) / expected, `${alpha}`).toBeCloseTo(1, 0.8);
    }
  });

  test("no alpha is so small that the proportions vanish", () => {
    for (const draw of Array.from({ length: 50 }, (_, i) => dirichlet(createPrng(i), { alpha: 1e-6, count: 5 }))) {
      expect(draw.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 12);
    }
  });

  test("nonsense is refused", () => {
    for (const alpha of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => dirichlet(createPrng(1), { alpha, count: 2 })).toThrow(RangeError);
    }
    expect(() => dirichlet(createPrng(1), { alpha: 1, count: 0 })).toThrow(RangeError);
  });
});

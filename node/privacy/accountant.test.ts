import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { epsilonOf, ORDERS } from "./accountant.ts";
import { renyiOfRelease, type SampledGaussian } from "./subsampled-gaussian.ts";

/**
 * The definition itself, by Simpson's rule: (1/(a-1)) log of the integral of p^a r^(1-a) over a range that holds all of
 * it, for the mixture p against the noise r alone and the other way round; the larger one counts.
 */
function divergenceByIntegration(order: number, { noise, rate }: SampledGaussian): number {
  const logNormal = (z: number, mean: number): number =>
    -((z - mean) ** 2) / (2 * noise * noise) - Math.log(noise * Math.sqrt(2 * Math.PI));
  const logMixture = (z: number): number => {
    const [a, b] = [Math.log(1 - rate) + logNormal(z, 0), Math.log(rate) + logNormal(z, 1)];
    return Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)));
  };
  const reach = 12 * noise + 1;
  const [from, to, steps] = [-reach - order, reach + order, 40_000];
  const width = (to - from) / steps;
  const moment = (logIntegrand: (z: number) => number): number => {
    const logs = Array.from({ length: steps + 1 }, (_, i) => {
      const weight = i === 0 || i === steps ? 1 : i % 2 === 1 ? 4 : 2;
      return logIntegrand(from + i * width) + Math.log((weight * width) / 3);
    });
    const largest = logs.reduce((a, b) => Math.max(a, b));
    return largest + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - largest), 0));
  };
  const there = moment((z) => order * logMixture(z) + (1 - order) * logNormal(z, 0));
  const back = moment((z) => order * logNormal(z, 0) + (1 - order) * logMixture(z));
  return Math.max(there, back) / (order - 1);
}

describe("the Renyi divergence of the sampled Gaussian", () => {
  test.each([
    [2, { noise: 1, rate: 0.01 }],
    [7, { noise: 0.8, rate: 0.2 }],
    [32, { noise: 4, rate: 0.05 }],
    [1.1, { noise: 1, rate: 0.01 }],
    [1.5, { noise: 2, rate: 0.5 }],
    [2.5, { noise: 0.7, rate: 0.3 }],
    [6.3, { noise: 1.3, rate: 256 / 60_000 }],
    [10.9, { noise: 3, rate: 0.1 }],
    [3.7, { noise: 1.1, rate: 0.9 }],
  ])("of order %f equals its integral: %o", (order, mechanism) => {
    const expected = divergenceByIntegration(order, mechanism);
    expect(renyiOfRelease(order, mechanism) / expected).toBeCloseTo(1, 6);
  });
  // The same integral by mpmath 1.3 with 30 digits.
  test.each([
    [1.1, { noise: 0.6, rate: 0.005648 }, 0.0002209877544469168],
    [1.1, { noise: 1, rate: 0.01 }, 0.00009241471084686959],
    [2, { noise: 1, rate: 0.01 }, 0.00017181342207454794],
    [7, { noise: 0.8, rate: 0.2 }, 3.591469727801841],
  ])("of order %f has the digits of an arbitrary-precision integral: %o", (order, mechanism, expected) => {
    expect(renyiOfRelease(order, mechanism) / expected).toBeCloseTo(1, 10);
  });
  test("of a fractional order joins those of the integers on either side", () => {
    for (const noise of [0.1, 0.5, 2, 20]) {
      for (const rate of [1e-4, 0.3, 0.9]) {
        const [at, near] = [renyiOfRelease(5, { noise, rate }), renyiOfRelease(5 + 1e-9, { noise, rate })];
        expect(near / at, `noise ${noise}, rate ${rate}`).toBeCloseTo(1, 6);
      }
    }
  });
  test("of the whole data set is that of plain noise", () => {
    expect(renyiOfRelease(8, { noise: 2, rate: 1 })).toBe(1);
    expect(renyiOfRelease(8, { noise: 2, rate: 1 - 1e-12 })).toBeCloseTo(1, 9);
  });
  test("grows with the order and the rate, and falls with the noise", () => {
    const settings = fc.record({
      noise: fc.double({ min: 0.6, max: 8, noNaN: true }),
      rate: fc.double({ min: 1e-4, max: 0.95, noNaN: true }),
    });
    const order = fc.double({ min: 1.1, max: 40, noNaN: true });
    fc.assert(
      fc.property(settings, order, ({ noise, rate }, alpha) => {
        const here = renyiOfRelease(alpha, { noise, rate });
        const slack = 1e-9 + here * 1e-6;
        expect(renyiOfRelease(alpha * 1.1, { noise, rate })).toBeGreaterThanOrEqual(here - slack);
        expect(renyiOfRelease(alpha, { noise: noise * 1.1, rate })).toBeLessThanOrEqual(here + slack);
        expect(renyiOfRelease(alpha, { noise, rate: Math.min(1, rate * 1.05) })).toBeGreaterThanOrEqual(here - slack);
        expect(here).toBeLessThanOrEqual(alpha / (2 * noise * noise) + slack);
      }),
      { numRuns: 200 },
    );
  });
  test.each([
    [1, { noise: 1, rate: 0.1 }],
    [2, { noise: 0, rate: 0.1 }],
    [2, { noise: 1, rate: 0 }],
    [2, { noise: 1, rate: 1.1 }],
    [2, { noise: Number.NaN, rate: 0.5 }],
  ])("refuses order %f of %o", (order, mechanism) => {
    expect(() => renyiOfRelease(order, mechanism)).toThrow(RangeError);
  });
});

describe("epsilon", () => {
  test("is the one that Opacus publishes", () => {
    // opacus/tests/accountants_test.py: noise 1.5, rate 0.04, int(90 / 0.04) steps, delta 1e-5.
    const steps = 2250;
    const opacusOrders = [...ORDERS.slice(0, 99), ...Array.from({ length: 52 }, (_, i) => 12 + i)];
    const epsilon = epsilonOf([{ noise: 1.5, rate: 0.04, count: steps }], 1e-5, opacusOrders);
    expect(epsilon).toBeCloseTo(7.32911117143, 7);
  });
  test("is that of the MNIST setting which TensorFlow Privacy publishes, or better", () => {
    // compute_dp_sgd_privacy: N 60,000, batch 256, noise 1.12, 60 epochs, delta 1e-5: 2.92 at order 9, by the older
    // conversion rdp - log(delta) / (alpha - 1).
    const spending = { noise: 1.12, rate: 256 / 60_000, count: Math.ceil((60 * 60_000) / 256) };
    const older = spending.count * renyiOfRelease(9, spending) + Math.log(1e5) / 8;
    expect(older).toBeCloseTo(2.92, 2);
    const epsilon = epsilonOf([spending], 1e-5);
    expect(epsilon).toBeLessThan(2.92);
    expect(epsilon).toBeGreaterThan(2.5);
  });
  test("adds up over different mechanisms, and is nothing without a release", () => {
    const one = { noise: 2, rate: 1, count: 3 };
    const other = { noise: 1, rate: 0.01, count: 500 };
    const both = epsilonOf([one, other], 1e-5);
    expect(both).toBeGreaterThan(Math.max(epsilonOf([one], 1e-5), epsilonOf([other], 1e-5)));
    expect(both).toBeLessThanOrEqual(epsilonOf([one], 1e-5) + epsilonOf([other], 1e-5));
    expect(
      epsilonOf(
        [
          { noise: 2, rate: 1, count: 1 },
          { ...one, count: 2 },
        ],
        1e-5,
      ),
    ).toBeCloseTo(epsilonOf([one], 1e-5), 12);
    expect(epsilonOf([], 1e-5)).toBe(0);
    expect(epsilonOf([{ ...one, count: 0 }], 1e-5)).toBe(0);
  });
  test("of plain noise is not below the exact value, and close to it", () => {
    // Exact: Balle and Wang 2018, arXiv:1805.06530, theorem 8, with the normal distribution function by Simpson's rule.
    const phi = (x: number): number => {
      const [from, steps] = [-30, 60_000];
      const width = (x - from) / steps;
      const weight = (i: number): number => (i === 0 || i === steps ? 1 : i % 2 === 1 ? 4 : 2);
      const heights = Array.from({ length: steps + 1 }, (_, i) => weight(i) * Math.exp(-((from + i * width) ** 2) / 2));
      return (heights.reduce((a, b) => a + b, 0) * width) / 3 / Math.sqrt(2 * Math.PI);
    };
    const exactDelta = (epsilon: number, noise: number): number =>
      phi(1 / (2 * noise) - epsilon * noise) - Math.exp(epsilon) * phi(-1 / (2 * noise) - epsilon * noise);
    for (const noise of [0.7, 1, 2, 5]) {
      const epsilon = epsilonOf([{ noise, rate: 1, count: 1 }], 1e-5);
      expect(exactDelta(epsilon, noise)).toBeLessThanOrEqual(1e-5);
      expect(exactDelta(epsilon * 0.85, noise)).toBeGreaterThan(1e-5);
    }
  });
  test.each([0, 1, -1, Number.NaN])("refuses a delta of %f", (delta) => {
    expect(() => epsilonOf([], delta)).toThrow(RangeError);
  });
});

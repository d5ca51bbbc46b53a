import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createPrng } from "../../protocol/prng.ts";
import { dataSimilarity, dataSketch, noisySketch, sketchDistance, squaredWasserstein } from "./data-sketch.ts";
import { fitMixture } from "./gaussian-mixture.ts";
import { optimalTransport } from "./optimal-transport.ts";

const seeds = fc.integer({ min: 1, max: 1e6 });
/** Normal points around centres, the first `counts[0]` around the first, and so on. */
function around(seed: number, centres: readonly (readonly number[])[], counts: readonly number[], spread = 0.1) {
  const prng = createPrng(seed);
  return centres.flatMap((centre, k) =>
    Array.from({ length: counts[k]! }, () => Float64Array.from(centre, (c) => c + spread * prng.normal())),
  );
}
function permutations(n: number): number[][] {
  if (n === 0) return [[]];
  return permutations(n - 1).flatMap((order) => Array.from({ length: n }, (_, at) => order.toSpliced(at, 0, n - 1)));
}

describe("optimalTransport", () => {
  it("of equal masses is the best of all assignments", () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 5 }), (seed, n) => {
        const prng = createPrng(seed);
        const cost = Float64Array.from({ length: n * n }, () => prng.below(20));
        const even = Array.from({ length: n }, () => 1 / n);
        const best = Math.min(...permutations(n).map((p) => p.reduce((sum, j, i) => sum + cost[i * n + j]! / n, 0)));
        expect(optimalTransport(cost, even, even).cost).toBeCloseTo(best, 9);
      }),
    );
  });

  it("on a line with squared costs carries quantile to quantile, and its plan has the masses asked for", () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12 }), (seed, n, m) => {
        const prng = createPrng(seed);
        const places = (count: number) => Array.from({ length: count }, () => prng.uniform()).sort((a, b) => a - b);
        const masses = (count: number): number[] => {
          const raw = Array.from({ length: count }, () => 0.05 + prng.uniform());
          return raw.map((x) => x / raw.reduce((s, y) => s + y, 0));
        };
        const [x, y, a, b] = [places(n), places(m), masses(n), masses(m)];
        let [i, j, slow, left, right] = [0, 0, 0, a[0]!, b[0]!];
        while (i < n && j < m) {
          const step = Math.min(left, right);
          slow += step * (x[i]! - y[j]!) ** 2;
          left -= step;
          right -= step;
          if (left <= right) left = a[++i] ?? 0;
          else right = b[++j] ?? 0;
        }
        const { cost, plan } = optimalTransport(Float64Array.from(x.flatMap((p) => y.map((q) => (p - q) ** 2))), a, b);
        expect(Math.abs(cost - slow)).toBeLessThan(1e-6);
        for (const [k, mass] of a.entries()) {
          expect(plan.subarray(k * m, (k + 1) * m).reduce((s, v) => s + v, 0)).toBeCloseTo(mass, 9);
        }
        for (const [k, mass] of b.entries()) {
          expect(a.reduce((s, _, r) => s + plan[r * m + k]!, 0)).toBeCloseTo(mass, 9);
        }
        expect(plan.every((v) => v >= -1e-12)).toBe(true);
      }),
    );
  });

  it("refuses masses that are no distribution, and costs that are no costs", () => {
    expect(() => optimalTransport(Float64Array.of(1), [0.5], [1])).toThrow(RangeError);
    expect(() => optimalTransport(Float64Array.of(1, 1), [1, 0], [1])).toThrow(RangeError);
    expect(() => optimalTransport(Float64Array.of(-1), [1], [1])).toThrow(RangeError);
    expect(() => optimalTransport(Float64Array.of(Number.NaN), [1], [1])).toThrow(RangeError);
  });
});

describe("fitMixture", () => {
  it("finds as many groups as there are, up to three, with their shares, means and deviations", () => {
    const centres = [
      [0, 0],
      [5, 0],
      [0, 5],
    ];
    for (const count of [1, 2, 3]) {
      const points = around(count, centres.slice(0, count), [60, 30, 30], 0.5);
      const mixture = fitMixture(points, { prng: createPrng(1) });
      expect(mixture).toHaveLength(count);
      expect(mixture.reduce((sum, { weight }) => sum + weight, 0)).toBeCloseTo(1, 9);
      for (const centre of centres.slice(0, count)) {
        const near = mixture.find(({ mean }) => Math.hypot(mean[0]! - centre[0]!, mean[1]! - centre[1]!) < 0.4);
        expect(near, `${count}: ${centre}`).toBeDefined();
        for (const d of near!.deviation) expect(Math.abs(d - 0.5)).toBeLessThan(0.2);
      }
    }
  });

  it("is defined for one point, equal points, and fewer points than components", () => {
    for (const points of [
      [[1, 2]],
      [
        [1, 2],
        [1, 2],
        [1, 2],
      ],
      [
        [0, 0],
        [1, 1],
      ],
    ]) {
      const mixture = fitMixture(
        points.map((x) => Float64Array.from(x)),
        { prng: createPrng(2) },
      );
      expect(
        mixture.every(({ weight, mean, deviation }) => weight > 0 && [...mean, ...deviation].every(Number.isFinite)),
      ).toBe(true);
    }
  });
});

describe("data sketches", () => {
  const sketch = (seed: number, centres: readonly (readonly number[])[], counts: readonly number[]) =>
    dataSketch(around(seed, centres, counts), {
      classes: counts.flatMap((n, k) => Array(n).fill(k)),
      prng: createPrng(3),
    });

  it("are nearest for the same distribution, further for other shares, furthest for other classes", () => {
    const centres = [
      [0, 0],
      [1, 0],
    ];
    const a = sketch(1, centres, [50, 50]);
    const same = sketchDistance(a, sketch(2, centres, [50, 50]));
    const shares = sketchDistance(a, sketch(2, centres, [90, 10]));
    const others = sketchDistance(
      a,
      sketch(
        2,
        [
          [0, 3],
          [1, 3],
        ],
        [50, 50],
      ),
    );
    expect(same).toBeLessThan(0.05);
    // 0.4 of the mass goes the way of 1.
    expect(Math.abs(shares - 0.4)).toBeLessThan(0.1);
    expect(others).toBeGreaterThan(8);
    expect(sketchDistance(a, a)).toBeLessThan(1e-12);
    expect(dataSimilarity(a, a, 1)).toBeCloseTo(1, 10);
    expect(dataSimilarity(a, sketch(2, centres, [90, 10]), 0.4)).toBeCloseTo(Math.exp(-shares / 0.4), 10);
  });

  it("find clusters where there are no classes", () => {
    const points = around(
      5,
      [
        [0, 0],
        [4, 0],
        [0, 4],
        [4, 4],
      ],
      [40, 20, 20, 20],
    );
    const found = dataSketch(points, { prng: createPrng(7) });
    expect(found.reduce((sum, { weight }) => sum + weight, 0)).toBeCloseTo(1, 9);
    const near = found
      .filter(({ mean }) => Math.hypot(mean[0]!, mean[1]!) < 1)
      .reduce((sum, { weight }) => sum + weight, 0);
    expect(near).toBeCloseTo(0.4, 6);
  });

  it("measure the distance of two Gaussians by means and deviations", () => {
    const [mean, deviation] = [Float64Array.of(0, 0), Float64Array.of(1, 1)];
    const other = { weight: 1, mean: Float64Array.of(3, 4), deviation: Float64Array.of(1, 3) };
    expect(squaredWasserstein({ weight: 1, mean, deviation }, other)).toBe(29);
  });

  it("with noise hide one example in it, and are near the truth where the noise is small", () => {
    const features = around(
      1,
      [
        [0.5, 0],
        [0, -0.5],
      ],
      [80, 20],
      0.1,
    );
    const classes = features.map((_, i) => (i < 80 ? 0 : 1));
    const noisy = (multiplier: number, normal: () => number) =>
      noisySketch(features, { classes, classCount: 3, multiplier, normal });
    const exact = noisy(1, () => 0);
    expect(exact.map(({ weight }) => weight)).toEqual([80 / 101, 20 / 101, 1 / 101]);
    expect(exact[0]!.mean[0]).toBeCloseTo(0.5, 1);
    expect(exact[0]!.deviation[0]).toBeCloseTo(0.1, 1);
    // Every number gets noise of its own: 3 classes with a count, two sums and two squares.
    const draws: number[] = [];
    const prng = createPrng(9);
    const far = noisy(1000, () => draws[draws.push(prng.normal()) - 1]!);
    expect(draws).toHaveLength(3 * 5);
    for (const { weight, mean, deviation } of far) {
      expect(weight).toBeGreaterThan(0);
      for (const m of mean) expect(Math.abs(m)).toBeLessThanOrEqual(1);
      for (const d of deviation) expect(d >= 0 && d <= 1).toBe(true);
    }
    expect(() => noisy(0, () => 0)).toThrow(RangeError);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createPrng } from "../../protocol/prng.ts";
import { geometricMedian, ITERATIONS_MAX, SMOOTHING, TOLERANCE } from "./geometric-median.ts";
import { weightedMean } from "./mean.ts";

const cloud = (seed: number, count: number, size: number): Float64Array[] => {
  const prng = createPrng(seed);
  return Array.from({ length: count }, () => Float64Array.from({ length: size }, () => prng.normal()));
};
const ones = (points: readonly unknown[]): number[] => points.map(() => 1);
const distance = (x: ArrayLike<number>, y: ArrayLike<number>): number =>
  Math.hypot(...Array.from(x, (value, i) => value - y[i]!));
const objective = (z: ArrayLike<number>, points: readonly Float64Array[], weights: readonly number[]): number =>
  points.reduce((sum, point, j) => sum + weights[j]! * distance(z, point), 0);

/** An independent minimiser: try a step along every axis, halve the step when none helps. Slow and derivative-free. */
function compassSearch(points: readonly Float64Array[], weights: readonly number[]): number[] {
  let z: number[] = Array.from(points[0]!);
  let best = objective(z, points, weights);
  for (let step = 8; step > 1e-9; ) {
    let improved = false;
    for (let k = 0; k < z.length; k++) {
      for (const sign of [-1, 1]) {
        const candidate = z.with(k, z[k]! + sign * step);
        const value = objective(candidate, points, weights);
        if (value < best) {
          [z, best, improved] = [candidate, value, true];
        }
      }
    }
    if (!improved) step /= 2;
  }
  return z;
}

/** The iteration as METHODS states it, on plain arrays, for as many steps as the limit allows. */
function weiszfeldLiterally(points: readonly number[][], alphas: readonly number[]): number[] {
  const total = alphas.reduce((a, b) => a + b, 0);
  const columns = points[0]!.map((_, k) => k);
  let z = columns.map((k) => points.reduce((sum, x, j) => sum + alphas[j]! * x[k]!, 0) / total);
  for (let step = 0; step < 100; step++) {
    const w = points.map((x, j) => alphas[j]! / Math.max(1e-6, distance(z, x)));
    const sum = w.reduce((a, b) => a + b, 0);
    const next = columns.map((k) => points.reduce((acc, x, j) => acc + w[j]! * x[k]!, 0) / sum);
    const moved = distance(next, z);
    z = next;
    if (moved <= 1e-10 * Math.hypot(...z)) break;
  }
  return z;
}

describe("geometricMedian", () => {
  it("keeps the constants of the method", () => {
    expect([SMOOTHING, ITERATIONS_MAX, TOLERANCE]).toEqual([1e-6, 100, 1e-10]);
  });

  it("agrees with the iteration written out", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const points = cloud(seed, 3 + (seed % 5), 6);
      const weights = points.map((_, j) => 1 / Math.sqrt(1 + j));
      const expected = weiszfeldLiterally(
        points.map((point) => Array.from(point)),
        weights,
      );
      expect(distance(geometricMedian(points, weights).z, expected), `seed ${seed}`).toBeLessThan(1e-12);
    }
  });

  it("agrees with a derivative-free minimiser", () => {
    for (let seed = 1; seed <= 10; seed++) {
      const points = cloud(seed, 5 + (seed % 4), 2);
      const weights = points.map((_, j) => 1 / Math.sqrt(1 + (j % 3)));
      const { z } = geometricMedian(points, weights);
      const oracle = compassSearch(points, weights);
      const gap = objective(z, points, weights) - objective(oracle, points, weights);
      expect(gap, `seed ${seed}`).toBeLessThan(1e-4);
      expect(distance(z, oracle), `seed ${seed}`).toBeLessThan(0.02);
    }
  });

  it("finds the middle of a symmetric figure and the Fermat point of a triangle", () => {
    const square = [
      [1, 1],
      [1, -1],
      [-1, 1],
      [-1, -1],
    ].map((point) => Float64Array.from(point, (x) => x + 3));
    expect(distance(geometricMedian(square, ones(square)).z, [3, 3])).toBeLessThan(1e-12);
    const triangle = [
      [0, 0],
      [4, 0],
      [1, 3],
    ].map((point) => Float64Array.from(point));
    const { z } = geometricMedian(triangle, ones(triangle));
    // From the Fermat point all sides are seen under 120 degrees: the unit vectors to the corners cancel.
    const pull = [0, 1].map((k) => triangle.reduce((sum, x) => sum + (x[k]! - z[k]!) / distance(x, z), 0));
    expect(Math.hypot(...pull)).toBeLessThan(1e-7);
  });

  it("moves with its points and scales with them", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1000 }),
        fc.double({ min: -50, max: 50, noNaN: true }),
        fc.double({ min: 0.5, max: 20, noNaN: true }),
        (seed, shift, scale) => {
          const points = cloud(seed, 5, 8);
          const { z } = geometricMedian(points, ones(points));
          const moved = geometricMedian(
            points.map((point) => point.map((x) => scale * x + shift)),
            ones(points),
          ).z;
          const expected = z.map((x) => scale * x + shift);
          expect(distance(moved, expected)).toBeLessThan(1e-5 * scale);
        },
      ),
      { numRuns: 50 },
    );
  });

  it("hardly moves when one of five lies, where the mean is carried away", () => {
    for (const lie of [1e6, -1e6, 3e38]) {
      const honest = cloud(7, 5, 10);
      const lying = honest.with(2, new Float64Array(10).fill(lie));
      const median = distance(geometricMedian(lying, ones(lying)).z, geometricMedian(honest, ones(honest)).z);
      const mean = distance(weightedMean(lying, ones(lying)), weightedMean(honest, ones(honest)));
      expect(median, `lie ${lie}`).toBeLessThan(3);
      expect(mean, `lie ${lie}`).toBeGreaterThan(1e5);
    }
  });

  it("stays defined when points coincide with each other and with their mean", () => {
    const point = Float64Array.of(1, 2);
    expect(distance(geometricMedian([point, point, point], [1, 1, 1]).z, point)).toBeLessThan(1e-12);
    const around = [point, Float64Array.of(0, 2), Float64Array.of(2, 2)];
    expect(distance(geometricMedian(around, [1, 1, 1]).z, point)).toBeLessThan(1e-6);
    const zeros = [new Float64Array(2), new Float64Array(2), new Float64Array(2)];
    expect(geometricMedian(zeros, [1, 1, 1])).toEqual({ z: new Float64Array(2), degenerate: false, iterations: 1 });
  });

  it("is the mean of two, and says so; one is itself", () => {
    const [a, b] = [Float64Array.of(0, 0), Float64Array.of(4, 8)];
    expect(geometricMedian([a, b], [3, 1])).toEqual({ z: Float64Array.of(1, 2), degenerate: true, iterations: 0 });
    expect(geometricMedian([b], [0.5])).toEqual({ z: b, degenerate: false, iterations: 0 });
  });

  it("takes no points as an error", () => expect(() => geometricMedian([], [])).toThrow(RangeError));
});

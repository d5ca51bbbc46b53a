import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createPrng } from "../../protocol/prng.ts";
import { coordinateMedian } from "./coordinate-median.ts";
import { geometricMedian, ITERATIONS_MAX, MUTUAL_POINTS_MAX, SMOOTHING, TOLERANCE } from "./geometric-median.ts";
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

/** The iteration as it is documented, on plain arrays, from the coordinate median, until it stands. */
function weiszfeldLiterally(points: readonly Float64Array[], alphas: readonly number[]): number[] {
  const columns = Array.from(points[0]!.keys());
  let z = Array.from(coordinateMedian(points, alphas));
  const spread = coordinateMedian(
    points.map((x) => Float64Array.of(distance(x, z))),
    alphas,
  )[0]!;
  // More than half of the weight lies on one point.
  if (spread === 0) return z;
  for (let step = 0; step < 100_000; step++) {
    const w = points.map((x, j) => alphas[j]! / Math.max(1e-6 * spread, distance(z, x)));
    const sum = w.reduce((a, b) => a + b, 0);
    const next = columns.map((k) => points.reduce((acc, x, j) => acc + w[j]! * x[k]!, 0) / sum);
    const moved = distance(next, z);
    z = next;
    if (moved <= 1e-14 * spread) break;
  }
  return z;
}

describe("geometricMedian", () => {
  it("keeps the constants of the method", () => {
    expect([SMOOTHING, ITERATIONS_MAX, TOLERANCE]).toEqual([1e-6, 40, 1e-10]);
  });

  it("ends within a millionth of the least sum of distances, wherever the iteration is slow", () => {
    let slow = 0;
    for (let seed = 1; seed <= 150; seed++) {
      const points = cloud(seed, 3 + (seed % 8), 1 + (seed % 6));
      const weights = cloud(seed + 1000, 1, points.length)[0]!.map((x) => 0.2 + Math.abs(x));
      const { z, iterations } = geometricMedian(points, Array.from(weights));
      if (iterations === ITERATIONS_MAX) slow++;
      const least = objective(weiszfeldLiterally(points, Array.from(weights)), points, Array.from(weights));
      expect(objective(z, points, Array.from(weights)) / least - 1, `seed ${seed}`).toBeLessThan(1e-6);
    }
    expect(slow).toBeGreaterThan(10);
  });

  it("agrees with the iteration written out where that is quick", () => {
    for (const count of [9, MUTUAL_POINTS_MAX + 1]) {
      const points = cloud(count, count, 6);
      const weights = points.map((_, j) => 1 / Math.sqrt(1 + (j % 4)));
      expect(distance(geometricMedian(points, weights).z, weiszfeldLiterally(points, weights))).toBeLessThan(1e-8);
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

  it("stays among the honest, whatever fewer than half of the weight say, over the whole range of a float32", () => {
    const lie = fc.oneof(
      fc.float({ noNaN: true, noDefaultInfinity: true }),
      fc.constantFrom(3.4e38, -3.4e38, 1e20, -1e20, 1e-45, 0),
    );
    const attack = fc.record({
      seed: fc.integer({ min: 1, max: 10_000 }),
      honest: fc.integer({ min: 2, max: 8 }),
      size: fc.integer({ min: 1, max: 12 }),
      scale: fc.constantFrom(1e-30, 1e-6, 1, 1e6, 1e30),
      lies: fc.array(fc.array(lie, { minLength: 12, maxLength: 12 }), { minLength: 1, maxLength: 7 }),
    });
    fc.assert(
      fc.property(attack, ({ seed, honest, size, scale, lies }) => {
        const good = cloud(seed, honest, size).map((point) => point.map((x) => scale * x));
        const bad = lies.slice(0, honest - 1).map((values) => Float64Array.from(values.slice(0, size)));
        const { z } = geometricMedian([...bad, ...good], ones([...bad, ...good]));
        // The bound that the docs state, around the coordinate median.
        const m = coordinateMedian([...bad, ...good], ones([...bad, ...good]));
        const share = bad.length / (bad.length + good.length);
        const away = good.reduce((sum, x) => sum + distance(x, m), 0) / good.length;
        const bound = ((2 * (1 - share)) / (1 - 2 * share)) * away;
        expect(distance(z, m)).toBeLessThanOrEqual(bound * (1 + 1e-6));
        // Each value of m lies between values of honest points, because fewer than half lie.
        const widest = Math.hypot(
          ...Array.from(m, (_, i) => Math.max(...good.map((x) => x[i]!)) - Math.min(...good.map((x) => x[i]!))),
        );
        expect(away).toBeLessThanOrEqual(widest * (1 + 1e-9));
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    [2, 1, 3e38],
    [4, 2, 3e38],
    [3, 2, 1e20],
  ])("of %i honest peers and %i at %d is near the honest", (honest, liars, lie) => {
    const good = cloud(honest, honest, 50).map((point) => Float32Array.from(point));
    const bad = Array.from({ length: liars }, () => new Float32Array(50).fill(lie));
    const { z } = geometricMedian([...good, ...bad], ones([...good, ...bad]));
    const middle = weightedMean(good, ones(good));
    expect(distance(z, middle)).toBeLessThan(3 * Math.max(...good.map((x) => distance(x, middle))));
  });

  it("stays defined when points coincide with each other and with their mean", () => {
    const point = Float64Array.of(1, 2);
    expect(distance(geometricMedian([point, point, point], [1, 1, 1]).z, point)).toBeLessThan(1e-12);
    const around = [point, Float64Array.of(0, 2), Float64Array.of(2, 2)];
    expect(distance(geometricMedian(around, [1, 1, 1]).z, point)).toBeLessThan(1e-6);
    const zeros = [new Float64Array(2), new Float64Array(2), new Float64Array(2)];
    expect(geometricMedian(zeros, [1, 1, 1])).toEqual({ z: new Float64Array(2), degenerate: false, iterations: 0 });
  });

  it("is the mean of two, and says so; one is itself", () => {
    const [a, b] = [Float64Array.of(0, 0), Float64Array.of(4, 8)];
    expect(geometricMedian([a, b], [3, 1])).toEqual({ z: Float64Array.of(1, 2), degenerate: true, iterations: 0 });
    expect(geometricMedian([b], [0.5])).toEqual({ z: b, degenerate: false, iterations: 0 });
  });

  it("takes no points as an error", () => expect(() => geometricMedian([], [])).toThrow(RangeError));
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createPrng } from "../../protocol/prng.ts";
import { leaningOf } from "./leaning.ts";
import { squaredDistance } from "./point.ts";

const placesOf = (points: readonly Float64Array[]): Float64Array =>
  leaningOf(points.length, (j, k) => squaredDistance(points[j]!, points[k]!));

describe("the line on which points spread most", () => {
  it("has points of a line where they are, but for where it begins and which way it goes", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -50, max: 50, noNaN: true }), { minLength: 2, maxLength: 9 }),
        fc.array(fc.double({ min: 0.1, max: 3, noNaN: true }), { minLength: 1, maxLength: 5 }),
        (along, way) => {
          fc.pre(Math.max(...along) - Math.min(...along) > 1e-3);
          const length = Math.hypot(...way);
          const points = along.map((t) => Float64Array.from(way, (x) => (t * x) / length));
          const places = placesOf(points);
          const mean = along.reduce((sum, t) => sum + t, 0) / along.length;
          // Eigenvalue times unit vector: the power method's last step.
          const spread = Math.sqrt(along.reduce((sum, t) => sum + (t - mean) ** 2, 0));
          const furthest = along.reduce(
            (best, t, j) => (Math.abs(t - mean) > Math.abs(along[best]! - mean) ? j : best),
            0,
          );
          const sign = Math.sign(places[furthest]! * (along[furthest]! - mean));
          for (const [j, t] of along.entries()) expect(places[j]! / spread).toBeCloseTo(sign * (t - mean), 5);
        },
      ),
    );
  });

  it("has those at one end that were pushed the same way, however much noise each has", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const prng = createPrng(seed);
      const points = Array.from({ length: 30 }, (_, j) =>
        Float64Array.from({ length: 400 }, (_, i) => prng.normal() + (j < 6 && i < 80 ? 1.2 : 0)),
      );
      const places = placesOf(points);
      const order = Array.from(places.keys()).sort((a, b) => places[a]! - places[b]!);
      const ends = [order.slice(0, 6), order.slice(-6)].map((end) => end.filter((j) => j < 6).length);
      expect(Math.max(...ends), `seed ${seed}`).toBe(6);
    }
  });

  it("is a point where there is no spread, or no number", () => {
    expect(leaningOf(0, () => 1)).toHaveLength(0);
    expect([...leaningOf(1, () => 1)]).toEqual([0]);
    expect([...leaningOf(3, () => 0)]).toEqual([0, 0, 0]);
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, 1e308])
      expect([...leaningOf(2, () => bad)].every(Number.isFinite)).toBe(true);
  });
});

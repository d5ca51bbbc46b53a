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

  it("is the leading axis of points in a space, with their places on it as long as they are", () => {
    for (let seed = 1; seed <= 12; seed++) {
      const prng = createPrng(seed);
      const count = 2 + (seed % 7);
      const points = Array.from({ length: count }, () =>
        Float64Array.from({ length: 5 }, (_, i) => 4 ** i * prng.normal()),
      );
      const mean = Float64Array.from({ length: 5 }, (_, i) => points.reduce((sum, x) => sum + x[i]!, 0) / count);
      const moved = points.map((x) => x.map((value, i) => value - mean[i]!));
      // The leading axis in the space of the points, found there.
      let axis = Float64Array.from(moved[0]!);
      for (let step = 0; step < 100; step++) {
        const next = new Float64Array(5);
        for (const x of moved) {
          const along = x.reduce((sum, value, i) => sum + value * axis[i]!, 0);
          for (const [i, value] of x.entries()) next[i]! += along * value;
        }
        axis = next.map((value) => value / Math.hypot(...next));
      }
      const wanted = moved.map((x) => x.reduce((sum, value, i) => sum + value * axis[i]!, 0));
      const length = Math.hypot(...wanted);
      const places = placesOf(points);
      const sign = Math.sign(places.reduce((sum, place, j) => sum + place * wanted[j]!, 0));
      for (const [j, place] of wanted.entries()) {
        expect((sign * places[j]!) / length ** 2, `seed ${seed}, point ${j}`).toBeCloseTo(place / length, 6);
      }
    }
  });

  it("begins with no point that is in the middle of all, wherever it stands among them", () => {
    for (let at = 0; at < 4; at++) {
      const points = [-3, 1, 2].map((x) => Float64Array.of(x, 0));
      points.splice(at, 0, Float64Array.of(0, 0));
      const places = placesOf(points);
      const sign = Math.sign(points[0]![0]! === 0 ? points[1]![0]! * places[1]! : points[0]![0]! * places[0]!);
      // Eigenvalue 9 + 1 + 4, of a vector of length 1.
      for (const [j, [x]] of points.entries()) expect(places[j]!).toBeCloseTo(sign * x! * Math.sqrt(14), 9);
    }
  });

  it("asks for no distance of a point from itself, and for each other one", () => {
    const asked = new Set<string>();
    leaningOf(3, (j, k) => {
      asked.add(`${j}${k}`);
      return 1;
    });
    expect([...asked].sort()).toEqual(["01", "02", "10", "12", "20", "21"]);
  });

  it("is a point where there is no spread, or no number", () => {
    expect(leaningOf(0, () => 1)).toHaveLength(0);
    expect([...leaningOf(1, () => 1)]).toEqual([0]);
    expect([...leaningOf(3, () => 0)]).toEqual([0, 0, 0]);
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, 1e308])
      expect([...leaningOf(2, () => bad)].every(Number.isFinite)).toBe(true);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { weightedMean } from "./mean.ts";

const value = fc.double({ min: -100, max: 100, noNaN: true });
/** Points of three values with weights. */
const weighted = fc.array(fc.tuple(fc.tuple(value, value, value), fc.double({ min: 0.01, max: 10, noNaN: true })), {
  minLength: 1,
  maxLength: 7,
});
const split = (rows: readonly (readonly [readonly number[], number])[]): [Float64Array[], number[]] => [
  rows.map(([point]) => Float64Array.from(point)),
  rows.map(([, weight]) => weight),
];

describe("weightedMean", () => {
  it("agrees with the sum written out", () => {
    fc.assert(
      fc.property(weighted, (rows) => {
        const z = weightedMean(...split(rows));
        const total = rows.reduce((sum, [, weight]) => sum + weight, 0);
        for (let k = 0; k < 3; k++) {
          const expected = rows.reduce((sum, [point, weight]) => sum + (weight / total) * point[k]!, 0);
          expect(Math.abs(z[k]! - expected)).toBeLessThan(1e-11);
        }
      }),
    );
  });

  it("moves with its points and scales with them", () => {
    fc.assert(
      fc.property(weighted, value, fc.double({ min: -9, max: 9, noNaN: true }), (rows, shift, scale) => {
        const [points, weights] = split(rows);
        const z = weightedMean(points, weights);
        const moved = weightedMean(
          points.map((point) => point.map((x) => scale * x + shift)),
          weights,
        );
        for (let k = 0; k < 3; k++) expect(Math.abs(moved[k]! - (scale * z[k]! + shift))).toBeLessThan(1e-10);
      }),
    );
  });

  it("returns a single point bit for bit, as a copy", () => {
    const point = Float64Array.of(0.1, -0, 1 / 3);
    const z = weightedMean([point], [0.7]);
    expect(z).toEqual(point);
    expect(z).not.toBe(point);
  });

  for (const [name, points, weights] of [
    ["no points", [], []],
    ["a missing weight", [Float64Array.of(1), Float64Array.of(2)], [1]],
    ["points of different lengths", [Float64Array.of(1), Float64Array.of(1, 2)], [1, 1]],
    ["a zero weight", [Float64Array.of(1)], [0]],
    ["a negative weight", [Float64Array.of(1)], [-1]],
    ["a weight that is not a number", [Float64Array.of(1)], [Number.NaN]],
    ["an infinite weight", [Float64Array.of(1)], [Number.POSITIVE_INFINITY]],
  ] as const) {
    it(`refuses ${name}`, () => expect(() => weightedMean(points, weights)).toThrow(RangeError));
  }
});

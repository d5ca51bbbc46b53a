import fc from "fast-check";
import { Matrix, SVD } from "ml-matrix";
import { describe, expect, it } from "vitest";
import { createPrng } from "../../protocol/prng.ts";
import { basisOf, dot, singularValues, split } from "./singular-values.ts";

/** Random, of rank at most `rank`. */
function matrix(seed: number, rows: number, columns: number, rank: number): Float64Array {
  const prng = createPrng(seed);
  const L = Array.from({ length: rows * rank }, () => prng.normal());
  const R = Array.from({ length: rank * columns }, () => prng.normal());
  return Float64Array.from({ length: rows * columns }, (_, i) => {
    const [r, c] = [Math.floor(i / columns), i % columns];
    let sum = 0;
    for (let k = 0; k < rank; k++) sum += L[r * rank + k]! * R[k * columns + c]!;
    return sum;
  });
}
const shapes = fc.record({
  seed: fc.integer({ min: 1, max: 1e6 }),
  rows: fc.integer({ min: 1, max: 7 }),
  columns: fc.integer({ min: 1, max: 7 }),
  rank: fc.integer({ min: 0, max: 7 }),
});

describe("singularValues", () => {
  it("puts the matrix together again, from orthonormal vectors, whatever its rank", () => {
    fc.assert(
      fc.property(shapes, ({ seed, rows, columns, rank }) => {
        const M = matrix(seed, rows, columns, rank);
        const { left, values, right } = singularValues(M, rows, columns);
        const k = Math.min(rows, columns);
        const [U, V] = [split(left, k, rows), split(right, k, columns)];
        for (let r = 0; r < rows; r++) {
          for (let c = 0; c < columns; c++) {
            const sum = U.reduce((s, u, i) => s + u[r]! * values[i]! * V[i]![c]!, 0);
            expect(Math.abs(sum - M[r * columns + c]!)).toBeLessThan(1e-12 * (1 + values[0]!));
          }
        }
        for (const basis of [U, V]) {
          for (const [i, x] of basis.entries()) {
            for (const [j, y] of basis.entries()) expect(Math.abs(dot(x, y) - (i === j ? 1 : 0))).toBeLessThan(1e-12);
          }
        }
        expect([...values].every((value, i) => i === 0 || value <= values[i - 1]!)).toBe(true);
      }),
    );
  });

  it("agrees with a library", () => {
    fc.assert(
      fc.property(shapes, ({ seed, rows, columns, rank }) => {
        const M = matrix(seed, rows, columns, rank);
        const theirs = new SVD(Matrix.from1DArray(rows, columns, M), { autoTranspose: true }).diagonal;
        const { values } = singularValues(M, rows, columns);
        for (const [i, value] of values.entries()) expect(value).toBeCloseTo(theirs[i] ?? 0, 10);
      }),
    );
  });
});

it("basisOf leaves out what depends on what is before it, and stops at the most", () => {
  const rows = [
    [1, 0, 0],
    [2, 0, 0],
    [0, 0, 0],
    [1, 1, 0],
    [0, 0, 3],
  ].map((row) => Float64Array.from(row));
  expect(basisOf(rows, 3).map((row) => [...row])).toEqual([
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ]);
  expect(basisOf(rows, 1)).toHaveLength(1);
});

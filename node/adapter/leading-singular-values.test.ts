import { describe, expect, it } from "vitest";
import { createPrng } from "../../protocol/prng.ts";
import { leadingSingularValues } from "./leading-singular-values.ts";
import { singularValues } from "./singular-values.ts";

/** Random [rows, columns] of this rank. */
function matrix(rows: number, columns: number, rank: number): Float64Array {
  const prng = createPrng(rows * 1000 + columns);
  const [L, R] = [rows, columns].map((n) => Array.from({ length: n * rank }, () => prng.normal())) as [
    number[],
    number[],
  ];
  return Float64Array.from({ length: rows * columns }, (_, i) => {
    let sum = 0;
    for (let k = 0; k < rank; k++) sum += L[Math.floor(i / columns) * rank + k]! * R[(i % columns) * rank + k]!;
    return sum;
  });
}

describe("the largest singular values", () => {
  it.each([
    ["of many rows", 90, 40, 40, 4],
    ["of many columns", 40, 90, 40, 4],
    ["of a low rank, with more wanted than there are", 50, 60, 3, 5],
    ["of a matrix that is one row", 1, 12, 1, 1],
    ["of one column", 12, 1, 1, 1],
    ["of nothing but zeros", 8, 6, 0, 2],
  ])(
    "%s are those of the whole decomposition, and give the same best approximation",
    (_, rows, columns, rank, count) => {
      const M = matrix(rows, columns, rank);
      const whole = singularValues(M, rows, columns);
      const found = leadingSingularValues(M, { rows, columns, count });
      const scale = 1 + whole.values[0]!;
      for (let j = 0; j < count; j++) expect(Math.abs(found.values[j]! - whole.values[j]!)).toBeLessThan(1e-12 * scale);
      let worst = 0;
      for (let r = 0; r < rows; r++) {
        for (let c = 0; c < columns; c++) {
          let difference = 0;
          for (let j = 0; j < count; j++) {
            difference += found.left[j]![r]! * found.values[j]! * found.right[j]![c]!;
            difference -= whole.left[j * rows + r]! * whole.values[j]! * whole.right[j * columns + c]!;
          }
          worst = Math.max(worst, Math.abs(difference));
        }
      }
      expect(worst).toBeLessThan(1e-8 * scale);
    },
  );

  it("are found in a part of the steps where the matrix is large", () => {
    // Falling values, as weights have them.
    const size = 300;
    const M = matrix(size, size, size).map((x, i) => x / (1 + (i % size)));
    const { values } = leadingSingularValues(M, { rows: size, columns: size, count: 2 });
    expect(values[0]! > values[1]! && values[1]! > 0).toBe(true);
  });
});

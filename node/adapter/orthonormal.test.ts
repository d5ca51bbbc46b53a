import { Matrix, SVD } from "ml-matrix";
import { describe, expect, it } from "vitest";
import { createPrng, type Prng } from "../../protocol/prng.ts";
import { NodeError } from "../errors.ts";
import { nearestOrthogonal, orthonormalRowsFromSeed, polarRows } from "./orthonormal.ts";

const normals = (prng: Prng, count: number): Float64Array => Float64Array.from({ length: count }, () => prng.normal());

/** Largest entry of |A Aᵀ - I|. */
function distanceFromOrthonormal(A: Float64Array, rows: number, columns: number): number {
  const a = Matrix.from1DArray(rows, columns, Array.from(A));
  return a.mmul(a.transpose()).sub(Matrix.eye(rows)).abs().max();
}

function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Math.max(...Array.from(a, (x, i) => Math.abs(x - b[i]!)));
}

/** U Vᵀ from an independent singular value decomposition of the whole matrix. */
function polarOracle(R: Float64Array, rows: number, columns: number): number[] {
  const svd = new SVD(Matrix.from1DArray(rows, columns, Array.from(R)), { autoTranspose: true });
  return svd.leftSingularVectors.mmul(svd.rightSingularVectors.transpose()).to1DArray();
}

const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof NodeError) return error.code;
    throw error;
  }
  return "no error";
};

describe("polarRows", () => {
  for (const [rows, columns] of [
    [1, 1],
    [1, 7],
    [3, 3],
    [4, 64],
    [8, 96],
    [16, 16],
  ] as const) {
    it(`agrees with a singular value decomposition on ${rows} x ${columns}`, () => {
      const R = normals(createPrng(rows).fork(`${columns}`), rows * columns);
      const Q = polarRows(R, rows, columns);
      expect(distanceFromOrthonormal(Q, rows, columns)).toBeLessThan(1e-14);
      expect(difference(Q, polarOracle(R, rows, columns))).toBeLessThan(1e-11);
    });
  }

  it("keeps orthonormal rows and ignores a positive scale", () => {
    const R = orthonormalRowsFromSeed(createPrng(3), 4, 32);
    expect(difference(polarRows(R, 4, 32), R)).toBeLessThan(1e-14);
    expect(
      difference(
        polarRows(
          R.map((x) => x * 1e9),
          4,
          32,
        ),
        R,
      ),
    ).toBeLessThan(1e-14);
  });

  it("stays accurate when the rows almost depend on each other", () => {
    const rows = normals(createPrng(5), 2 * 16);
    for (let k = 0; k < 16; k++) rows[16 + k] = rows[k]! + 1e-7 * rows[16 + k]!;
    expect(distanceFromOrthonormal(polarRows(rows, 2, 16), 2, 16)).toBeLessThan(1e-14);
  });

  it("reads float32 values", () => {
    const R = Float32Array.from(orthonormalRowsFromSeed(createPrng(9), 2, 8));
    expect(difference(polarRows(R, 2, 8), R)).toBeLessThan(1e-6);
  });

  const refused: readonly (readonly [string, Float64Array, number, number])[] = [
    ["more rows than columns", new Float64Array(6).fill(1), 3, 2],
    ["no rows", new Float64Array(0), 0, 4],
    ["a length that is not rows x columns", new Float64Array(5).fill(1), 2, 3],
    ["zeros", new Float64Array(6), 2, 3],
    ["equal rows", Float64Array.of(1, 2, 3, 1, 2, 3), 2, 3],
    ["a third row in the plane of the first two", Float64Array.of(1, 0, 1, 0, 0, 1, 1, 0, 1, 1, 2, 0), 3, 4],
    ["NaN", Float64Array.of(1, Number.NaN, 3, 4), 2, 2],
    ["Infinity", Float64Array.of(1, 2, Number.POSITIVE_INFINITY, 4), 2, 2],
  ];
  for (const [name, values, rows, columns] of refused) {
    it(`refuses ${name}`, () => {
      expect(codeOf(() => polarRows(values, rows, columns))).toBe("ADAPTER_SHAPE");
    });
  }
});

describe("orthonormalRowsFromSeed", () => {
  it("gives orthonormal rows, equal for equal seeds and different for different ones", () => {
    const first = orthonormalRowsFromSeed(createPrng(7).fork("R"), 8, 64);
    expect(distanceFromOrthonormal(first, 8, 64)).toBeLessThan(1e-14);
    expect(orthonormalRowsFromSeed(createPrng(7).fork("R"), 8, 64)).toEqual(first);
    expect(orthonormalRowsFromSeed(createPrng(8).fork("R"), 8, 64)).not.toEqual(first);
  });

  it("has a positive diagonal against the draws, zero above it", () => {
    const draws = normals(createPrng(7).fork("R"), 4 * 12);
    const q = orthonormalRowsFromSeed(createPrng(7).fork("R"), 4, 12);
    const lower = Matrix.from1DArray(4, 12, Array.from(draws)).mmul(
      Matrix.from1DArray(4, 12, Array.from(q)).transpose(),
    );
    for (let i = 0; i < 4; i++) {
      expect(lower.get(i, i)).toBeGreaterThan(0);
      for (let j = i + 1; j < 4; j++) expect(Math.abs(lower.get(i, j))).toBeLessThan(1e-14);
    }
  });

  it("keeps its bits: golden values of seed 1", () => {
    expect(Array.from(orthonormalRowsFromSeed(createPrng(1).fork("golden"), 2, 3))).toEqual(GOLDEN);
  });

  it("refuses more rows than columns", () => {
    expect(codeOf(() => orthonormalRowsFromSeed(createPrng(1), 3, 2))).toBe("ADAPTER_SHAPE");
  });
});

describe("nearestOrthogonal", () => {
  it("finds the rotation behind a symmetric stretch", () => {
    const Q = orthonormalRowsFromSeed(createPrng(11), 5, 5);
    const stretch = Matrix.diag([5, 4, 3, 2, 1e-3]).mmul(Matrix.from1DArray(5, 5, Array.from(Q)));
    expect(difference(nearestOrthogonal(Float64Array.from(stretch.to1DArray()), 5), Q)).toBeLessThan(1e-12);
  });

  it("is orthogonal for singular matrices too, and the identity for zero", () => {
    expect(Array.from(nearestOrthogonal(new Float64Array(9), 3))).toEqual([1, 0, 0, 0, 1, 0, 0, 0, 1]);
    const rankOne = Float64Array.from({ length: 16 }, (_, i) => (1 + (i % 4)) * (1 + Math.floor(i / 4)));
    expect(distanceFromOrthonormal(nearestOrthogonal(rankOne, 4), 4, 4)).toBeLessThan(1e-14);
  });

  it("ends and stays orthogonal on values near the smallest and the largest numbers", () => {
    const prng = createPrng(13);
    for (let trial = 0; trial < 300; trial++) {
      const n = 1 + prng.below(9);
      const M = Float64Array.from({ length: n * n }, () => prng.normal() * 10 ** (prng.below(620) - 315));
      expect(distanceFromOrthonormal(nearestOrthogonal(M, n), n, n), `trial ${trial}`).toBeLessThan(1e-13);
    }
  });

  it("refuses values that are not finite", () => {
    expect(codeOf(() => nearestOrthogonal(Float64Array.of(Number.NaN), 1))).toBe("ADAPTER_SHAPE");
  });
});

/** Recorded from this implementation; additions, products, quotients and square roots only, so equal on every machine. */
const GOLDEN = [
  0.0336982557202078, 0.7575675819663804, -0.6518863292898747, -0.5508805011888538, 0.5583075776802854,
  0.6203412948649233,
];

import fc from "fast-check";
import { Matrix } from "ml-matrix";
import { describe, expect, it } from "vitest";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import { createPrng } from "../../protocol/prng.ts";
import { orthonormalRowsFromSeed } from "../adapter/orthonormal.ts";
import { aggregateNeighbours } from "./all-but-me.ts";
import { coreSimilarity, linearCka, softmaxWeights } from "./similarity.ts";

const seeds = fc.integer({ min: 1, max: 1e6 });
const matrix = (seed: number, rows: number, columns: number): Float64Array => {
  const prng = createPrng(seed);
  return Float64Array.from({ length: rows * columns }, () => prng.normal());
};
/** Two nearly equal rows cost the library half its digits.  HSIC(X Xᵀ, Y Yᵀ) / √(HSIC(X Xᵀ, X Xᵀ) HSIC(Y Yᵀ, Y Yᵀ)) with tr(K H L H), by a library. */
function ckaSlowly(X: Matrix, Y: Matrix): number {
  const n = X.rows;
  const H = Matrix.sub(Matrix.eye(n), Matrix.ones(n, n).div(n));
  const hsic = (A: Matrix, B: Matrix): number =>
    A.mmul(A.transpose()).mmul(H).mmul(B.mmul(B.transpose())).mmul(H).trace();
  return hsic(X, Y) / Math.sqrt(hsic(X, X) * hsic(Y, Y));
}

describe("linearCka", () => {
  it("is the normalised Hilbert-Schmidt criterion of linear kernels", () => {
    fc.assert(
      fc.property(
        seeds,
        seeds,
        fc.integer({ min: 2, max: 6 }),
        fc.integer({ min: 1, max: 6 }),
        (a, b, rows, columns) => {
          const [X, Y] = [matrix(a, rows, columns), matrix(b, rows, columns)];
          const slow = ckaSlowly(Matrix.from1DArray(rows, columns, [...X]), Matrix.from1DArray(rows, columns, [...Y]));
          expect(linearCka(X, Y, rows, columns)).toBeCloseTo(slow, 6);
          expect(linearCka(Y, X, rows, columns)).toBeCloseTo(slow, 6);
        },
      ),
    );
  });

  it("is 1 for a matrix that is scaled, moved, and turned in its columns", () => {
    fc.assert(
      fc.property(seeds, fc.constantFrom(-3, 1e-20, 1e20), (seed, scale) => {
        const X = matrix(seed, 5, 4);
        const Q = Matrix.from1DArray(4, 4, [...orthonormalRowsFromSeed(createPrng(seed), 4, 4)]);
        const Y = Matrix.from1DArray(5, 4, [...X])
          .mmul(Q)
          .add(0.5)
          .mul(scale)
          .to1DArray();
        expect(linearCka(X, Y, 5, 4)).toBeCloseTo(1, 10);
      }),
    );
  });

  it("is defined where the rows are all alike, as at the start of a shared basis", () => {
    const zero = new Float64Array(9);
    expect(linearCka(zero, zero, 3, 3)).toBe(1);
    expect(linearCka(zero, matrix(1, 3, 3), 3, 3)).toBe(0);
  });
});

const SLOTS = adapterSlots([
  { name: "layers.0.q_proj.C", shape: [3, 3] },
  { name: "layers.1.q_proj.C", shape: [3, 3] },
]);
const cores = (seed: number): Float32Array => Float32Array.from(matrix(seed, 6, 3));

it("averages over the cores of all sites, and needs one", () => {
  const mixed = Float32Array.from([...cores(1).subarray(0, 9), ...cores(2).subarray(9)]);
  const expected = (1 + linearCka(cores(1).subarray(9), cores(2).subarray(9), 3, 3)) / 2;
  expect(coreSimilarity(cores(1), mixed, SLOTS)).toBeCloseTo(expected, 10);
  expect(() => coreSimilarity(cores(1), cores(2), adapterSlots([{ name: "x.A", shape: [18] }]))).toThrow(RangeError);
});

describe("softmaxWeights", () => {
  it("add up to 1, rise with similarity, and more steeply the colder it is", () => {
    const similarities = [0.2, 0.9, 0.5];
    for (const temperature of [0.01, 0.3, 5]) {
      const weights = softmaxWeights(similarities, temperature);
      expect(weights.reduce((sum, w) => sum + w, 0)).toBeCloseTo(1, 12);
      expect(weights[1]).toBeGreaterThan(weights[2]!);
      expect(weights[2]).toBeGreaterThanOrEqual(weights[0]!);
      expect(weights[0]).toBeGreaterThan(0);
    }
    expect(softmaxWeights(similarities, 0.01)[1]).toBeGreaterThan(0.999);
    const [a, b] = softmaxWeights([1, 0], 1);
    expect(a! / b!).toBeCloseTo(Math.E, 12);
  });
});

it("similarity weights let a peer take up those who trained alike", () => {
  const [own, other] = [cores(1), cores(2)];
  const near = own.map((x) => 1.1 * x);
  const take = (temperature: number): Float32Array =>
    aggregateNeighbours({
      kind: "tri-lora",
      slots: SLOTS,
      own: { peer: "me", theta: own },
      neighbours: [near, other].map((theta, j) => ({ peer: `p${j}`, round: 0, theta, sampleCount: 1 })),
      settings: {
        rule: "mean",
        scope: "tensor",
        stalenessExponent: 0.5,
        ageMax: 8,
        weights: { kind: "similarity", temperature },
      },
      round: 0,
    }).z;
  const distance = (x: Float32Array, y: Float32Array): number => Math.hypot(...x.map((value, i) => value - y[i]!));
  expect(distance(take(0.01), near)).toBeLessThan(1e-3);
  expect(
    distance(
      take(1000),
      near.map((x, i) => (x + other[i]!) / 2),
    ),
  ).toBeLessThan(1e-2);
});

import fc from "fast-check";
import { Matrix, SVD } from "ml-matrix";
import { describe, expect, it } from "vitest";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import { createPrng } from "../../protocol/prng.ts";
import { type AggregateOptions, aggregateNeighbours, mix } from "./all-but-me.ts";
import { productGroups } from "./product-average.ts";

const [RANK, INPUTS, OUTPUTS] = [2, 7, 6];
const SLOTS = adapterSlots([
  { name: "layers.0.q_proj.A", shape: [RANK, INPUTS] },
  { name: "layers.0.q_proj.B", shape: [OUTPUTS, RANK] },
  { name: "score.weight", shape: [3] },
  { name: "layers.1.q_proj.A", shape: [RANK, INPUTS] },
  { name: "layers.1.q_proj.B", shape: [OUTPUTS, RANK] },
]);
const P = SLOTS.reduce((sum, { length }) => sum + length, 0);
const seeds = fc.integer({ min: 1, max: 1e6 });

const adapter = (seed: number): Float32Array => {
  const prng = createPrng(seed);
  return Float32Array.from({ length: P }, () => prng.normal());
};
const [FIRST, SECOND] = productGroups(SLOTS);
const factor = (theta: Float32Array, { offset, length, shape }: (typeof SLOTS)[number]): Matrix =>
  Matrix.from1DArray(shape[0]!, shape[1]!, [...theta.subarray(offset, offset + length)]);
const productOf = (theta: Float32Array, group = FIRST!): Matrix => factor(theta, group.B).mmul(factor(theta, group.A));
const distance = (x: Matrix, y: Matrix): number => Matrix.sub(x, y).norm("frobenius");
/** The best approximation of rank r, by a library. */
const truncated = (M: Matrix): Matrix => {
  const { leftSingularVectors: U, diagonal, rightSingularVectors: V } = new SVD(M, { autoTranspose: true });
  const S = Matrix.diag(diagonal.map((value, i) => (i < RANK ? value : 0)));
  return U.mmul(S).mmul(V.transpose());
};
/** The same products in another gauge: (G A, B G⁻¹). */
const regauged = (theta: Float32Array, seed: number): Float32Array => {
  const out = theta.slice();
  const prng = createPrng(seed).fork("gauge");
  for (const group of [FIRST!, SECOND!]) {
    const [a, b] = [1 + prng.uniform(), 1 + prng.uniform()];
    const shear = prng.normal();
    const G = new Matrix([
      [a, shear],
      [0, b],
    ]);
    const inverse = new Matrix([
      [1 / a, -shear / (a * b)],
      [0, 1 / b],
    ]);
    out.set(G.mmul(factor(theta, group.A)).to1DArray(), group.A.offset);
    out.set(factor(theta, group.B).mmul(inverse).to1DArray(), group.B.offset);
  }
  return out;
};
const aggregate = (own: Float32Array, thetas: readonly Float32Array[], options: Partial<AggregateOptions> = {}) =>
  aggregateNeighbours({
    kind: "lora",
    slots: SLOTS,
    factors: "product",
    own: { peer: "me", theta: own },
    neighbours: thetas.map((theta, j) => ({ peer: `p${j}`, round: 0, theta, sampleCount: j + 1 })),
    settings: { rule: "mean", scope: "tensor", stalenessExponent: 0.5, ageMax: 8 },
    round: 0,
    ...options,
  });

describe("the average of products", () => {
  it("is the best approximation of the mean of B A, written out by a library", () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 5 }), (seed, count) => {
        const thetas = Array.from({ length: count }, (_, j) => adapter(seed + j));
        const { z } = aggregate(adapter(seed + 99), thetas);
        for (const group of [FIRST!, SECOND!]) {
          const sum = thetas.map((theta) => productOf(theta, group)).reduce((s, M) => Matrix.add(s, M));
          const expected = truncated(Matrix.div(sum, count));
          expect(distance(productOf(z, group), expected)).toBeLessThan(1e-3);
        }
        const heads = thetas.reduce((s, theta) => s + theta[SLOTS[2]!.offset]!, 0) / count;
        expect(z[SLOTS[2]!.offset]).toBeCloseTo(heads, 5);
      }),
      { numRuns: 40 },
    );
  });

  it("weighs products as it weighs adapters", () => {
    const thetas = [adapter(1), adapter(2)];
    const settings = {
      rule: "mean",
      scope: "tensor",
      stalenessExponent: 0.5,
      ageMax: 8,
      weights: { kind: "samples" },
    } as const;
    const { z } = aggregate(adapter(3), thetas, { settings });
    const expected = Matrix.add(productOf(thetas[0]!).mul(1 / 3), productOf(thetas[1]!).mul(2 / 3));
    expect(distance(productOf(z), truncated(expected))).toBeLessThan(1e-5);
  });

  it("gives one adapter in several gauges back, in the peer's own gauge when it is its own", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const own = adapter(seed);
        const { z } = aggregate(
          own,
          [1, 2, 3].map((k) => regauged(own, seed + k)),
        );
        for (const [i, x] of z.entries()) expect(Math.abs(x - own[i]!)).toBeLessThan(1e-5 * (1 + Math.abs(own[i]!)));
        const elsewhere = aggregate(adapter(seed + 7), [own, regauged(own, seed)]).z;
        // Rounding to float32 grows with the condition of the A that was found, 200 at most; products are of length 10.
        expect(distance(productOf(elsewhere), productOf(own))).toBeLessThan(1e-3);
      }),
      { numRuns: 40 },
    );
  });

  it("is not what the mean of the factors is", () => {
    const own = adapter(5);
    const thetas = [own, regauged(own, 6)];
    const { z } = aggregate(own, thetas, { factors: undefined });
    expect(distance(productOf(z), productOf(own))).toBeGreaterThan(0.1);
  });

  it("mixes products, not factors, and gives λ = 0 and λ = 1 back", () => {
    fc.assert(
      fc.property(seeds, fc.constantFrom(0.25, 0.5, 0.9), (seed, lambda) => {
        const [own, z] = [adapter(seed), adapter(seed + 1)];
        const mixed = (share: number): Float32Array =>
          mix({ kind: "lora", slots: SLOTS, factors: "product", own, z, lambda: share });
        const expected = Matrix.add(productOf(own).mul(1 - lambda), productOf(z).mul(lambda));
        expect(distance(productOf(mixed(lambda)), truncated(expected))).toBeLessThan(1e-3);
        expect(mixed(0)).toEqual(own);
        expect(mixed(1)).toEqual(z);
      }),
      { numRuns: 30 },
    );
  });

  it("leaves the own A where there is nothing to add to it: what is zero goes on training", () => {
    const start = adapter(3);
    for (const group of [FIRST!, SECOND!]) start.fill(0, group.B.offset, group.B.offset + group.B.length);
    const { z } = aggregate(start, [start, start]);
    for (const [i, x] of z.entries()) expect(x).toBeCloseTo(start[i]!, 6);
  });

  it("stays finite with an own A of zero, of dependent rows, or across from all others", () => {
    const zero = new Float32Array(P);
    const dependent = adapter(4);
    const { A } = FIRST!;
    for (let i = 0; i < INPUTS; i++) dependent[A.offset + INPUTS + i] = dependent[A.offset + i]!;
    for (const own of [zero, dependent]) {
      const { z } = aggregate(own, [adapter(8)]);
      expect(z.every(Number.isFinite)).toBe(true);
      expect(distance(productOf(z), productOf(adapter(8)))).toBeLessThan(1e-3);
    }
  });

  it("refuses factors whose products are no float32 numbers", () => {
    const huge = adapter(2).map((x) => 1e20 * x);
    expect(aggregate(adapter(1), [huge, adapter(3)])).toMatchObject({
      peers: ["p1"],
      refused: [{ peer: "p0", reason: "not-finite" }],
    });
  });
});

import fc from "fast-check";
import { Matrix } from "ml-matrix";
import { describe, expect, it } from "vitest";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import { createPrng } from "../../protocol/prng.ts";
import { orthonormalRowsFromSeed } from "../adapter/orthonormal.ts";
import { singularValues } from "../adapter/singular-values.ts";
import { aggregateNeighbours } from "./all-but-me.ts";
import { alignCores } from "./core-gauge.ts";

const RANK = 4;
const SLOTS = adapterSlots([
  { name: "layers.0.q_proj.C", shape: [RANK, RANK] },
  { name: "layers.1.q_proj.C", shape: [RANK, RANK] },
]);
const seeds = fc.integer({ min: 1, max: 1e6 });
const cores = (seed: number): Float32Array => {
  const prng = createPrng(seed);
  return Float32Array.from({ length: 2 * RANK * RANK }, () => prng.normal());
};
const at = (theta: Float32Array, k: number): Matrix =>
  Matrix.from1DArray(RANK, RANK, [...theta.subarray(k * RANK * RANK, (k + 1) * RANK * RANK)]);
const orthogonal = (seed: number): Matrix =>
  Matrix.from1DArray(RANK, RANK, [...orthonormalRowsFromSeed(createPrng(seed), RANK, RANK)]);
/** P C Qᵀ at every site, as other bases would have it. */
const turned = (theta: Float32Array, seed: number): Float32Array =>
  Float32Array.from(
    SLOTS.flatMap((_, k) =>
      orthogonal(seed + 2 * k)
        .mmul(at(theta, k))
        .mmul(orthogonal(seed + 2 * k + 1))
        .to1DArray(),
    ),
  );
const difference = (x: Float32Array, y: Float32Array): number =>
  x.reduce((max, value, i) => Math.max(max, Math.abs(value - y[i]!)), 0);

describe("alignCores", () => {
  it("averages turned copies of one adapter to that adapter", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const own = cores(seed);
        const { z } = aggregateNeighbours({
          kind: "tri-lora",
          slots: SLOTS,
          factors: "aligned",
          own: { peer: "me", theta: own },
          neighbours: [1, 2, 3].map((j) => ({
            peer: `p${j}`,
            round: 0,
            theta: turned(own, seed + 10 * j),
            sampleCount: 1,
          })),
          settings: { rule: "mean", scope: "tensor", stalenessExponent: 0.5, ageMax: 8 },
          round: 0,
        });
        expect(difference(z, own)).toBeLessThan(1e-5);
      }),
      { numRuns: 50 },
    );
  });

  it("keeps a neighbour's singular values, and no turn of it is nearer", () => {
    fc.assert(
      fc.property(seeds, seeds, (mineSeed, theirsSeed) => {
        const [mine, theirs] = [cores(mineSeed), cores(theirsSeed)];
        const aligned = alignCores(mine, theirs, SLOTS);
        for (const k of [0, 1]) {
          const [before, after] = [theirs, aligned].map((x) => singularValues(at(x, k).to1DArray(), RANK, RANK).values);
          for (const [i, value] of before!.entries()) expect(after![i]).toBeCloseTo(value, 5);
          const far = (x: Matrix): number => Matrix.sub(x, at(mine, k)).norm("frobenius");
          for (let trial = 0; trial < 5; trial++) {
            const other = orthogonal(mineSeed + trial)
              .mmul(at(theirs, k))
              .mmul(orthogonal(theirsSeed + trial));
            expect(far(at(aligned, k))).toBeLessThanOrEqual(far(other) + 1e-5);
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  it("is defined for the identity, zero and one of rank 1", () => {
    const identity = Float32Array.from({ length: 2 * RANK * RANK }, (_, i) =>
      (i % (RANK * RANK)) % (RANK + 1) === 0 ? 1 : 0,
    );
    const zero = new Float32Array(2 * RANK * RANK);
    expect(difference(alignCores(identity, identity, SLOTS), identity)).toBeLessThan(1e-6);
    expect(alignCores(identity, zero, SLOTS)).toEqual(zero);
    expect(alignCores(zero, cores(1), SLOTS).every(Number.isFinite)).toBe(true);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import { createPrng } from "../../protocol/prng.ts";
import { aggregateNeighbours } from "./all-but-me.ts";
import { rotationGroups } from "./gauge.ts";
import { functionDistance, PARAMETER_COUNT, randomAdapter, rotated, SLOTS } from "./loreft.suite.ts";
import { withMomentum } from "./momentum.ts";

const P = 5;
const slots = adapterSlots([{ name: "x.A", shape: [P] }]);
const seeds = fc.integer({ min: 1, max: 1_000_000 });
const vectorOf = (seed: number): Float32Array =>
  Float32Array.from(
    { length: P },
    (
      (prng) => () =>
        prng.normal()
    )(createPrng(seed)),
  );
const push = (z: Float32Array, before: Float32Array, momentum: number): Float32Array =>
  withMomentum({ kind: "lora", slots, z, before, momentum });
const lengthOf = (x: Float32Array, y: Float32Array): number => Math.hypot(...x.map((value, i) => value - y[i]!));

describe("momentum of the aggregate", () => {
  it("is z + b (z - before), value by value", () => {
    fc.assert(
      fc.property(seeds, seeds, fc.double({ min: 0.01, max: 1, noNaN: true }), (a, c, b) => {
        const [z, before] = [vectorOf(a), vectorOf(c)];
        const expected = Float32Array.from(z, (x, i) => x + b * (x - before[i]!));
        expect(push(z, before, b)).toEqual(expected);
      }),
    );
  });

  it("of an aggregate that stands still is none, and one on a straight way goes on by as much", () => {
    const [z, way] = [vectorOf(1), vectorOf(2)];
    expect(push(z, z, 1)).toEqual(z);
    const ahead = push(
      Float32Array.from(z, (x, i) => x + way[i]!),
      z,
      1,
    );
    for (const [i, x] of ahead.entries()) expect(x).toBeCloseTo(z[i]! + 2 * way[i]!, 5);
  });

  it("does not depend on the gauge of the round before, and leaves rotations orthonormal", () => {
    fc.assert(
      fc.property(seeds, seeds, seeds, (a, c, turn) => {
        const [z, before] = [randomAdapter(a), randomAdapter(c)];
        const options = { kind: "loreft", slots: SLOTS, z, momentum: 0.5 } as const;
        const plain = withMomentum({ ...options, before });
        const turned = withMomentum({ ...options, before: rotated(before, turn) });
        for (let i = 0; i < PARAMETER_COUNT; i++) expect(Math.abs(plain[i]! - turned[i]!)).toBeLessThan(1e-3);
        for (const { R, rank, columns } of rotationGroups("loreft", SLOTS)) {
          for (let r = 0; r < rank; r++) {
            const row = plain.subarray(R.offset + r * columns, R.offset + (r + 1) * columns);
            expect(Math.hypot(...row)).toBeCloseTo(1, 5);
          }
        }
        expect(functionDistance(withMomentum({ ...options, before: z }), z)).toBeLessThan(1e-4);
      }),
      { numRuns: 30 },
    );
  });

  it("is left out where the sum would be no adapter", () => {
    const huge = new Float32Array(P).fill(3e38);
    expect(
      push(
        huge,
        huge.map((x) => -x),
        1,
      ),
    ).toBe(huge);
    expect(push(vectorOf(1), huge, 1)).toEqual(vectorOf(1));
  });

  it("turns no lie into a longer jump than three times the one that the rule lets through", () => {
    const lies = fc.constantFrom(-3.4e38, -65504, -1e3, 0, 1e3, 65504, 1e20, 3.4e38);
    const aggregate = (round: number, seed: number, lie: number): Float32Array => {
      const honest = Array.from({ length: 5 }, (_, j) => ({
        ...{ peer: `h${j}`, round, sampleCount: 1 },
        theta: vectorOf(100 * seed + j).map((x) => 0.1 * x + round),
      }));
      const liar = { peer: "liar", round, sampleCount: 1, theta: new Float32Array(P).fill(lie) };
      return aggregateNeighbours({
        kind: "lora",
        slots,
        own: { peer: "me", theta: vectorOf(seed) },
        neighbours: [...honest, liar],
        settings: { rule: "geometric-median", scope: "tensor", stalenessExponent: 0, ageMax: 8 },
        round,
      }).z;
    };
    fc.assert(
      fc.property(fc.nat(1000), lies, lies, (seed, first, second) => {
        const [before, z] = [aggregate(0, seed, first), aggregate(1, seed + 1, second)];
        const [cleanBefore, clean] = [aggregate(0, seed, 0), aggregate(1, seed + 1, 1)];
        const jump = Math.max(lengthOf(before, cleanBefore), lengthOf(z, clean));
        const moved = lengthOf(push(z, before, 1), push(clean, cleanBefore, 1));
        expect(moved).toBeLessThanOrEqual(3 * jump + 1e-4);
        expect(moved).toBeLessThan(3);
      }),
    );
  });
});

import { randomFillSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { createPrng } from "../../protocol/prng.ts";
import type { RandomSource } from "../interface/random-source.ts";
import { gaussianSource, uniformSource } from "./gaussian-noise.ts";
import { privateUpdate, updateMechanism } from "./private-update.ts";

const seeded = (seed: number): RandomSource => {
  const prng = createPrng(seed);
  return {
    fill: (out) => {
      for (let i = 0; i < out.length; i++) out[i] = prng.uint32() & 255;
    },
  };
};

describe("the noise", () => {
  test("has the moments of a normal distribution and no two values alike", () => {
    const gaussian = gaussianSource({ fill: (out) => void randomFillSync(out) });
    const values = Array.from({ length: 100_000 }, gaussian);
    const moment = (k: number): number => values.reduce((sum, x) => sum + x ** k, 0) / values.length;
    // Standard errors of the first four moments of 100,000 draws, times 6.
    expect(Math.abs(moment(1))).toBeLessThan(6 * Math.sqrt(1 / 1e5));
    expect(Math.abs(moment(2) - 1)).toBeLessThan(6 * Math.sqrt(2 / 1e5));
    expect(Math.abs(moment(3))).toBeLessThan(6 * Math.sqrt(15 / 1e5));
    expect(Math.abs(moment(4) - 3)).toBeLessThan(6 * Math.sqrt(96 / 1e5));
    expect(new Set(values).size).toBe(values.length);
    const lagged = values.slice(1).reduce((sum, x, i) => sum + x * values[i]!, 0) / values.length;
    expect(Math.abs(lagged)).toBeLessThan(6 * Math.sqrt(1 / 1e5));
  });
  test("is made of uniform numbers within [0, 1), also at the ends of what the source gives", () => {
    const of = (byte: number): number => uniformSource({ fill: (out) => void out.fill(byte) })();
    expect(of(0)).toBe(0);
    expect(of(255)).toBe(1 - 2 ** -53);
    for (const byte of [0, 255]) {
      expect(Number.isFinite(gaussianSource({ fill: (out) => void out.fill(byte) })())).toBe(true);
    }
  });
});

describe("a private update", () => {
  const start = Float32Array.of(1, 2, 3);
  const before = Float32Array.of(0.5, 0.5, 0.5);
  const after = Float32Array.of(3.5, 4.5, 0.5);
  const of = (options: Partial<Parameters<typeof privateUpdate>[0]>): number[] => [
    ...privateUpdate({ start, before, after, clip: 1, noise: 0, random: seeded(1), ...options }),
  ];

  test("adds the change, drawn in to the clip, to the public start", () => {
    expect(of({ clip: 2.5 })).toEqual([2.5, 4, 3]);
    expect(of({ clip: 5 })).toEqual([4, 6, 3]);
    expect(of({ clip: 50 })).toEqual([4, 6, 3]);
  });
  test("of no change, or of one that is not finite, is the start", () => {
    expect(of({ after: before })).toEqual([1, 2, 3]);
    expect(of({ after: Float32Array.of(Number.NaN, 0, 0) })).toEqual([1, 2, 3]);
    expect(of({ after: Float32Array.of(Number.POSITIVE_INFINITY, 0, 0) })).toEqual([1, 2, 3]);
  });
  test("of any two data sets differs by at most twice the clip, and its noise is measured against that", () => {
    const there = of({ after: Float32Array.of(1e6, 0.5, 0.5), clip: 2 });
    const back = of({ after: Float32Array.of(-1e6, 0.5, 0.5), clip: 2 });
    expect(there[0]! - back[0]!).toBeCloseTo(4, 12);
    expect(updateMechanism({ noise: 3 })).toEqual({ noise: 1.5, rate: 1 });
  });
  test("has noise of the asked deviation on every value, whatever the change", () => {
    const zeros = new Float32Array(20_000);
    const deviation = (change: Float32Array): number => {
      const values = privateUpdate({
        start: zeros,
        before: zeros,
        after: change,
        clip: 0.5,
        noise: 4,
        random: seeded(3),
      });
      return Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length);
    };
    expect(deviation(zeros)).toBeCloseTo(2, 1);
    expect(deviation(zeros.map(() => 7))).toBeCloseTo(2, 1);
  });
});

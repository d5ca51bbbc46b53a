import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { accumulateFisher, FISHER_WEIGHT_MAX, fisherWeights } from "./fisher.ts";

const gradients = fc.array(fc.array(fc.double({ min: -10, max: 10, noNaN: true }), { minLength: 5, maxLength: 5 }), {
  minLength: 1,
  maxLength: 8,
});

describe("Fisher information", () => {
  it("is the mean of squared gradients, each step back counting less by the decay", () => {
    fc.assert(
      fc.property(gradients, fc.constantFrom(0, 0.5, 0.9), (steps, decay) => {
        const fisher = new Float32Array(5);
        for (const g of steps) accumulateFisher(fisher, Float32Array.from(g), decay);
        const last = steps.length - 1;
        const expected = Array.from({ length: 5 }, (_, i) =>
          steps.reduce((sum, g, t) => sum + (1 - decay) * decay ** (last - t) * Math.fround(g[i]!) ** 2, 0),
        );
        for (const [i, f] of fisher.entries()) expect(Math.abs(f - expected[i]!)).toBeLessThan(1e-4);
      }),
    );
  });

  it("weighs by it, 1 on average, whatever its scale", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.1, max: 10, noNaN: true }), { minLength: 2, maxLength: 20 }),
        (values) => {
          const weights = fisherWeights(Float32Array.from(values));
          expect(Math.abs(weights.reduce((a, b) => a + b, 0) / values.length - 1)).toBeLessThan(1e-5);
          const scaled = fisherWeights(Float32Array.from(values, (x) => 1e-6 * x));
          for (const [i, w] of weights.entries()) expect(Math.abs(w - scaled[i]!)).toBeLessThan(1e-4 * w);
        },
      ),
    );
  });

  it("lets no value hold itself alone, and holds all alike where nothing is known", () => {
    const one = new Float32Array(1000).fill(1e-9);
    one[3] = 1;
    expect(Math.max(...fisherWeights(one))).toBe(FISHER_WEIGHT_MAX);
    for (const empty of [
      new Float32Array(3),
      Float32Array.of(1, Number.POSITIVE_INFINITY),
      Float32Array.of(Number.NaN),
    ]) {
      expect([...fisherWeights(empty)]).toEqual(Array(empty.length).fill(1));
    }
  });
});

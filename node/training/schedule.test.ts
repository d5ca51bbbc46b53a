import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { learningRateAt } from "./schedule.ts";

const rates = (kind: "constant" | "linear" | "cosine", warmupSteps: number, total: number, steps = total): number[] =>
  Array.from({ length: steps }, (_, step) =>
    learningRateAt(step, { learningRate: 8, schedule: { kind, warmupSteps } }, total),
  );

describe("the learning rate", () => {
  it.each([
    { name: "constant", expected: rates("constant", 0, 4), by: [8, 8, 8, 8] },
    { name: "constant after a warm-up", expected: rates("constant", 4, 6), by: [2, 4, 6, 8, 8, 8] },
    { name: "linear", expected: rates("linear", 0, 4), by: [8, 6, 4, 2] },
    { name: "linear after a warm-up", expected: rates("linear", 2, 6), by: [4, 8, 8, 6, 4, 2] },
    { name: "linear past the end", expected: rates("linear", 0, 2, 5), by: [8, 4, 0, 0, 0] },
    { name: "a warm-up longer than the run", expected: rates("cosine", 8, 4), by: [1, 2, 3, 4] },
  ])("$name", ({ expected, by }) => {
    expect(expected).toEqual(by);
  });

  it("of the cosine is half in the middle, 0 at the end, and even around the middle", () => {
    const all = rates("cosine", 0, 8, 9);
    expect(all[0]).toBe(8);
    expect(all[4]).toBeCloseTo(4, 12);
    expect(all[8]).toBeCloseTo(0, 12);
    for (let i = 0; i <= 8; i++) expect(all[i]! + all[8 - i]!).toBeCloseTo(8, 12);
  });

  it("is the setting itself without a schedule", () => {
    expect(learningRateAt(99, { learningRate: 0.3 }, 10)).toBe(0.3);
  });

  it("never leaves 0 to the full rate, rises in the warm-up and never rises after it", () => {
    const settings = fc.record({
      kind: fc.constantFrom("constant" as const, "linear" as const, "cosine" as const),
      warmupSteps: fc.integer({ min: 0, max: 20 }),
      total: fc.integer({ min: 1, max: 40 }),
    });
    fc.assert(
      fc.property(settings, ({ kind, warmupSteps, total }) => {
        const all = rates(kind, warmupSteps, total, 50);
        for (const [step, rate] of all.entries()) {
          expect(rate).toBeGreaterThanOrEqual(0);
          expect(rate).toBeLessThanOrEqual(8);
          if (step > 0 && step < warmupSteps) expect(rate).toBeGreaterThan(all[step - 1]!);
          if (step > warmupSteps) expect(rate).toBeLessThanOrEqual(all[step - 1]!);
        }
      }),
    );
  });
});

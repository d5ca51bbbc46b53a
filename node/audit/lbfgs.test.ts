import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { lbfgs, type Sloped } from "./lbfgs.ts";

/** (1 - x)² + 100 (y - x²)², whose valley plain descent hardly gets through; its minimum is at (1, 1). */
async function rosenbrock([x = 0, y = 0]: Float32Array): Promise<Sloped> {
  const value = (1 - x) ** 2 + 100 * (y - x * x) ** 2;
  return { value, slope: Float32Array.of(-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)) };
}

describe("L-BFGS", () => {
  test("comes through a curved valley to its minimum", async () => {
    const found = await lbfgs(rosenbrock, Float32Array.of(-1.2, 1), { steps: 60 });
    expect(found[0]).toBeCloseTo(1, 2);
    expect(found[1]).toBeCloseTo(1, 2);
  });

  test("takes as many steps as it may, and never goes up", async () => {
    const values: number[] = [];
    for (const steps of [0, 1, 2, 5, 10]) {
      values.push((await rosenbrock(await lbfgs(rosenbrock, Float32Array.of(-1.2, 1), { steps }))).value);
    }
    expect(values[0]).toBeCloseTo(24.2, 1);
    for (const [i, value] of values.slice(1).entries()) expect(value).toBeLessThan(values[i]!);
  });

  test("finds the minimum of any bowl", async () => {
    const bowl = fc.array(fc.record({ at: fc.integer({ min: -9, max: 9 }), steep: fc.integer({ min: 1, max: 50 }) }), {
      minLength: 1,
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(bowl, async (sides) => {
        const of = async (x: Float32Array): Promise<Sloped> => ({
          value: sides.reduce((sum, { at, steep }, i) => sum + (steep / 2) * (x[i]! - at) ** 2, 0),
          slope: Float32Array.from(sides, ({ at, steep }, i) => steep * (x[i]! - at)),
        });
        const found = await lbfgs(of, new Float32Array(sides.length), { steps: 40 });
        for (const [i, { at }] of sides.entries()) expect(found[i]).toBeCloseTo(at, 1);
      }),
      { numRuns: 30 },
    );
  });

  test("stays where every step leads to what is no number", async () => {
    const of = async (x: Float32Array): Promise<Sloped> => ({
      value: x[0] === 0 ? 1 : Number.NaN,
      slope: Float32Array.of(1),
    });
    expect(await lbfgs(of, new Float32Array(1), { steps: 5 })).toEqual(new Float32Array(1));
  });
});

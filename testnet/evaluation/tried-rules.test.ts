import { describe, expect, it } from "vitest";
import { distance, meanOfAdapters, nesterovStep, normRestored, tiesMerged, towards } from "./tried-rules.ts";

const vector = (...values: readonly number[]): Float32Array => Float32Array.from(values);
const start = vector(1, 1, 1, 1);

describe("ways that were tried", () => {
  it("TIES keeps the large changes that have the sign of most", () => {
    const adapters = [vector(3, 1.1, 0, 1), vector(2, 1.1, 3, 1)];
    // With half of the values kept the changes are (2, 0, -1, 0) and (1, 0, 2, 0).
    expect([...tiesMerged(adapters, start, 0.5)]).toEqual([2.5, 1, 3, 1]);
  });

  it("a mean is as long as what it is of, where its norm is restored", () => {
    const adapters = [vector(4, 1, 1, 1), vector(1, 5, 1, 1)];
    expect(distance(meanOfAdapters(adapters), start)).toBeCloseTo(2.5, 6);
    const restored = normRestored(adapters, start);
    expect(distance(restored, start)).toBeCloseTo(3.5, 6);
    expect([restored[2], restored[3]]).toEqual([1, 1]);
    expect([...normRestored([start, start], start)]).toEqual([...start]);
  });

  it("Nesterov's step goes on where the mean went before", () => {
    const [before, mean] = [vector(0, 0), vector(1, -2)];
    const first = nesterovStep(before, mean, vector(0, 0));
    // Δ = (-1, 2), v = Δ: x = -0.7 (Δ + 0.9 Δ).
    expect(first.next[0]).toBeCloseTo(1.33, 6);
    expect(first.next[1]).toBeCloseTo(-2.66, 6);
    const second = nesterovStep(before, before, first.velocity);
    expect(second.next[0]).toBeCloseTo(0.7 * 0.81, 6);
  });

  it("weights of a mean count, and λ goes from one to the other", () => {
    expect([...meanOfAdapters([vector(0), vector(4)], [3, 1])]).toEqual([1]);
    expect([0, 0.25, 1].map((lambda) => towards(vector(2), vector(6), lambda)[0])).toEqual([2, 3, 6]);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { neighbourSample } from "./neighbour-sample.ts";

const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `peer-${i}`);
const sampled = (authors: readonly string[], options: { round: number; count: number; self?: string }): string[] => {
  const sample = neighbourSample({ seed: 7, self: "me", ...options });
  return authors.filter((author) => sample.has(author, authors));
};

describe("neighbourSample", () => {
  it("has exactly k of n, and all of fewer", () => {
    fc.assert(
      fc.property(fc.nat(30), fc.integer({ min: 1, max: 12 }), fc.nat(99), (n, count, round) => {
        expect(sampled(names(n), { round, count })).toHaveLength(Math.min(n, count));
      }),
    );
  });

  it("is the same whatever the order in which authors are known, and another for another round or peer", () => {
    const authors = names(40);
    const first = sampled(authors, { round: 3, count: 8 });
    expect(sampled(authors.toReversed(), { round: 3, count: 8 }).toReversed()).toEqual(first);
    expect(sampled(authors, { round: 4, count: 8 })).not.toEqual(first);
    expect(sampled(authors, { round: 3, count: 8, self: "you" })).not.toEqual(first);
  });

  it("moves at most one out for each author that becomes known", () => {
    const before = sampled(names(39), { round: 3, count: 8 });
    const after = sampled(names(40), { round: 3, count: 8 });
    expect(before.filter((author) => !after.includes(author)).length).toBeLessThanOrEqual(1);
    expect(after.filter((author) => !before.includes(author) && author !== "peer-39")).toEqual([]);
  });

  it("takes everybody equally often", () => {
    const authors = names(10);
    const counts = new Map<string, number>();
    for (let round = 0; round < 1000; round++) {
      for (const author of sampled(authors, { round, count: 3 })) counts.set(author, (counts.get(author) ?? 0) + 1);
    }
    // 300 expected, standard deviation √(1000 · 0.3 · 0.7) = 14.5; five of them.
    for (const author of authors) expect(Math.abs(counts.get(author)! - 300), author).toBeLessThan(73);
  });

  it("draws what the specification says", () => {
    // 3.4: the stream 7/neighbour-sample/3/me/A.
    expect(sampled(names(12), { round: 3, count: 4 })).toMatchInlineSnapshot(`
      [
        "peer-0",
        "peer-1",
        "peer-5",
        "peer-11",
      ]
    `);
  });
});

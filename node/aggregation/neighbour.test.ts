import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ageOf, type NeighbourUpdate, selectNeighbours, stalenessWeight } from "./neighbour.ts";

const update = (peer: string, round = 5): NeighbourUpdate => ({
  peer,
  round,
  theta: Float32Array.of(1),
  sampleCount: 10,
});
const select = (neighbours: readonly NeighbourUpdate[], ageMax = 3): string[] =>
  selectNeighbours({ self: "me", neighbours, round: 5, ageMax }).map(({ peer }) => peer);

describe("selectNeighbours", () => {
  it("sorts by code units, not by locale", () => {
    expect(select([update("b"), update("a"), update("B"), update("ä"), update("10"), update("9")])).toEqual([
      "10",
      "9",
      "B",
      "a",
      "b",
      "ä",
    ]);
  });

  it("gives the same sequence whatever the order of arrival", () => {
    const ids = fc.uniqueArray(
      fc.string({ minLength: 1 }).filter((id) => id !== "me"),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(ids, (peers) => {
        expect(select(peers.map((peer) => update(peer)))).toEqual(select(peers.toReversed().map((p) => update(p))));
      }),
    );
  });

  it("keeps an update of exactly the greatest age and leaves out the next older", () => {
    expect(select([update("a", 2), update("b", 1), update("c", 9)])).toEqual(["a", "c"]);
  });

  it("refuses the peer's own update, even one too old to count", () => {
    expect(() => select([update("a"), update("me")])).toThrow("me itself must not enter");
    expect(() => select([update("me", 0)])).toThrow(RangeError);
  });

  it("refuses two updates of one peer", () => {
    expect(() => select([update("a", 4), update("b"), update("a", 5)])).toThrow("two updates of a");
  });
});

it("weighs by age: fresh 1, and (age + 1)^-a after; peers that are ahead are fresh", () => {
  expect(stalenessWeight(0, 0.5)).toBe(1);
  expect(stalenessWeight(3, 0.5)).toBeCloseTo(0.5, 15);
  expect(stalenessWeight(4, 0)).toBe(1);
  expect(stalenessWeight(1, 2)).toBe(0.25);
  expect(ageOf(update("a", 3), 5)).toBe(2);
  expect(ageOf(update("a", 7), 5)).toBe(0);
});

import { describe, expect, it } from "vitest";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import { aggregateNeighbours } from "./all-but-me.ts";
import type { OwnRule, OwnRuleInput } from "./own-rule.ts";

const neighbours = [
  { peer: "c", round: 2, theta: Float32Array.of(4, 8, 0), sampleCount: 1 },
  { peer: "b", round: 1, theta: Float32Array.of(1, 2, 3), sampleCount: 1 },
  { peer: "d", round: 2, theta: Float32Array.of(Number.NaN, 0, 0), sampleCount: 1 },
];

const aggregateBy = (aggregate: (input: OwnRuleInput) => unknown) =>
  aggregateNeighbours({
    kind: "lora",
    slots: adapterSlots([{ name: "t", shape: [3] }]),
    own: { peer: "a", theta: Float32Array.of(0, 0, 1) },
    neighbours,
    // Of the network: too few neighbours for it, which is said only where it decides.
    settings: { rule: "krum", faulty: 1, scope: "global", ageMax: 4, stalenessExponent: 1 },
    round: 2,
    ownRule: { name: "mine", aggregate } as OwnRule,
  });

describe("a rule of a program's own", () => {
  it("is given the admitted adapters in order of their peers, with weights and ages, and its result is the aggregate", () => {
    const seen: OwnRuleInput[] = [];
    const { z, peers, refused, fallback } = aggregateBy((input) => {
      seen.push(input);
      return input.updates[1]!.values;
    });
    expect(seen.map(({ updates, own, round }) => ({ updates, own, round }))).toEqual([
      {
        updates: [
          { peer: "b", values: Float32Array.of(1, 2, 3), weight: expect.closeTo(1 / 3), age: 1 },
          { peer: "c", values: Float32Array.of(4, 8, 0), weight: expect.closeTo(2 / 3), age: 0 },
        ],
        own: Float32Array.of(0, 0, 1),
        round: 2,
      },
    ]);
    expect(z).toEqual(Float32Array.of(4, 8, 0));
    expect(peers).toEqual(["b", "c"]);
    expect(refused).toEqual([{ peer: "d", reason: "not-finite" }]);
    expect(fallback).toBeUndefined();
  });

  it("changes nothing where its result is not finite", () => {
    const { z, peers, spoilt } = aggregateBy(() => Float32Array.of(0, Number.POSITIVE_INFINITY, 0));
    expect({ z, peers, spoilt }).toEqual({ z: Float32Array.of(0, 0, 1), peers: [], spoilt: "not-finite" });
  });

  it.each([
    ["a vector of another length", () => Float32Array.of(1), /"mine" returned 1 values where an adapter has 3/],
    ["no vector", () => [1, 2, 3], /"mine" returned object where an adapter has 3 values/],
    ["nothing", () => undefined, /"mine" returned undefined/],
  ])("is refused for %s", (_, aggregate, message) => {
    expect(() => aggregateBy(aggregate)).toThrow(message);
    expect(() => aggregateBy(aggregate)).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
  });

  it("names itself where it fails", () => {
    const fails = () => {
      throw new Error("out of luck");
    };
    expect(() => aggregateBy(fails)).toThrow('the aggregation rule "mine" failed: out of luck');
  });
});

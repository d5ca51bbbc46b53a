import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import type { RuleSettings } from "../../protocol/network-manifest.ts";
import { type Aggregate, aggregateNeighbours } from "./all-but-me.ts";
import { difference, functionDistance, randomAdapter, rotated, rotationError, SLOTS } from "./loreft.suite.ts";
import type { NeighbourUpdate } from "./neighbour.ts";
import { agedWeights, cloud, distance, nameOf, ROBUST_RULES, slowly } from "./rules.suite.ts";

const ROUND = 5;
const SCOPES = ["tensor", "global"] as const;
const RULES = ROBUST_RULES.flatMap((settings) => [settings, { ...settings, normClip: true as const }]);
const update = (peer: string, theta: Float32Array, age = 0): NeighbourUpdate => ({
  peer,
  round: ROUND - age,
  theta,
  sampleCount: 1,
});
const bits = (theta: Float32Array): number[] => Array.from(new Uint32Array(theta.buffer.slice(0)));

/** LoReFT adapters around the random adapter 1. */
const aggregate = (
  neighbours: readonly NeighbourUpdate[],
  settings: RuleSettings,
  scope: (typeof SCOPES)[number] = "tensor",
): Aggregate =>
  aggregateNeighbours({
    kind: "loreft",
    slots: SLOTS,
    own: { peer: "me", theta: randomAdapter(1) },
    neighbours,
    settings: { ...settings, scope, stalenessExponent: 0.5, ageMax: 3 },
    round: ROUND,
  });

describe.each(RULES.map((settings) => [nameOf(settings), settings] as const))("%s of adapters", (_, settings) => {
  const neighbours = [2, 3, 4, 5, 6, 7, 8].map((seed, j) => update(`p${j}`, randomAdapter(seed), j % 3));

  it("has the same bits whatever the order of arrival, and orthonormal rotations", () => {
    for (const scope of SCOPES) {
      const expected = aggregate(neighbours, settings, scope);
      expect(expected.fallback).toBeUndefined();
      expect(rotationError(expected.z)).toBeLessThan(1e-6);
      fc.assert(
        fc.property(fc.shuffledSubarray(neighbours, { minLength: neighbours.length }), (order) => {
          expect(bits(aggregate(order, settings, scope).z)).toEqual(bits(expected.z));
        }),
        { numRuns: 3 },
      );
    }
  });

  it("of rotated copies of one adapter is that adapter, as a function", () => {
    // The centre of clipped gossip is the own adapter; from that of the copies every clip leads to it.
    const one = settings.rule === "clipped-gossip" ? randomAdapter(1) : randomAdapter(9);
    const copies = neighbours.map(({ peer }, j) => update(peer, rotated(one, 20 + j)));
    expect(functionDistance(aggregate(copies, settings).z, one)).toBeLessThan(1e-4);
  });

  it("is the rule of every tensor, or of the whole vector", () => {
    const slots = adapterSlots([
      { name: "a", shape: [3] },
      { name: "b", shape: [2, 2] },
    ]);
    const [own, ...points] = cloud(11, 8, 7).map((point) => Float32Array.from(point));
    const ages = agedWeights(11, 7).map((weight) => Math.round(weight ** -2) - 1);
    const input = {
      kind: "lora" as const,
      slots,
      own: { peer: "me", theta: own! },
      neighbours: points.map((theta, j) => update(`p${j}`, theta, ages[j]!)),
      round: ROUND,
    };
    const part = ([from, to]: readonly [number, number]): number[] =>
      slowly(settings, {
        points: points.map((point) => [...point.slice(from, to)]),
        weights: ages.map((age) => (age + 1) ** -0.5),
        own: [...own!.slice(from, to)],
      });
    const z = (scope: (typeof SCOPES)[number]): Float32Array =>
      aggregateNeighbours({ ...input, settings: { ...settings, scope, stalenessExponent: 0.5, ageMax: 3 } }).z;
    expect(distance(z("global"), part([0, 7]))).toBeLessThan(1e-6);
    // It looks at whole adapters, so that the tensors of one neighbour stand or fall together; see vetted-mean.test.ts.
    if (settings.rule === "vetted-mean") return;
    expect(distance(z("tensor"), [...part([0, 3]), ...part([3, 7])])).toBeLessThan(1e-6);
  });
});

describe("too few neighbours", () => {
  const krum = { rule: "krum", faulty: 1 } as const;
  const four = [2, 3, 4, 5].map((seed, j) => update(`p${j}`, randomAdapter(seed)));

  it("are counted after refusals, and what stood in is named and taken", () => {
    const broken = update("p9", randomAdapter(6).fill(Number.NaN, 0, 1));
    const old = update("p8", randomAdapter(6), 4);
    const result = aggregate([...four, broken, old], krum);
    expect(result.fallback).toEqual({ rule: "geometric-median", neighboursMin: 5 });
    expect(result.z).toEqual(aggregate(four, { rule: "geometric-median" }).z);
    expect(aggregate([...four, update("p9", randomAdapter(6))], krum).fallback).toBeUndefined();
  });

  it("of two give their mean, of none the own adapter without a word", () => {
    const two = aggregate(four.slice(0, 2), krum);
    expect(two).toMatchObject({ fallback: { rule: "mean", neighboursMin: 5 }, degenerate: false });
    expect(difference(two.z, aggregate(four.slice(0, 2), { rule: "mean" }).z)).toBe(0);
    expect(aggregate([], krum)).toMatchObject({ fallback: undefined, peers: [] });
  });

  it("still have their norms clipped", () => {
    const clipped = { ...krum, normClip: true } as const;
    const liar = update("p9", randomAdapter(6).fill(1e6, SLOTS.at(-1)!.offset));
    const head = (z: Float32Array): number => Math.max(...z.subarray(SLOTS.at(-1)!.offset).map(Math.abs));
    expect(head(aggregate([four[0]!, liar], krum).z)).toBeGreaterThan(1e5);
    expect(head(aggregate([four[0]!, liar], clipped).z)).toBeLessThan(100);
  });
});

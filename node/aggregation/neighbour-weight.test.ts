import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import { createPrng } from "../../protocol/prng.ts";
import { aggregateNeighbours } from "./all-but-me.ts";
import type { NeighbourUpdate } from "./neighbour.ts";
import { metropolisWeight, neighbourWeights } from "./neighbour-weight.ts";
import { coreSimilarity } from "./similarity.ts";

/** A peer's own adapter, of which these weights need nothing. */
const OWN = Float32Array.of(0);
const update = (peer: string, rest: Partial<NeighbourUpdate> = {}): NeighbourUpdate => ({
  peer,
  round: 5,
  theta: Float32Array.of(1),
  sampleCount: 10,
  ...rest,
});

/** Symmetric, without self-loops: who is connected to whom. */
const topologies = fc.tuple(fc.integer({ min: 2, max: 9 }), fc.integer({ min: 1, max: 1_000_000 })).map(([n, seed]) => {
  const prng = createPrng(seed);
  const linked = Array.from({ length: n }, () => new Set<number>());
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      if (prng.uniform() > 0.5) continue;
      linked[i]!.add(j);
      linked[j]!.add(i);
    }
  }
  return linked;
});

describe("metropolis", () => {
  const settings = { weights: { kind: "metropolis" }, stalenessExponent: 0.5 } as const;

  it("makes a doubly stochastic matrix on any topology", () => {
    fc.assert(
      fc.property(topologies, (linked) => {
        const W = linked.map((mine, i) => {
          const others = [...mine].sort((a, b) => a - b);
          const row = linked.map(() => 0);
          if (others.length > 0) {
            const { weights, mass } = neighbourWeights(settings, {
              slots: [],
              own: { theta: OWN, neighbours: mine.size },
              neighbours: others.map((j) => update(`p${j}`, { neighbours: linked[j]!.size })),
              round: 5,
            });
            for (const [k, j] of others.entries()) row[j] = weights[k]!;
            row[i] = 1 - mass;
          } else row[i] = 1;
          return row;
        });
        for (const [i, row] of W.entries()) {
          expect(row.every((w) => w >= 0)).toBe(true);
          expect(row[i]).toBeGreaterThan(0);
          expect(row.reduce((s, w) => s + w, 0)).toBeCloseTo(1, 12);
          expect(W.reduce((s, other) => s + other[i]!, 0)).toBeCloseTo(1, 12);
          for (const [j, w] of row.entries()) expect(w).toBe(W[j]![i]);
        }
      }),
    );
  });

  it("keeps the mean over all peers, step by step, until all agree", () => {
    fc.assert(
      fc.property(topologies, fc.integer({ min: 1, max: 1000 }), (linked, seed) => {
        const prng = createPrng(seed);
        const slots = adapterSlots([{ name: "x.C", shape: [3] }]);
        let thetas: Float32Array[] = linked.map(() => Float32Array.from({ length: 3 }, () => prng.normal()));
        const meanOf = (): number[] => [0, 1, 2].map((k) => thetas.reduce((s, t) => s + t[k]!, 0) / thetas.length);
        const before = meanOf();
        for (let round = 0; round < 3; round++) {
          thetas = thetas.map((theta, i) => {
            const neighbours = [...linked[i]!].map((j) =>
              update(`p${j}`, { round, theta: thetas[j]!, neighbours: linked[j]!.size }),
            );
            return aggregateNeighbours({
              kind: "tri-lora",
              slots,
              own: { peer: `p${i}`, theta, neighbours: linked[i]!.size },
              neighbours,
              settings: { ...settings, rule: "mean", scope: "tensor", ageMax: 8 },
              round,
            }).z;
          });
          for (const [k, x] of meanOf().entries()) expect(Math.abs(x - before[k]!)).toBeLessThan(1e-5);
        }
      }),
      { numRuns: 30 },
    );
  });

  it("gives a liar no more than an honest neighbour could have, and never more than the whole", () => {
    const of = (neighbours: number | undefined): number =>
      neighbourWeights(settings, {
        slots: [],
        own: { theta: OWN, neighbours: 4 },
        neighbours: [update("liar", { neighbours }), update("b", { neighbours: 4 })],
        round: 5,
      }).weights[0]!;
    expect(of(0)).toBe(1 / 5);
    expect(of(undefined)).toBe(1 / 5);
    expect(of(1023)).toBe(1 / 1024);
    const many = Array.from({ length: 20 }, (_, j) => update(`p${j}`, { neighbours: 0 }));
    const { mass } = neighbourWeights(settings, {
      slots: [],
      own: { theta: OWN, neighbours: 1 },
      neighbours: many,
      round: 5,
    });
    expect(mass).toBeCloseTo(20 / 21, 12);
  });

  it("gives what an old update loses to the peer itself", () => {
    const { weights, mass } = neighbourWeights(settings, {
      slots: [],
      own: { theta: OWN, neighbours: 2 },
      neighbours: [update("a", { neighbours: 2, round: 2 }), update("b", { neighbours: 2 })],
      round: 5,
    });
    expect(weights).toEqual([1 / 6, 1 / 3]);
    expect(mass).toBeCloseTo(1 / 2, 12);
  });

  it("does not depend on who asks", () => {
    fc.assert(fc.property(fc.nat(2000), fc.nat(2000), (a, b) => metropolisWeight(a, b) === metropolisWeight(b, a)));
  });
});

describe("samples", () => {
  it("weighs by the examples claimed and by age, and leaves nothing to the peer itself", () => {
    const weighed = neighbourWeights(
      { weights: { kind: "samples" }, stalenessExponent: 1 },
      {
        slots: [],
        own: { theta: OWN },
        neighbours: [update("a", { sampleCount: 30 }), update("b", { round: 4 }), update("c", { sampleCount: 0 })],
        round: 5,
      },
    );
    expect(weighed).toEqual({ weights: [30, 5, 1], mass: 1 });
  });

  it("is the mean over all examples", () => {
    const { z } = aggregateNeighbours({
      kind: "lora",
      slots: adapterSlots([{ name: "x", shape: [1] }]),
      own: { peer: "me", theta: Float32Array.of(100) },
      neighbours: [
        update("a", { theta: Float32Array.of(2), sampleCount: 30 }),
        update("b", { theta: Float32Array.of(6) }),
      ],
      settings: { rule: "mean", weights: { kind: "samples" }, scope: "tensor", stalenessExponent: 0.5, ageMax: 8 },
      round: 5,
    });
    expect(z).toEqual(Float32Array.of(3));
  });
});

it("without a word every fresh neighbour weighs the same", () => {
  const neighbours = [update("a", { sampleCount: 30, neighbours: 9 }), update("b", { round: 2 })];
  expect(
    neighbourWeights({ stalenessExponent: 0.5 }, { slots: [], own: { theta: OWN }, neighbours, round: 5 }),
  ).toEqual({
    weights: [1, 0.5],
    mass: 1,
  });
});

describe("score", () => {
  const weighed = (gains: readonly (number | undefined)[], { temperature = 0.1, ages = [] as number[] } = {}) =>
    neighbourWeights(
      { weights: { kind: "score", temperature }, stalenessExponent: 1 },
      {
        slots: [],
        own: { theta: OWN },
        neighbours: gains.map((gain, j) => update(`p${j}`, { gain, round: 5 - (ages[j] ?? 0) })),
        round: 5,
      },
    );
  const gain = fc.option(fc.double({ min: -3, max: 3, noNaN: true }), { nil: undefined });

  it("is the softmax with the peer itself, written out", () => {
    fc.assert(
      fc.property(fc.array(gain, { minLength: 1, maxLength: 9 }), (gains) => {
        const { weights, mass } = weighed(gains, { temperature: 0.5 });
        // The slow oracle: every term by itself, in the order of the equation.
        let least = 0;
        for (const g of gains) if (g !== undefined && g < least) least = g;
        const powers = gains.map((g) => Math.exp((g ?? least) / 0.5));
        let sum = 1;
        for (const power of powers) sum += power;
        for (const [j, weight] of weights.entries()) expect(weight).toBeCloseTo(powers[j]! / sum, 12);
        expect(mass).toBeCloseTo(1 - 1 / sum, 12);
      }),
    );
  });

  it("gives more to who helps more, and to a stranger no more than to anybody", () => {
    fc.assert(
      fc.property(fc.array(gain, { minLength: 2, maxLength: 9 }), (gains) => {
        const { weights, mass } = weighed(gains);
        expect(weights.every((weight) => weight > 0)).toBe(true);
        expect(mass).toBeLessThan(1);
        const stranger = gains.indexOf(undefined);
        for (const [j, g] of gains.entries()) {
          if (stranger >= 0) expect(weights[stranger]).toBeLessThanOrEqual(weights[j]! * (1 + 1e-12));
          for (const [k, other] of gains.entries()) {
            if (g !== undefined && other !== undefined && g > other)
              expect(weights[j]).toBeGreaterThanOrEqual(weights[k]!);
          }
        }
      }),
    );
  });

  it("leaves the mix to the peer itself where everybody harms, and little of it where all help", () => {
    expect(weighed([-2, -2, -20]).mass).toBeLessThan(1e-6);
    expect(weighed([2, 2, 2]).mass).toBeGreaterThan(0.999);
    expect(weighed([0, 0, 0], { temperature: 1 }).mass).toBeCloseTo(3 / 4, 12);
    const { weights } = weighed([1, 1, -20]);
    expect(weights[2]! / weights[0]!).toBeLessThan(1e-12);
    expect(weighed([1, 1], { ages: [0, 3] }).weights[1]! / weighed([1, 1]).weights[1]!).toBeCloseTo(1 / 4, 12);
  });
});

describe("similarity with data sets", () => {
  const slots = adapterSlots([{ name: "x.C", shape: [2, 2] }]);
  const own = { theta: Float32Array.of(1, 0, 0, 1) };
  const alike = (dataSimilarity?: number) => update("p", { theta: own.theta, dataSimilarity });
  const ratio = (neighbours: readonly NeighbourUpdate[], data?: { share: number; temperature: number }): number => {
    const weights = { kind: "similarity", temperature: 0.5, ...(data && { data }) } as const;
    const [a, b] = neighbourWeights({ weights, stalenessExponent: 0 }, { own, neighbours, slots, round: 5 }).weights;
    return a! / b!;
  };

  it("is the softmax of share S_data + (1 - share) S_model, and of S_model where a sketch is missing", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        (s, share) => {
          const data = { share, temperature: 1 };
          // Equal cores: S_model is 1 for both.
          expect(ratio([alike(s), alike(1)], data)).toBeCloseTo(Math.exp((share * (s - 1)) / 0.5), 9);
          expect(ratio([alike(s), alike(undefined)], data)).toBeCloseTo(Math.exp((share * (s - 1)) / 0.5), 9);
        },
      ),
    );
  });

  it("looks at no data set where the network does not", () => {
    expect(ratio([alike(0), alike(1)])).toBe(1);
  });
});

describe("similarity with the peer itself", () => {
  const slots = adapterSlots([{ name: "x.C", shape: [3, 3] }]);
  const settings = { weights: { kind: "similarity", temperature: 0.1, self: true }, stalenessExponent: 0 } as const;
  const cores = fc.integer({ min: 1, max: 1_000_000 }).map((seed) =>
    Float32Array.from(
      { length: 9 },
      (
        (prng) => () =>
          prng.normal()
      )(createPrng(seed)),
    ),
  );
  /** Cores whose centred columns are orthogonal to those of each other, so that no two are alike. */
  const UNLIKE = [
    Float32Array.of(1, 1, 1, -1, -1, -1, 0, 0, 0),
    Float32Array.of(1, 1, 1, 1, 1, 1, -2, -2, -2),
  ] as const;

  it("is the softmax over itself and the others, of mass 1 in all", () => {
    fc.assert(
      fc.property(cores, fc.array(cores, { minLength: 1, maxLength: 6 }), (own, others) => {
        const neighbours = others.map((theta, j) => update(`p${j}`, { theta }));
        const { weights, mass } = neighbourWeights(settings, { own: { theta: own }, neighbours, slots, round: 5 });
        const powers = others.map((theta) => Math.exp((coreSimilarity(own, theta, slots) - 1) / 0.1));
        const total = 1 + powers.reduce((sum, power) => sum + power, 0);
        for (const [j, weight] of weights.entries()) expect(weight).toBeCloseTo(powers[j]! / total, 12);
        expect(mass).toBeGreaterThan(0);
        expect(mass + 1 / total).toBeCloseTo(1, 12);
        // Nobody is more alike to a peer than it is to itself.
        expect(1 - mass).toBeGreaterThanOrEqual(Math.max(...weights) - 1e-12);
      }),
    );
  });

  it("divides the mix as it did among the others, and by the mean gives the sum over all", () => {
    fc.assert(
      fc.property(cores, fc.array(cores, { minLength: 1, maxLength: 6 }), (own, others) => {
        const neighbours = others.map((theta, j) => update(`p${j}`, { theta }));
        const { weights, mass } = neighbourWeights(settings, { own: { theta: own }, neighbours, slots, round: 5 });
        const without = { ...settings, weights: { kind: "similarity", temperature: 0.1 } } as const;
        const before = neighbourWeights(without, { own: { theta: own }, neighbours, slots, round: 5 });
        expect(before.mass).toBe(1);
        for (const [j, weight] of weights.entries()) expect(weight / mass).toBeCloseTo(before.weights[j]!, 9);
        const { z } = aggregateNeighbours({
          ...{ kind: "tri-lora", slots, own: { peer: "me", theta: own }, neighbours, round: 5 },
          settings: { ...settings, rule: "mean", scope: "tensor", ageMax: 8 },
        });
        for (const [i, x] of z.entries()) {
          const sum = others.reduce((s, theta, j) => s + weights[j]! * theta[i]!, (1 - mass) * own[i]!);
          expect(x).toBeCloseTo(sum, 5);
        }
      }),
    );
  });

  it("stays by itself where nobody is alike, and is the mean over all where all are", () => {
    const [own, other] = UNLIKE;
    const unlike = [update("a", { theta: other }), update("b", { theta: other })];
    expect(coreSimilarity(own, other, slots)).toBeCloseTo(0, 12);
    const alone = neighbourWeights(settings, { own: { theta: own }, neighbours: unlike, slots, round: 5 });
    expect(alone.mass).toBeLessThan(1e-4);
    const alike = [update("a", { theta: own }), update("b", { theta: own })];
    const same = neighbourWeights(settings, { own: { theta: own }, neighbours: alike, slots, round: 5 });
    for (const weight of same.weights) expect(weight).toBeCloseTo(1 / 3, 12);
    expect(same.mass).toBeCloseTo(2 / 3, 12);
  });

  it("gives what an old update loses to the peer itself", () => {
    const own = UNLIKE[0];
    const neighbours = [update("a", { theta: own, round: 2 }), update("b", { theta: own })];
    const aged = { ...settings, stalenessExponent: 0.5 };
    const { weights, mass } = neighbourWeights(aged, { own: { theta: own }, neighbours, slots, round: 5 });
    expect(weights[0]).toBeCloseTo(1 / 6, 12);
    expect(mass).toBeCloseTo(1 / 2, 12);
  });
});

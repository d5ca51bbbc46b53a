import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import { createPrng } from "../../protocol/prng.ts";
import { aggregateNeighbours } from "./all-but-me.ts";
import { leaningOf } from "./leaning.ts";
import { squaredDistance } from "./point.ts";
import type { RuleInput, Vetting } from "./rule-definition.ts";
import { cloud, distance, seeds } from "./rules.suite.ts";
import { AGREEMENT, COPY, FAR, VETTED_MEAN, vettedMean, vettedWeights } from "./vetted-mean.ts";

const SIZE = 60;
const HONEST = 7;
const ones = (count: number): number[] => Array.from({ length: count }, () => 1);
const swarm = (seed: number): { own: Float64Array; honest: Float64Array[] } => {
  const [own, ...honest] = cloud(seed, HONEST + 1, SIZE);
  return { own: own!, honest };
};
/** Where the honest peers may have come from: each of their ways is mostly its own, and a part is common. */
const behind = (honest: readonly Float64Array[]): Float64Array =>
  Float64Array.from({ length: SIZE }, (_, i) => honest.reduce((sum, x) => sum + x[i]!, 0) / HONEST - 0.8);
const weigh = (points: readonly Float64Array[], rest: Pick<RuleInput, "own" | "start" | "parts">): number[] => [
  ...vettedWeights({ points, weights: ones(points.length), ...rest }),
];

describe("the vetted mean", () => {
  it("of peers that are apart is their mean, and of one neighbour that neighbour", () => {
    const { own, honest } = swarm(1);
    expect(weigh(honest, { own })).toEqual(ones(HONEST));
    expect(vettedMean({ points: [honest[0]!], weights: [1], own })).toEqual(honest[0]);
  });

  it("counts copies of an honest update, and a crowd of one liar, once", () => {
    const { own, honest } = swarm(2);
    const nearly = honest[0]!.map((x) => x * (1 + 1e-4));
    expect(weigh([...honest, honest[0]!, nearly], { own })).toEqual([1 / 3, ...ones(HONEST - 1), 1 / 3, 1 / 3]);
    const [lie] = cloud(99, 1, SIZE);
    const crowd = Array.from({ length: 20 }, () => lie!.map((x, i) => own[i]! + x / 3));
    const counted = weigh([...honest, ...crowd], { own });
    expect(counted.slice(HONEST).reduce((sum, one) => sum + one, 0)).toBeLessThanOrEqual(1 + 1e-12);
    expect(counted.slice(0, HONEST)).toEqual(ones(HONEST));
  });

  it("gives copies of the own update nothing, and stays with it where there is nothing else", () => {
    const { own, honest } = swarm(3);
    expect(weigh([...honest, own, own.map((x) => x + 1e-4)], { own })).toEqual([...ones(HONEST), 0, 0]);
    const z = vettedMean({ points: [own, own], weights: [1, 1], own });
    expect(z).toEqual(own);
    expect(z).not.toBe(own);
  });

  it("leaves out what is far from most, of two neighbours too", () => {
    const { own, honest } = swarm(4);
    const far = honest[1]!.map((x, i) => own[i]! + 4 * (x - own[i]!));
    expect(weigh([...honest, far], { own })).toEqual([...ones(HONEST), 0]);
    expect(weigh([far, honest[0]!], { own })).toEqual([0, 1]);
  });

  it("leaves out what stands still or goes back, where the others go one way", () => {
    const { own, honest } = swarm(5);
    const start = behind(honest);
    const back = start.map((x, i) => x - 0.1 * (honest[0]![i]! - x));
    const noise = createPrng(5);
    const still = start.map((x) => x + 0.5 * noise.normal());
    const points = [...honest, still, back];
    expect(weigh(points, { own }).slice(HONEST)).toEqual([1, 1]);
    expect(weigh(points, { own, start })).toEqual([...ones(HONEST), 0, 0]);
  });

  it("leaves nobody out for a direction where there is no common one", () => {
    let missing = 0;
    for (let seed = 1; seed <= 40; seed++) {
      // A start in the middle: nobody goes where the others go.
      const prng = createPrng(seed);
      const [own, ...honest] = Array.from({ length: HONEST + 1 }, () =>
        Float64Array.from({ length: SIZE }, () => prng.normal()),
      );
      const counted = weigh(honest, { own: own!, start: new Float64Array(SIZE) });
      missing += counted.filter((one) => one === 0).length;
    }
    // By chance three of a hundred.
    expect(missing).toBeLessThanOrEqual(0.05 * 40 * HONEST);
  });

  it("judges whole adapters, and counts tensors alike whatever their size", () => {
    const { own, honest } = swarm(6);
    const parts = [
      { offset: 0, length: 50 },
      { offset: 50, length: 10 },
    ];
    const grown = (x: number, i: number): number => (i < 50 ? 1000 * x : x);
    // Only the small tensor lies; beside the large one nobody would see it.
    const lie = honest[0]!.map((x, i) => (i < 50 ? x + (i % 2) : x + 40));
    const points = [...honest, lie].map((point) => point.map(grown));
    expect(weigh(points, { own: own.map(grown) }).at(-1)).toBe(1);
    expect(weigh(points, { own: own.map(grown), parts })).toEqual([...ones(HONEST), 0]);
  });

  it("does not divide by a tensor in which most stay where the peer is", () => {
    const { own, honest } = swarm(7);
    const parts = [
      { offset: 0, length: 50 },
      { offset: 50, length: 10 },
    ];
    const same = (x: number, i: number): number => (i < 50 ? x : 1);
    const points = [...honest.map((point) => point.map(same)), honest[0]!.map((x, i) => (i < 50 ? x + 5 : 2))];
    const given = { own: own.map(same), parts, start: new Float64Array(SIZE) };
    expect(weigh(points, given)).toEqual([...ones(HONEST), 0]);
  });
});

describe("whom it counted", () => {
  it("is told with the neighbours in the order of the line on which they spread most, copies once and the own one not among them", () => {
    const { own, honest } = swarm(9);
    const far = honest[1]!.map((x, i) => own[i]! + 4 * (x - own[i]!));
    const points = [...honest, honest[2]!, own, far];
    let told: Vetting | undefined;
    const onVetted = (vetting: Vetting): void => {
      told = vetting;
    };
    vettedMean({ points, weights: ones(points.length), own, onVetted });
    expect([...told!.counted]).toEqual([1, 1, 0.5, 1, 1, 1, 1, 0.5, 0, 0]);
    const places = leaningOf(HONEST, (j, k) => squaredDistance(honest[j]!, honest[k]!));
    const order = Array.from(places.keys()).sort((j, k) => places[j]! - places[k]!);
    expect(told!.order).toEqual(order);
  });

  it("has the weights that they were given, times what they count", () => {
    const { own, honest } = swarm(10);
    const points = [honest[0]!, honest[0]!, honest[1]!];
    const z = vettedMean({ points, weights: [1, 3, 4], own });
    const mean = honest[0]!.map((x, i) => (2 * x + 4 * honest[1]![i]!) / 6);
    for (const [i, x] of z.entries()) expect(x).toBeCloseTo(mean[i]!, 12);
  });

  it("is nobody's where weights and points do not fit each other", () => {
    const { own, honest } = swarm(11);
    for (const [points, weights] of [
      [[honest[0]!], []],
      [[honest[0]!], [1, 1]],
      [[honest[0]!], [0]],
      [[honest[0]!.subarray(1)], [1]],
    ] as const) {
      expect(() => vettedWeights({ points, weights, own })).toThrow(RangeError);
    }
  });

  it("needs one neighbour, and whole adapters", () => {
    expect([VETTED_MEAN.neighboursMin({ name: "vetted-mean" } as never), VETTED_MEAN.looksAtWholes]).toEqual([1, true]);
  });
});

describe("the edges of its looks", () => {
  /** Points as far from each other and from the own one as from nobody else, but for one that is moved outwards. */
  const simplex = (factor: number): number[] => {
    const points = Array.from({ length: 6 }, (_, j) => Float64Array.from({ length: 7 }, (_, i) => (i === j ? 1 : 0)));
    points[5] = points[5]!.map((x) => factor * x);
    return weigh(points, { own: Float64Array.of(0, 0, 0, 0, 0, 0, 1) });
  };

  it("are at a fifth of the typical distance for copies, of the own one too", () => {
    const unit = (at: number, beside = 0): Float64Array =>
      Float64Array.from({ length: 8 }, (_, i) => (i === at ? 1 : i === 7 ? beside : 0));
    const counts = (of: number, beside: number): number | undefined =>
      weigh([...[0, 1, 2, 3, 4].map((at) => unit(at)), unit(of, beside)], { own: unit(5) })[5];
    const edge = COPY * Math.sqrt(2);
    expect([counts(0, edge - 1e-9), counts(0, edge + 1e-9)]).toEqual([0.5, 1]);
    expect([counts(5, edge - 1e-9), counts(5, edge + 1e-9)]).toEqual([0, 1]);
  });

  it("are at 1.4 typical distances for what is far", () => {
    // |f e_j - e_k| = sqrt(1 + f²), of all others sqrt(2).
    const edge = Math.sqrt(2 * FAR ** 2 - 1);
    expect(simplex(edge - 1e-9)).toEqual([1, 1, 1, 1, 1, 1]);
    expect(simplex(edge + 1e-9)).toEqual([1, 1, 1, 1, 1, 0]);
  });

  it("are at 0.6 of the typical agreement for what goes elsewhere, where all others agree alike", () => {
    const start = new Float64Array(8);
    const own = Float64Array.from({ length: 8 }, (_, i) => (i === 0 || i === 7 ? 1 : 0));
    const goes = (along: number): number => {
      const points = Array.from({ length: 6 }, (_, j) =>
        Float64Array.from({ length: 8 }, (_, i) => (i === 7 ? 1 : i === j + 1 ? 1 : 0)),
      );
      points[5] = points[5]!.map((x, i) => (i === 7 ? along : x));
      return weigh(points, { own, start })[5]!;
    };
    // With the others it has along / 1 of what they have with each other.
    expect([goes(AGREEMENT + 1e-9), goes(AGREEMENT - 1e-9)]).toEqual([1, 0]);
  });
});

describe("what stands on an edge is kept, and a copy", () => {
  const at = (...values: number[]): Float64Array => Float64Array.from(values);

  it("at 1.4 typical distances", () => {
    // s is 1 of the own one and of the first, and 1.4 of the second.
    expect(weigh([at(-1), at(FAR)], { own: at(0) })).toEqual([1, 1]);
  });

  it("at a fifth of the typical distance, where it counts once and is tried once", () => {
    expect(weigh([at(-1), at(1), at(COPY)], { own: at(0) })).toEqual([1, 1, 0]);
    let told: Vetting | undefined;
    const points = [at(5), at(6), at(-5)];
    vettedMean({ points, weights: ones(3), own: at(0), onVetted: (vetting) => void (told = vetting) });
    expect([...told!.counted]).toEqual([0.5, 0.5, 1]);
    expect([...told!.order].sort()).toEqual([0, 2]);
  });

  /** Points 4 apart from each other on axes of their own, so far along a common one; the first is the own one. */
  const along = (...ways: number[]): { own: Float64Array; points: Float64Array[] } => {
    const [own, ...points] = ways.map((way, j) =>
      Float64Array.from({ length: ways.length + 1 }, (_, i) => (i === ways.length ? way : i === j ? 4 : 0)),
    );
    return { own: own!, points };
  };

  it("at 0.6 of the typical agreement", () => {
    const { own, points } = along(5, 5, 5, 5, 5, AGREEMENT * 5);
    expect(weigh(points, { own, start: new Float64Array(own.length) })).toEqual(ones(5));
  });

  it("and below it where the others agree no better than by three deviations", () => {
    const { own, points } = along(5, 7, 3.2, 6.5, 2.8, 5.2);
    expect(weigh(points, { own, start: new Float64Array(own.length) })).toEqual(ones(5));
  });

  it("and behind the start where half of the others go nowhere together", () => {
    const [own, ...points] = [0, 1, 2, 3].map((j) => Float64Array.from({ length: 4 }, (_, i) => (i === j ? 1 : 0)));
    points.push(new Float64Array(4).fill(-0.5));
    expect(weigh(points, { own: own!, start: new Float64Array(4) })).toEqual(ones(4));
  });
});

it("has nobody's word halved by a copy of the own adapter beside it", () => {
  const { own, honest } = swarm(12);
  const [first, ...rest] = honest;
  const towards = (share: number): Float64Array => own.map((x, i) => x + share * (first![i]! - x));
  // Between a fifth and two fifths of the way, so that one is a mirror and near the other, which is none.
  expect(weigh([towards(0.15), towards(0.3), ...rest], { own })).toEqual([0, 1, ...ones(HONEST - 1)]);
});

it("stays with the own adapter where there are only copies of it, with a known start as well", () => {
  const { own, honest } = swarm(13);
  expect(vettedMean({ points: [own, own], weights: [1, 1], own, start: behind(honest) })).toEqual(own);
});

describe("while less than half of all points lie", () => {
  // The own point is honest, so that f of n neighbours may lie while 2 f <= n.
  const values = fc.oneof(
    fc.constantFrom(0, -0, 3e38, -3e38, 1e-38, -1e-45),
    fc.float({ noNaN: true, noDefaultInfinity: true }),
    fc.double({ min: -5, max: 5, noNaN: true }),
  );
  const size = 30;

  it("is within 1.4 honest diameters of an honest point, whatever they send, and finite", () => {
    fc.assert(
      fc.property(
        seeds,
        fc.integer({ min: 1, max: 9 }),
        fc.array(fc.array(values, { minLength: size, maxLength: size }), { minLength: 0, maxLength: 4 }),
        fc.boolean(),
        (seed, honestCount, lies, hasStart) => {
          const [own, start, ...honest] = cloud(seed, honestCount + 2, size);
          const lying = lies.slice(0, honestCount).map((lie) => Float64Array.from(lie, Math.fround));
          const points = [...honest, ...lying];
          const all = [own!, ...honest];
          const apart = all.flatMap((x) => all.flatMap((y) => (x === y ? [] : [distance(x, y)])));
          const diameter = Math.max(...apart);
          fc.pre(Math.min(...apart) > 3 * COPY * diameter);
          const z = vettedMean({ points, weights: ones(points.length), own: own!, ...(hasStart && { start: start! }) });
          expect(z.every(Number.isFinite)).toBe(true);
          expect(distance(z, own!)).toBeLessThanOrEqual((1 + FAR) * diameter * (1 + 1e-9));
        },
      ),
      { numRuns: 400 },
    );
  });

  it("and where more than half lie, it is finite all the same", () => {
    fc.assert(
      fc.property(
        seeds,
        fc.array(fc.array(values, { minLength: size, maxLength: size }), { minLength: 3, maxLength: 9 }),
        (seed, lies) => {
          const [own, start, one] = cloud(seed, 3, size);
          const points = [one!, ...lies.map((lie) => Float64Array.from(lie, Math.fround))];
          const z = vettedMean({ points, weights: ones(points.length), own: own!, start: start! });
          expect(z.every(Number.isFinite)).toBe(true);
        },
      ),
      { numRuns: 100 },
    );
  });
});

it("goes by the common start in the gauge of the own adapter, and the order of arrival changes no bit", () => {
  const slots = adapterSlots([
    { name: "a", shape: [40] },
    { name: "b", shape: [20] },
  ]);
  const { own, honest } = swarm(8);
  const start = Float32Array.from(behind(honest));
  const back = start.map((x, i) => x - 0.1 * (honest[0]![i]! - x));
  const neighbours = [...honest.map((point) => Float32Array.from(point)), back].map((theta, j) => ({
    ...{ peer: `p${j}`, round: 0, theta, sampleCount: 1 },
  }));
  const settings = { rule: "vetted-mean", scope: "tensor", stalenessExponent: 0, ageMax: 1 } as const;
  const given = {
    kind: "lora",
    slots,
    own: { peer: "me", theta: Float32Array.from(own) },
    settings,
    round: 0,
  } as const;
  const without = aggregateNeighbours({ ...given, neighbours: neighbours.slice(0, -1) });
  expect(aggregateNeighbours({ ...given, neighbours }).z).not.toEqual(without.z);
  expect(aggregateNeighbours({ ...given, neighbours, start }).z).toEqual(without.z);
  expect(aggregateNeighbours({ ...given, neighbours: [...neighbours].reverse(), start }).z).toEqual(without.z);
});

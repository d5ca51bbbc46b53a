import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AdapterSlot, adapterSlots } from "../../protocol/adapter-spec.ts";
import { createPrng } from "../../protocol/prng.ts";
import { NodeError } from "../errors.ts";
import { type AggregateOptions, aggregateNeighbours, mix } from "./all-but-me.ts";
import {
  difference,
  editAt,
  functionDistance,
  HIDDEN,
  PARAMETER_COUNT,
  RANK,
  randomAdapter,
  rotated,
  rotationError,
  SITES,
  SLOTS,
  tensor,
} from "./loreft.suite.ts";
import type { NeighbourUpdate } from "./neighbour.ts";

const ROUND = 5;
const MEAN = { rule: "mean", scope: "tensor", stalenessExponent: 0.5, ageMax: 3 } as const;
const MEDIAN = { ...MEAN, rule: "geometric-median" } as const;
const RULES = [MEAN, MEDIAN, { ...MEAN, scope: "global" }, { ...MEDIAN, scope: "global" }] as const;

const update = (peer: string, theta: Float32Array, age = 0): NeighbourUpdate => ({
  peer,
  round: ROUND - age,
  theta,
  sampleCount: 1,
});

/** All-But-Me of LoReFT adapters around a peer called "me" that holds random adapter 1. */
const aggregate = (neighbours: readonly NeighbourUpdate[], options: Partial<AggregateOptions> = {}) =>
  aggregateNeighbours({
    kind: "loreft",
    slots: SLOTS,
    own: { peer: "me", theta: randomAdapter(1) },
    neighbours,
    settings: MEAN,
    round: ROUND,
    ...options,
  });

/** Adapters that have no gauge: frozen rotation, so W and b only, and LoRA factors. */
const PLAIN: readonly AdapterSlot[] = adapterSlots([
  { name: `${SITES[0]}.W`, shape: [RANK, HIDDEN] },
  { name: `${SITES[0]}.b`, shape: [RANK] },
]);
const PLAIN_COUNT = RANK * HIDDEN + RANK;
const plain = (seed: number): Float32Array => {
  const prng = createPrng(seed);
  return Float32Array.from({ length: PLAIN_COUNT }, () => prng.normal());
};
const plainAggregate = (neighbours: readonly NeighbourUpdate[], options: Partial<AggregateOptions> = {}) =>
  aggregate(neighbours, { slots: PLAIN, own: { peer: "me", theta: plain(1) }, ...options });

const bits = (theta: Float32Array): number[] => Array.from(new Uint32Array(theta.buffer.slice(0)));

describe("aggregateNeighbours, the rules", () => {
  it("weighs the mean by staleness, as written out", () => {
    const [a, b, c] = [plain(2), plain(3), plain(4)];
    const { z, peers, stalenessMax } = plainAggregate([update("c", c, 3), update("a", a), update("b", b, 1)]);
    const [alphaB, alphaC] = [1 / Math.sqrt(2), 1 / 2];
    const expected = a.map((x, i) => (x + alphaB * b[i]! + alphaC * c[i]!) / (1 + alphaB + alphaC));
    expect(difference(z, expected)).toBeLessThan(1e-6);
    expect({ peers, stalenessMax }).toEqual({ peers: ["a", "b", "c"], stalenessMax: 3 });
  });

  it("takes the median of every tensor by itself, or of the whole vector", () => {
    // One neighbour lies in W only: tensor by tensor its honest b keeps its weight, as a whole it loses it.
    const honest = [2, 3, 4, 5].map(plain);
    const liar = plain(6).map((x, i) => (i < RANK * HIDDEN ? 1e4 : x));
    const neighbours = [...honest, liar].map((theta, j) => update(`p${j}`, theta));
    const b = (theta: Float32Array): Float32Array => theta.slice(RANK * HIDDEN);
    const bOnly = (thetas: readonly Float32Array[]): Float32Array =>
      aggregateNeighbours({
        kind: "lora",
        slots: adapterSlots([{ name: "b", shape: [RANK] }]),
        own: { peer: "me", theta: new Float32Array(RANK) },
        neighbours: thetas.map((theta, j) => update(`p${j}`, b(theta))),
        settings: MEDIAN,
        round: ROUND,
      }).z;
    const perTensor = plainAggregate(neighbours, { settings: MEDIAN }).z;
    const whole = plainAggregate(neighbours, { settings: { ...MEDIAN, scope: "global" } }).z;
    expect(difference(b(perTensor), bOnly([...honest, liar]))).toBe(0);
    expect(difference(b(whole), b(perTensor))).toBeGreaterThan(1e-3);
    expect(Math.max(...whole.map(Math.abs))).toBeLessThan(10);
  });

  it("averages the edits exactly when the rotation is frozen", () => {
    const R = tensor(randomAdapter(1), `${SITES[0]}.R`);
    const complete = (wb: Float32Array): number[] => {
      const theta = new Array<number>(PARAMETER_COUNT).fill(0);
      theta.splice(0, R.length + PLAIN_COUNT, ...R, ...wb);
      return theta;
    };
    const adapters = [plain(2), plain(3), plain(4)];
    const { z } = plainAggregate(adapters.map((theta, j) => update(`p${j}`, theta)));
    const h = Array.from({ length: HIDDEN }, (_, k) => Math.cos(k));
    const edits = adapters.map((theta) => editAt(complete(theta), SITES[0], h));
    const expected = h.map((_, k) => edits.reduce((sum, edit) => sum + edit[k]! / 3, 0));
    expect(difference(editAt(complete(z), SITES[0], h), expected)).toBeLessThan(1e-5);
  });

  it("gives the same bits whatever the order of arrival", () => {
    const neighbours = [2, 3, 4, 5, 6].map((seed, j) => update(`p${j}`, randomAdapter(seed), j % 3));
    const orders = fc.shuffledSubarray(neighbours, { minLength: neighbours.length });
    for (const settings of RULES) {
      const expected = aggregate(neighbours, { settings });
      fc.assert(
        fc.property(orders, (order) => {
          const { z, ...rest } = aggregate(order, { settings });
          expect(bits(z)).toEqual(bits(expected.z));
          const { peers, shares } = expected;
          expect(rest).toEqual({ peers, shares, refused: [], stalenessMax: 2, degenerate: false });
        }),
        { numRuns: 10 },
      );
    }
  });

  it("is hardly moved by one liar of five under the median, and carried away under the mean", () => {
    const honest = [2, 3, 4, 5, 6].map((seed) => plain(seed));
    const lying = honest.with(1, new Float32Array(PLAIN_COUNT).fill(1e6));
    const moved = (settings: (typeof RULES)[number]): number => {
      const z = (thetas: readonly Float32Array[]): Float32Array =>
        plainAggregate(
          thetas.map((theta, j) => update(`p${j}`, theta)),
          { settings },
        ).z;
      return difference(z(lying), z(honest));
    };
    expect(moved(MEDIAN)).toBeLessThan(2);
    expect(moved(MEAN)).toBeGreaterThan(1e5);
  });

  it("says what share each has, how old it is and how far away", () => {
    const near = plain(1);
    near[0]! += 3;
    near[1]! += 4;
    const { shares } = plainAggregate([update("b", near), update("a", plain(1), 3)]);
    expect(shares).toEqual([
      { peer: "a", weight: expect.closeTo(1 / 3), staleness: 3, distance: 0 },
      { peer: "b", weight: expect.closeTo(2 / 3), staleness: 0, distance: expect.closeTo(5) },
    ]);
    expect(plainAggregate([]).shares).toEqual([]);
  });

  it("says when the median is of exactly two and takes their mean", () => {
    const two = [update("a", plain(2)), update("b", plain(3), 1)];
    expect(plainAggregate(two, { settings: MEDIAN })).toEqual({ ...plainAggregate(two), degenerate: true });
    const three = [...two, update("c", plain(4))];
    expect(plainAggregate(three, { settings: MEDIAN }).degenerate).toBe(false);
    // The third is too old, so two are left.
    expect(plainAggregate([...two, update("c", plain(4), 4)], { settings: MEDIAN }).degenerate).toBe(true);
  });

  it("is the other one when there is one, and the own adapter when there is none", () => {
    for (const settings of RULES) {
      expect(plainAggregate([update("a", plain(2), 2)], { settings }).z).toEqual(plain(2));
      const alone = plainAggregate([update("a", plain(2), 4)], { settings });
      expect(alone).toEqual({ z: plain(1), peers: [], shares: [], refused: [], stalenessMax: 0, degenerate: false });
    }
  });
});

describe("aggregateNeighbours, the gauge", () => {
  it("averages rotated copies of one adapter to that adapter, as functions", () => {
    const one = randomAdapter(7);
    for (const settings of RULES) {
      for (let seed = 1; seed <= 10; seed++) {
        const copies = [0, 1, 2].map((j) => update(`p${j}`, rotated(one, 10 * seed + j)));
        const { z } = aggregate(copies, { settings });
        expect(functionDistance(z, one), `${settings.rule} ${seed}`).toBeLessThan(2e-5);
      }
    }
    // Without alignment the same average is far off, so the test above can fail.
    const naive = rotated(one, 11).map((x, i) => (x + one[i]!) / 2);
    expect(functionDistance(naive, one)).toBeGreaterThan(0.5);
  });

  it("gives the same function when a neighbour changes its gauge, and follows the own gauge", () => {
    const [a, b] = [randomAdapter(2), randomAdapter(3)];
    const { z } = aggregate([update("a", a), update("b", b)]);
    const turned = aggregate([update("a", rotated(a, 5)), update("b", rotated(b, 6))]).z;
    expect(difference(turned, z)).toBeLessThan(1e-5);
    const own = { peer: "me", theta: rotated(randomAdapter(1), 8) };
    const other = aggregate([update("a", a), update("b", b)], { own }).z;
    expect(difference(other, z)).toBeGreaterThan(0.1);
    expect(functionDistance(other, z)).toBeLessThan(1e-4);
  });

  it("returns orthonormal rotations, even where the neighbours' rotations cancel out", () => {
    const spread = [2, 3, 4].map((seed, j) => update(`p${j}`, randomAdapter(seed)));
    expect(rotationError(aggregate(spread).z)).toBeLessThan(1e-6);
    // Rotations at right angles to the own one: nothing tells which way to turn them, and opposite signs cancel.
    const own = new Float32Array(PARAMETER_COUNT);
    const across = new Float32Array(PARAMETER_COUNT);
    for (const { offset } of SLOTS.filter((slot) => slot.name.endsWith(".R"))) {
      for (let i = 0; i < RANK; i++) own[offset + i * HIDDEN + i] = 1;
      for (let i = 0; i < RANK; i++) across[offset + i * HIDDEN + RANK + i] = 1;
    }
    const opposed = [
      update("a", across),
      update(
        "b",
        across.map((x) => -x),
      ),
    ];
    const { z, peers } = aggregate(opposed, { own: { peer: "me", theta: own } });
    expect(peers).toEqual(["a", "b"]);
    expect(rotationError(z)).toBeLessThan(1e-6);
    expect(tensor(z, `${SITES[0]}.R`).map((x) => x + 0)).toEqual(tensor(own, `${SITES[0]}.R`));
  });

  it("gives a sender no more weight for a longer rotation", () => {
    const [a, b] = [randomAdapter(2), randomAdapter(3)];
    const longer = b.slice();
    for (const slot of SLOTS.filter((candidate) => candidate.name.endsWith(".R"))) {
      for (let i = 0; i < slot.length; i++) longer[slot.offset + i]! *= 1000;
    }
    const R = (theta: Float32Array): number[] => tensor(theta, `${SITES[0]}.R`);
    const expected = aggregate([update("a", a), update("b", b)]).z;
    expect(difference(R(aggregate([update("a", a), update("b", longer)]).z), R(expected))).toBeLessThan(1e-5);
  });
});

describe("aggregateNeighbours, what it refuses", () => {
  it("refuses the peer's own update", () => {
    const neighbours = [update("a", randomAdapter(2)), update("me", randomAdapter(1))];
    expect(() => aggregate(neighbours)).toThrow("must not enter its own aggregate");
  });

  it("does not depend on the own adapter where there is no gauge", () => {
    const neighbours = [2, 3, 4].map((seed, j) => update(`p${j}`, plain(seed)));
    const { shares: theirs, ...other } = plainAggregate(neighbours, { own: { peer: "me", theta: plain(9) } });
    const { shares, ...same } = plainAggregate(neighbours);
    expect(other).toEqual(same);
    // Distances are those from the own one, for people.
    const apart = ({ distance: _, ...share }: (typeof shares)[number]) => share;
    expect(theirs.map(apart)).toEqual(shares.map(apart));
  });

  it("leaves out adapters that cannot be averaged, names them, and goes on with the others", () => {
    const good = randomAdapter(2);
    const huge = randomAdapter(3).fill(3.4e38, RANK * HIDDEN, 2 * RANK * HIDDEN);
    const neighbours = [
      update("good", good),
      update("huge", huge),
      update("infinite", good.with(0, Number.NEGATIVE_INFINITY)),
      update("nan", good.with(PARAMETER_COUNT - 1, Number.NaN)),
      update("short", good.slice(1)),
      update("zero", new Float32Array(PARAMETER_COUNT)),
    ];
    const result = aggregate(neighbours);
    expect(result.peers).toEqual(["good"]);
    expect(functionDistance(result.z, good)).toBeLessThan(1e-5);
    expect(result.refused).toEqual([
      { peer: "huge", reason: "not-finite" },
      { peer: "infinite", reason: "not-finite" },
      { peer: "nan", reason: "not-finite" },
      { peer: "short", reason: "length" },
      { peer: "zero", reason: "rotation" },
    ]);
  });

  it("refuses an own adapter that is not one", () => {
    for (const theta of [new Float32Array(3), plain(1).with(2, Number.NaN)]) {
      expect(() => plainAggregate([], { own: { peer: "me", theta } })).toThrow(NodeError);
    }
  });
});

describe("mix", () => {
  const own = randomAdapter(1);
  const z = aggregate([2, 3].map((seed) => update(`p${seed}`, randomAdapter(seed)))).z;
  const at = (lambda: number): Float32Array => mix({ kind: "loreft", slots: SLOTS, own, z, lambda });

  it("is the own adapter at 0, bit for bit, and the aggregate at 1", () => {
    expect(at(0)).toEqual(own);
    expect(at(0)).not.toBe(own);
    expect(difference(at(1), z)).toBeLessThan(1e-6);
  });

  it("goes the way in between in a straight line, rotations made orthonormal", () => {
    for (const lambda of [0.25, 0.5, 0.75]) {
      const mixed = at(lambda);
      expect(rotationError(mixed)).toBeLessThan(1e-6);
      for (const part of [`${SITES[0]}.b`, "head.weight"]) {
        const expected = tensor(own, part).map((x, i) => (1 - lambda) * x + lambda * tensor(z, part)[i]!);
        expect(difference(tensor(mixed, part), expected)).toBeLessThan(1e-6);
      }
      const D = (theta: Float32Array): number[] =>
        tensor(theta, `${SITES[1]}.W`).map((w, i) => w - tensor(theta, `${SITES[1]}.R`)[i]!);
      const expected = D(own).map((x, i) => (1 - lambda) * x + lambda * D(z)[i]!);
      expect(difference(D(mixed), expected)).toBeLessThan(1e-6);
    }
  });

  it("refuses a lambda outside 0 and 1 and vectors that do not fit", () => {
    for (const lambda of [-0.01, 1.01, Number.NaN]) expect(() => at(lambda)).toThrow(RangeError);
    expect(() => mix({ kind: "loreft", slots: SLOTS, own, z: z.slice(1), lambda: 0.5 })).toThrow(NodeError);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RuleSettings } from "../../protocol/network-manifest.ts";
import { createPrng } from "../../protocol/prng.ts";
import { SMOOTHING } from "./geometric-median.ts";
import { aggregateByRule, fallbackOf, neighboursMin } from "./rule.ts";
import {
  ALL_RULES,
  agedWeights,
  cloud,
  distance,
  minus,
  nameOf,
  norm,
  numbersOf,
  ROBUST_RULES,
  seeds,
  slowly,
} from "./rules.suite.ts";

const N = 9;
const SIZE = 5;
const ones = (count: number): number[] => Array.from({ length: count }, () => 1);
const clipped = (rules: readonly RuleSettings[]): RuleSettings[] =>
  rules.flatMap((settings) => [settings, { ...settings, normClip: true as const }]);
const named = (rules: readonly RuleSettings[]): [string, RuleSettings][] => rules.map((one) => [nameOf(one), one]);
const mapped = (points: readonly Float64Array[], f: (x: number, i: number) => number): Float64Array[] =>
  points.map((point) => point.map(f));
const meanOf = (points: readonly Float64Array[]): Float64Array =>
  aggregateByRule({ rule: "mean" }, { points, weights: ones(points.length), own: points[0]! });

describe("every rule against itself written slowly", () => {
  const rules = clipped(ALL_RULES).filter(({ rule }) => rule !== "geometric-median");
  it.each(named(rules))("%s", (_, settings) => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 7, max: 12 }), fc.boolean(), (seed, count, aged) => {
        const [own, ...points] = cloud(seed, count + 1, SIZE);
        const weights = aged ? agedWeights(seed, count) : ones(count);
        const z = aggregateByRule(settings, { points, weights, own: own! });
        const expected = slowly(settings, { points: points.map((x) => [...x]), weights, own: [...own!] });
        expect(distance(z, expected)).toBeLessThan(1e-10);
      }),
      { numRuns: 60 },
    );
  });

  it.each(named(clipped(ALL_RULES).filter(({ rule }) => rule !== "geometric-median")))(
    "%s, where many values are equal",
    (_, settings) => {
      const few = fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 2, maxLength: 2 });
      fc.assert(
        fc.property(fc.array(few, { minLength: 7, maxLength: 10 }), seeds, fc.boolean(), (rows, seed, aged) => {
          const weights = aged ? agedWeights(seed, rows.length) : ones(rows.length);
          const own = Float64Array.of(0.25, -0.5);
          const z = aggregateByRule(settings, { points: rows.map((row) => Float64Array.from(row)), weights, own });
          // Scores of Krum after clipping may be equal up to rounding, and then either is the best.
          if (!(settings.normClip && settings.rule.endsWith("krum"))) {
            expect(distance(z, slowly(settings, { points: rows, weights, own: [...own] }))).toBeLessThan(1e-10);
          }
          expect(z.every(Number.isFinite)).toBe(true);
        }),
        { numRuns: 60 },
      );
    },
  );
});

describe("symmetries", () => {
  it.each(named(clipped(ALL_RULES)))("%s does not depend on the order of the points", (_, settings) => {
    fc.assert(
      fc.property(seeds, fc.shuffledSubarray([...Array(N).keys()], { minLength: N }), (seed, order) => {
        const [own, ...points] = cloud(seed, N + 1, SIZE);
        const weights = agedWeights(seed, N);
        const z = aggregateByRule(settings, { points, weights, own: own! });
        const again = aggregateByRule(settings, {
          points: order.map((j) => points[j]!),
          weights: order.map((j) => weights[j]!),
          own: own!,
        });
        expect(distance(again, z)).toBeLessThan(1e-8);
      }),
      { numRuns: 20 },
    );
  });

  it.each(named(clipped(ALL_RULES)))("%s moves with the points and their peer", (_, settings) => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const [own, ...points] = cloud(seed, N + 1, SIZE);
        const weights = agedWeights(seed, N);
        const [shift] = cloud(seed + 1, 1, SIZE);
        const moved = (x: number, i: number): number => x + shift![i]!;
        const z = aggregateByRule(settings, { points, weights, own: own! });
        const far = aggregateByRule(settings, { points: mapped(points, moved), weights, own: own!.map(moved) });
        expect(distance(far, z.map(moved))).toBeLessThan(1e-7);
      }),
      { numRuns: 20 },
    );
  });

  it.each(named(clipped(ALL_RULES)))("%s scales with the points, a radius with them", (_, settings) => {
    fc.assert(
      fc.property(seeds, fc.constantFrom(-4, -1, 0.25, 8), (seed, scale) => {
        const [own, ...points] = cloud(seed, N + 1, SIZE);
        const weights = agedWeights(seed, N);
        const scaled = (x: number): number => scale * x;
        const { radius } = numbersOf(settings);
        const wider = radius === undefined ? {} : { radius: radius * Math.abs(scale) };
        const z = aggregateByRule(settings, { points, weights, own: own! });
        const far = aggregateByRule(
          { ...settings, ...wider },
          { points: mapped(points, scaled), weights, own: own!.map(scaled) },
        );
        // Beside a point the geometric median is known to its smoothing only, which does not scale.
        const smoothed = settings.rule === "geometric-median" ? 10 * SMOOTHING : 0;
        expect(distance(far, z.map(scaled))).toBeLessThan(1e-7 + smoothed);
      }),
      { numRuns: 20 },
    );
  });

  it("gives a single point and equal points back", () => {
    const [x] = cloud(3, 1, SIZE);
    for (const settings of ALL_RULES.filter(({ rule }) => rule !== "clipped-gossip")) {
      for (const count of [1, 2, N]) {
        const points = Array.from({ length: count }, () => x!);
        const z = aggregateByRule(settings, { points, weights: agedWeights(1, count), own: new Float64Array(SIZE) });
        expect(distance(z, x!), nameOf(settings)).toBeLessThan(1e-12);
      }
    }
  });

  it.each(named(ROBUST_RULES))("%s lets an old update weigh less, where it weighs", (_, settings) => {
    const [own, ...points] = cloud(5, N + 1, SIZE);
    const fresh = aggregateByRule(settings, { points, weights: ones(N), own: own! });
    const aged = aggregateByRule(settings, { points, weights: ones(N).fill(0.01, 4), own: own! });
    expect(distance(aged, fresh) > 1e-3).toBe(settings.rule !== "krum");
  });
});

describe("two liars of ten", () => {
  const HONEST = 8;
  const LIARS = 2;
  /** What the liars send, who know every honest point. */
  const ATTACKS: Readonly<Record<string, (honest: readonly Float64Array[]) => Float64Array>> = {
    "sign flip": (honest) => meanOf(honest).map((x) => -x),
    "a thousand times": (honest) => honest[0]!.map((x) => 1000 * x),
    "as far as float32 goes": (honest) => honest[0]!.map((x) => Math.sign(x) * 3e38),
    // A little is enough: Baruch et al. 2019, arXiv:1902.06156, with 1.5 standard deviations.
    "a little is enough": (honest) => {
      const mean = meanOf(honest);
      return mean.map((m, i) => m - 1.5 * Math.sqrt(honest.reduce((s, x) => s + (x[i]! - m) ** 2, 0) / honest.length));
    },
    // Inner-product manipulation: Xie, Koyejo and Gupta 2019, arXiv:1903.03936, with ε = 0.1.
    "inner product": (honest) => meanOf(honest).map((x) => -0.1 * x),
  };
  /** Length of the box that holds every honest point, and the longest way between two of them. */
  const boxOf = (honest: readonly Float64Array[]): number =>
    norm(honest[0]!.map((_, i) => Math.max(...honest.map((x) => x[i]!)) - Math.min(...honest.map((x) => x[i]!))));
  const diameterOf = (honest: readonly Float64Array[]): number =>
    Math.max(...honest.flatMap((x) => honest.map((y) => distance(x, y))));

  /** How far from the honest mean each rule may end at most; each bound follows from its definition. */
  const bounds: [string, (honest: readonly Float64Array[]) => { settings: RuleSettings; bound: number }][] = [
    // Both stay within the honest values of every coordinate.
    ["median", (honest) => ({ settings: { rule: "median" }, bound: boxOf(honest) })],
    ["trimmed-mean", (honest) => ({ settings: { rule: "trimmed-mean", trim: 0.2 }, bound: boxOf(honest) })],
    // The best score is at most 6 d², and at least 5 of the 6 nearest to it are honest.
    [
      "krum",
      (honest) => ({ settings: { rule: "krum", faulty: 2 }, bound: (Math.sqrt(6 / 5) + 1) * diameterOf(honest) }),
    ],
    [
      "multi-krum",
      (honest) => ({ settings: { rule: "multi-krum", faulty: 2 }, bound: (Math.sqrt(6 / 5) + 1) * diameterOf(honest) }),
    ],
    // |v - μ| ← 0.2 |v - μ| + 0.2 τ with τ = 2 r: 0.5 r in the end, and 0.2⁵ r of the start.
    [
      "centred-clipping",
      (honest) => ({
        settings: { rule: "centred-clipping", radius: 2 * boxOf(honest) },
        bound: 0.501 * boxOf(honest),
      }),
    ],
    // Every neighbour that is kept is within 1.4 diameters of an honest one.
    ["vetted-mean", (honest) => ({ settings: { rule: "vetted-mean" }, bound: 2.4 * diameterOf(honest) })],
    // 0.2 of the own way to the mean is missing, and 0.2 τ of a lie is there.
    [
      "clipped-gossip",
      (honest) => ({
        settings: { rule: "clipped-gossip", radius: diameterOf(honest) },
        bound: 0.4 * diameterOf(honest),
      }),
    ],
  ];

  it.each(bounds)("%s stays near the honest mean whatever they send", (_, settingsFor) => {
    fc.assert(
      fc.property(seeds, fc.constantFrom(...Object.keys(ATTACKS)), fc.nat(HONEST), (seed, attack, position) => {
        const [own, ...rest] = cloud(seed, HONEST, SIZE);
        // The peer itself is honest; as neighbours count the other seven and one more near them.
        const honest = [...rest, own!.map((x, i) => (x + rest[0]![i]!) / 2)];
        const { settings, bound } = settingsFor(honest.concat([own!]));
        const lie = ATTACKS[attack]!(honest);
        const points = honest.toSpliced(position, 0, ...Array.from({ length: LIARS }, () => lie));
        const z = aggregateByRule(settings, { points, weights: ones(points.length), own: own! });
        expect(distance(z, meanOf(honest)), attack).toBeLessThanOrEqual(bound);
      }),
      { numRuns: 80 },
    );
  });

  it("carry the mean away, but with a norm clip no further than the honest go", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const [own, ...honest] = cloud(seed, HONEST + 1, SIZE);
        const lie = honest[0]!.map((x) => x + 1e6);
        const points = [...honest, lie, lie];
        const away = (settings: RuleSettings): number =>
          distance(aggregateByRule(settings, { points, weights: ones(points.length), own: own! }), own!);
        const furthest = Math.max(...honest.map((x) => norm(minus(x, own!))));
        expect(away({ rule: "mean" })).toBeGreaterThan(1e5);
        expect(away({ rule: "mean", normClip: true })).toBeLessThanOrEqual(furthest * (1 + 1e-12));
      }),
      { numRuns: 20 },
    );
  });

  it("break a rule that was told of too few", () => {
    // Three of ten against one cut at either end, and five of eleven in one place against f = 1.
    const honest = cloud(7, 7, SIZE);
    const lie = honest[0]!.map((x) => x + 1e6);
    const z = (settings: RuleSettings, lies: number): Float64Array => {
      const points = [...honest, ...Array.from({ length: lies }, () => lie)];
      return aggregateByRule(settings, { points, weights: ones(points.length), own: honest[0]! });
    };
    expect(distance(z({ rule: "trimmed-mean", trim: 0.1 }, 3), honest[0]!)).toBeGreaterThan(1e5);
    expect(distance(z({ rule: "trimmed-mean", trim: 0.3 }, 3), honest[0]!)).toBeLessThan(20);
    expect(distance(z({ rule: "median" }, 6), honest[0]!)).toBeLessThan(20);
    expect(distance(z({ rule: "median" }, 8), honest[0]!)).toBeGreaterThan(1e5);
  });
});

describe("too few neighbours", () => {
  it.each<[RuleSettings, number]>([
    [{ rule: "mean" }, 1],
    [{ rule: "geometric-median" }, 1],
    [{ rule: "median" }, 3],
    [{ rule: "trimmed-mean", trim: 0.499 }, 3],
    [{ rule: "trimmed-mean", trim: 0.2 }, 5],
    [{ rule: "trimmed-mean", trim: 0.15 }, 7],
    [{ rule: "trimmed-mean", trim: 0.001 }, 1000],
    [{ rule: "krum", faulty: 1 }, 5],
    [{ rule: "multi-krum", faulty: 3 }, 9],
    [{ rule: "centred-clipping", radius: 1 }, 3],
    [{ rule: "clipped-gossip", radius: 1 }, 1],
    [{ rule: "vetted-mean" }, 1],
  ])("%o needs %i", (settings, min) => {
    expect(neighboursMin(settings)).toBe(min);
    expect(fallbackOf(settings, min)).toBeUndefined();
    if (min > 1) {
      const rule = min > 3 ? "geometric-median" : "mean";
      expect(fallbackOf(settings, min - 1)).toEqual({ rule, neighboursMin: min });
    }
  });

  it.each(named(ROBUST_RULES))("%s gives way to the geometric median, of two to the mean", (_, settings) => {
    for (const count of [1, 2, 3, 4, 5, 6]) {
      const points = cloud(count, count, SIZE);
      const input = { points, weights: agedWeights(4, count), own: new Float64Array(SIZE) };
      const instead = fallbackOf(settings, count);
      if (instead === undefined) continue;
      expect(aggregateByRule(settings, input)).toEqual(aggregateByRule({ rule: instead.rule }, input));
      expect(instead.rule).toBe(count < 3 ? "mean" : "geometric-median");
    }
  });

  it("refuses a rule without its number, which no valid manifest has", () => {
    const input = { points: cloud(1, N, SIZE), weights: ones(N), own: new Float64Array(SIZE) };
    for (const rule of ["trimmed-mean", "krum", "multi-krum", "centred-clipping", "clipped-gossip"] as const) {
      expect(() => aggregateByRule({ rule } as RuleSettings, input), rule).toThrow(RangeError);
    }
  });
});

it("no rule changes its inputs", () => {
  const prng = createPrng(1);
  for (const settings of clipped(ALL_RULES)) {
    const [own, ...points] = cloud(1 + prng.below(1e6), N + 1, SIZE);
    const before = structuredClone({ own, points });
    aggregateByRule(settings, { points, weights: agedWeights(1, N), own: own! });
    expect({ own, points }, nameOf(settings)).toEqual(before);
  }
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import { type AggregationSettings, MANIFEST_DEFAULTS } from "../../protocol/network-manifest.ts";
import { createPrng } from "../../protocol/prng.ts";
import { type Aggregate, aggregateNeighbours, mix } from "../aggregation/index.ts";
import type { Logger } from "../interface/logger.ts";
import type { Trainer } from "../interface/trainer.ts";
import { groupsOf, type LeaveOutOptions, withoutHarm } from "./leave-out.ts";

const SIZE = 60;
const EXAMPLES = 24;
const layout = { kind: "lora", slots: adapterSlots([{ name: "a", shape: [SIZE] }]) } as const;
const nothing = (): void => undefined;
const logger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };

/** A trainer whose examples each want the goal and a little else; it counts its evaluations. */
function judge(goal: (i: number) => number): { readonly trainer: Trainer; readonly count: () => number } {
  let count = 0;
  const prng = createPrng(7);
  const wanted = Array.from({ length: EXAMPLES }, () =>
    Float64Array.from({ length: SIZE }, (_, i) => goal(i) + 0.2 * prng.normal()),
  );
  const evaluate = async ({ adapter }: { adapter: Float32Array }) => {
    count += 1;
    const exampleLosses = wanted.map((one) => one.reduce((sum, x, i) => sum + (x - adapter[i]!) ** 2, 0));
    return { loss: exampleLosses.reduce((sum, x) => sum + x, 0) / EXAMPLES, exampleLosses };
  };
  return { trainer: { evaluate } as unknown as Trainer, count: () => count };
}

const near = (seed: number, centre: (i: number) => number): Float32Array => {
  const prng = createPrng(seed);
  return Float32Array.from({ length: SIZE }, (_, i) => centre(i) + 0.3 * prng.normal());
};

/** A round of the peer `me`, whose own adapter is near 1 as that of every honest neighbour. */
function round(
  neighbours: Readonly<Record<string, Float32Array>>,
  { tries, ...more }: Partial<LeaveOutOptions> & { readonly tries?: number } = {},
): LeaveOutOptions {
  const { rule: _, ...shared } = MANIFEST_DEFAULTS.aggregation;
  const settings: AggregationSettings = { ...shared, rule: "vetted-mean", ...(tries !== undefined && { tries }) };
  const given = {
    ...layout,
    own: { peer: "me", theta: near(1, () => 1) },
    neighbours: Object.entries(neighbours).map(([peer, theta]) => ({ peer, round: 0, theta, sampleCount: 1 })),
    round: 0,
  };
  const whole = aggregateNeighbours({ ...given, settings, start: new Float32Array(SIZE) });
  return { given, settings, whole, round: 0, signal: new AbortController().signal, ...more };
}

const honest = (count: number): Record<string, Float32Array> =>
  Object.fromEntries(Array.from({ length: count }, (_, j) => [`h${j}`, near(10 + j, () => 1)]));
const liars = (count: number): Record<string, Float32Array> =>
  Object.fromEntries(Array.from({ length: count }, (_, j) => [`l${j}`, near(50 + j, (i) => (i < 20 ? 0.3 : 1))]));
const aggregate = async (options: Parameters<typeof aggregateNeighbours>[0]): Promise<Aggregate> =>
  aggregateNeighbours(options);

describe("leaving out what harms", () => {
  // Everybody is still on the way: the data want 2, and honest peers are at 1.
  const further = (): number => 2;
  const leftOut = async (options: LeaveOutOptions): Promise<{ peers: readonly string[]; count: number }> => {
    const { trainer, count } = judge(further);
    const peers: string[] = [];
    const debug: Logger["debug"] = (_, fields) => void peers.push(...(fields as { peers: string[] }).peers);
    const { z, ...rest } = await withoutHarm({ trainer, logger: { ...logger, debug }, aggregate }, options);
    const { z: whole, kept = [], ...before } = options.whole;
    expect(rest).toEqual({ ...before, kept });
    const stay = options.given.neighbours.filter(({ peer }) => kept.includes(peer) && !peers.includes(peer));
    const mean = aggregateNeighbours({
      ...options.given,
      neighbours: stay,
      settings: { ...options.settings, rule: "mean" },
    });
    expect(z).toEqual(peers.length === 0 ? whole : mean.z);
    return { peers: peers.sort(), count: count() };
  };

  it("finds liars that pass every look at values, and nothing of theirs is left", async () => {
    const options = round({ ...honest(7), ...liars(2) });
    expect(options.whole.kept).toHaveLength(9);
    const { peers } = await leftOut(options);
    expect(peers).toEqual(expect.arrayContaining(["l0", "l1"]));
    expect(peers.length).toBeLessThan(5);
  });

  it("finds liars among thirty in sixteen tries, because those that push the same way are tried together", async () => {
    const options = round({ ...honest(23), ...liars(6) });
    const { peers, count } = await leftOut(options);
    const lying = options.whole.kept!.filter((peer) => peer.startsWith("l"));
    expect(lying.length).toBeGreaterThan(4);
    expect(peers).toEqual(expect.arrayContaining(lying));
    expect(peers.length).toBeLessThan(15);
    expect(count).toBeLessThanOrEqual(18);
  });

  it("tries each of twelve neighbours by itself where the network says nothing else", async () => {
    const { count } = await leftOut(round(honest(12)));
    // The whole, and the rest without each one.
    expect(count).toBeGreaterThanOrEqual(13);
  });

  it("never leaves a worse mix than the whole one on what it looked at, nor looks more often than it may", async () => {
    const someone = fc.record({
      seed: fc.integer({ min: 1, max: 1e6 }),
      at: fc.double({ min: 0.2, max: 1.6, noNaN: true }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(someone, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 0, max: 9 }),
        async (all, tries) => {
          const theirs = Object.fromEntries(all.map(({ seed, at }, j) => [`p${j}`, near(seed, () => at)]));
          const { trainer, count } = judge(() => 1);
          const options = round(theirs, { tries });
          const result = await withoutHarm({ trainer, logger, aggregate }, options);
          expect(count()).toBeLessThanOrEqual(tries + 2);
          const lossOf = async ({ z }: Aggregate): Promise<number> => {
            const adapter = mix({ ...layout, own: options.given.own.theta, z, lambda: 0.5 });
            return (await trainer.evaluate({ set: "validation", adapter })).loss;
          };
          expect(await lossOf(result)).toBeLessThanOrEqual(await lossOf(options.whole));
        },
      ),
      { numRuns: 60 },
    );
  });

  it("looks at nothing under other rules, without tries, and where there is one neighbour", async () => {
    const { trainer, count } = judge(() => 1);
    const mean = { ...MANIFEST_DEFAULTS.aggregation, rule: "mean" } as const;
    for (const options of [
      round({ ...honest(7), ...liars(2) }, { tries: 0 }),
      round({ ...honest(7), ...liars(2) }, { settings: mean }),
      round(liars(1)),
    ]) {
      expect(await withoutHarm({ trainer, logger, aggregate }, options)).toBe(options.whole);
    }
    expect(count()).toBe(0);
  });

  it("keeps somebody where everybody harms, and the whole where nothing can be told", async () => {
    const options = round({ ...honest(1), ...liars(1) });
    const far = judge((i) => (i < 20 ? -3 : 1));
    const { z } = await withoutHarm({ trainer: far.trainer, logger, aggregate }, options);
    expect(z).not.toEqual(options.given.own.theta);
    const blind = { evaluate: async () => ({ loss: 1 }) } as unknown as Trainer;
    expect(await withoutHarm({ trainer: blind, logger, aggregate }, options)).toBe(options.whole);
  });

  it("stops between two evaluations", async () => {
    const { trainer, count } = judge(() => 1);
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(withoutHarm({ trainer, logger, aggregate }, round(honest(3), { signal }))).rejects.toThrow("enough");
    expect(count()).toBe(0);
  });
});

it("parts neighbours into groups of nearly one size that stand side by side", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 70 }), fc.integer({ min: 0, max: 20 }), (count, max) => {
      const kept = Array.from({ length: count }, (_, i) => `p${i}`);
      const groups = groupsOf(kept, max);
      expect(groups).toHaveLength(Math.min(count, max));
      if (groups.length === 0) return;
      expect(groups.flat()).toEqual(kept);
      const sizes = groups.map(({ length }) => length);
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    }),
  );
});

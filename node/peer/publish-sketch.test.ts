import { randomFillSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { parameterCount } from "../../protocol/adapter-spec.ts";
import type { SketchComponent } from "../../protocol/sketch.ts";
import type { PrivacySettings } from "../interface/privacy.ts";
import { epsilonOf } from "../privacy/accountant.ts";
import { createPrivacyGuard } from "../privacy/privacy-guard.ts";
import { createDataSimilarity } from "../round/data-similarity.ts";
import { testManifest } from "../round/twins.suite.ts";
import type { SketchCall } from "../system/compute/trainer-thread.ts";
import { createMemoryStore } from "../system/files/memory-store.ts";
import { silentLogger } from "../system/network/transport.suite.ts";
import { publishSketch, SKETCH_EXAMPLES } from "./publish-sketch.ts";

const random = { fill: (out: Uint8Array) => void randomFillSync(out) };
const manifest = testManifest();
const EXAMPLE: PrivacySettings = { mode: "example", clip: 1, noise: 1.1, epsilon: 4, delta: 1e-5 };
const guardOf = (settings: PrivacySettings, store = createMemoryStore(), fresh = true) =>
  createPrivacyGuard(
    { store, random },
    {
      settings,
      manifest,
      peer: "a",
      examples: 1000,
      commonStart: new Float32Array(parameterCount(manifest.tensors)),
      fresh,
    },
  );

const SKETCH: readonly SketchComponent[] = [
  { weight: 1, mean: new Float64Array(32), deviation: new Float64Array(32).fill(0.5) },
];

/** A peer's sketches and trainer, with what was asked of the trainer. */
function peerOf({ isAuthor = true } = {}) {
  let own: readonly SketchComponent[] | undefined;
  const asked: SketchCall[] = [];
  const sketches = {
    isAuthor: () => isAuthor,
    own: () => own,
    of: () => undefined,
    publish: async (components: readonly SketchComponent[]) => {
      own = components;
    },
  };
  const trainer = {
    sketch: async (call: SketchCall) => {
      asked.push(call);
      return SKETCH;
    },
  };
  return { asked, dependencies: { sketches, trainer, random, logger: silentLogger } };
}
const options = { manifest, examples: 2000, peerSeed: 3 };

describe("a peer's sketch", () => {
  test("is made once, of at most so many examples, none twice and always the same ones", async () => {
    const { asked, dependencies } = peerOf();
    await publishSketch(dependencies, options);
    await publishSketch(dependencies, options);
    expect(asked).toHaveLength(1);
    const { examples, noise } = asked[0]!;
    expect(noise).toBeUndefined();
    expect(new Set(examples).size).toBe(SKETCH_EXAMPLES);
    expect(examples.every((i) => i >= 0 && i < 2000)).toBe(true);
    const again = peerOf();
    await publishSketch(again.dependencies, options);
    expect(again.asked[0]!.examples).toEqual(examples);
  });

  test("with noise is of examples that take part by chance, so that the budget counts a sample", async () => {
    const { asked, dependencies } = peerOf();
    const privacy = await guardOf(EXAMPLE);
    await publishSketch({ ...dependencies, privacy }, { ...options, noise: 2 });
    const { examples, noise } = asked[0]!;
    expect(noise).toBe(2);
    // 512 in the mean with a deviation of 20; 8 of them either way.
    expect(Math.abs(examples.length - SKETCH_EXAMPLES)).toBeLessThan(160);
    const rate = SKETCH_EXAMPLES / 2000;
    expect(privacy.status().spent).toBeCloseTo(epsilonOf([{ noise: 2, rate, count: 1 }], EXAMPLE.delta), 12);
    const other = peerOf();
    await publishSketch(other.dependencies, { ...options, noise: 2 });
    expect(other.asked[0]!.examples).not.toEqual(examples);
  });

  test.each([
    ["without noise beside a budget", EXAMPLE, undefined],
    ["where the budget does not cover it", { ...EXAMPLE, epsilon: 0.1 }, 1],
    ["where all data are protected at once", { ...EXAMPLE, mode: "update" as const }, 5],
  ])("is not sent %s, and costs nothing then", async (_, settings, noise) => {
    const { asked, dependencies } = peerOf();
    const privacy = await guardOf(settings);
    await publishSketch({ ...dependencies, privacy }, { ...options, noise });
    expect(asked).toEqual([]);
    expect(dependencies.sketches.own()).toBeUndefined();
    expect(privacy.status().spent).toBe(0);
  });

  test("is not sent by who only listens", async () => {
    const { asked, dependencies } = peerOf({ isAuthor: false });
    await publishSketch(dependencies, options);
    expect(asked).toEqual([]);
  });

  test("counts beside the steps, in the store, before and after them", async () => {
    const store = createMemoryStore();
    const guard = await guardOf(EXAMPLE, store);
    await guard.beforeSteps(5);
    expect(guard.status().spent).toBe(0);
    expect(await guard.releaseSketch({ noise: 2, rate: 0.5 })).toBe(true);
    const alone = epsilonOf([{ noise: 2, rate: 0.5, count: 1 }], EXAMPLE.delta);
    expect((await guardOf(EXAMPLE, store, false)).status().spent).toBeCloseTo(alone, 12);
    await guard.release({ round: 0, theta: new Float32Array(1) });
    expect(guard.status().spent).toBeGreaterThan(alone);
  });
});

describe("data similarity", () => {
  test("is exp(-D / t), asked for once for each sketch, and of nobody without a sketch on either side", async () => {
    const others = new Map<string, readonly SketchComponent[]>([["b", SKETCH]]);
    let own: readonly SketchComponent[] | undefined;
    let compared = 0;
    const similarity = createDataSimilarity(
      {
        sketches: { own: () => own, of: (author) => others.get(author) },
        distances: async (pairs) => {
          compared += pairs.others.length;
          return pairs.others.map(() => 0.3);
        },
      },
      { temperature: 0.1 },
    );
    expect([...(await similarity.of(["b", "c"]))]).toEqual([]);
    own = SKETCH;
    expect([...(await similarity.of(["b", "c"]))]).toEqual([["b", Math.exp(-0.3 / 0.1)]]);
    others.set("c", [...SKETCH]);
    expect((await similarity.of(["b", "c"])).size).toBe(2);
    expect(compared).toBe(2);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { NetworkId } from "../../protocol/network-id.ts";
import { createPrng } from "../../protocol/prng.ts";
import { decodeSketchBody, encodeSketchBody, SKETCH_FEATURES } from "../../protocol/sketch.ts";
import { dataSimilarity, sketchDistance } from "./data-sketch.ts";
import { sketchFeatures, sketchOfFeatures } from "./sketch-of-features.ts";

const seeds = fc.integer({ min: 1, max: 1e6 });
const NETWORK = "ab".repeat(32) as NetworkId;

/** Points around one centre for each class, the same centres for all seeds. */
function pooledOf(seed: number, { count = 24, width = 48, classes = 3, only = [0, 1, 2] }) {
  const prng = createPrng(seed);
  const centres = Array.from({ length: classes }, (_, c) => {
    const stream = createPrng(7).fork(`centre-${c}`);
    return Array.from({ length: width }, () => 3 * stream.normal());
  });
  const labels = Array.from({ length: count }, (_, i) => only[i % only.length]!);
  const values = Float32Array.from(labels.flatMap((c) => centres[c]!.map((x) => x + 0.3 * prng.normal())));
  return { values, width, classes: labels, classCount: classes };
}

describe("features of a sketch", () => {
  it("have length 1, whatever the width and scale, and are alike where the network's seed is", () => {
    fc.assert(
      fc.property(
        seeds,
        fc.constantFrom(8, 32, 48),
        fc.double({ min: 0.01, max: 100, noNaN: true }),
        (seed, width, scale) => {
          const pooled = pooledOf(seed, { count: 4, width });
          const x = sketchFeatures(pooled, seed);
          const scaled = sketchFeatures({ width, values: pooled.values.map((v) => v * scale) }, seed);
          for (const [i, one] of x.entries()) {
            expect(one).toHaveLength(SKETCH_FEATURES);
            expect(Math.hypot(...one)).toBeCloseTo(1, 12);
            for (const [f, v] of one.entries()) expect(scaled[i]![f]).toBeCloseTo(v, 5);
          }
        },
      ),
      { numRuns: 20 },
    );
  });

  it("of nothing are nothing, and what is no number is refused", () => {
    expect(sketchFeatures({ values: new Float32Array(40), width: 40 }, 1)[0]!.every((v) => v === 0)).toBe(true);
    expect(() => sketchFeatures({ values: Float32Array.of(1, Number.NaN), width: 2 }, 1)).toThrow("not finite");
  });
});

describe("the sketch of features", () => {
  it("can be sent, and tells peers with the same classes from those with others", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const sketch = (peerSeed: number, only: number[]) => {
          const made = sketchOfFeatures(pooledOf(peerSeed, { only }), { networkSeed: 5, peerSeed });
          return decodeSketchBody(encodeSketchBody({ networkId: NETWORK, components: made })).components;
        };
        const [a, b, other] = [sketch(seed, [0, 1]), sketch(seed + 1, [0, 1]), sketch(seed + 2, [1, 2])];
        expect(sketchDistance(a, a)).toBeCloseTo(0, 9);
        expect(sketchDistance(a, b)).toBeCloseTo(sketchDistance(b, a), 9);
        expect(dataSimilarity(a, b, 0.5)).toBeGreaterThan(dataSimilarity(a, other, 0.5));
      }),
      { numRuns: 12 },
    );
  });

  it("has at most 64 components: fewer for each class where there are many, none by class where there are too many", () => {
    const many = sketchOfFeatures(
      pooledOf(1, { count: 400, width: 8, classes: 40, only: Array.from({ length: 40 }, (_, c) => c) }),
      { networkSeed: 1, peerSeed: 1 },
    );
    expect(many).toHaveLength(40);
    const over = { ...pooledOf(1, { count: 140, width: 8, classes: 70, only: [0, 69] }) };
    expect(sketchOfFeatures(over, { networkSeed: 1, peerSeed: 1 }).length).toBeLessThanOrEqual(12);
    const text = sketchOfFeatures(
      { ...pooledOf(1, {}), classes: undefined as never, classCount: 1 },
      { networkSeed: 1, peerSeed: 1 },
    );
    expect(text.length).toBeGreaterThanOrEqual(2);
  });

  it("with noise has one component for every class of the model, and is near the one without where noise is small", () => {
    const pooled = pooledOf(3, { count: 300, only: [0, 2] });
    const prng = createPrng(9);
    const noisy = (noise: number) =>
      sketchOfFeatures(pooled, { networkSeed: 5, peerSeed: 3, noise, normal: () => prng.normal() });
    expect(noisy(0.5)).toHaveLength(3);
    const plain = sketchOfFeatures(pooled, { networkSeed: 5, peerSeed: 3 });
    expect(sketchDistance(noisy(0.01), plain)).toBeLessThan(0.05);
    expect(sketchDistance(noisy(0.01), plain)).toBeLessThan(sketchDistance(noisy(50), plain));
    expect(() => encodeSketchBody({ networkId: NETWORK, components: noisy(50) })).not.toThrow();
    expect(() => sketchOfFeatures(pooled, { networkSeed: 5, peerSeed: 3, noise: 1 })).toThrow(TypeError);
  });
});

/** The sketch that a peer sends, computed from the base model's features of its examples. */
import { LIMITS } from "../../protocol/limits.ts";
import { createPrng } from "../../protocol/prng.ts";
import { SKETCH_FEATURES } from "../../protocol/sketch.ts";
import { orthonormalRowsFromSeed } from "../adapter/orthonormal.ts";
import type { PooledFeatures } from "../interface/trainer.ts";
import { CLUSTER_COUNT, type DataSketch, dataSketch, noisySketch } from "./data-sketch.ts";
import { COMPONENTS_MAX } from "./gaussian-mixture.ts";

/** What a sketch is computed with, apart from the features. */
export interface SketchOptions {
  readonly networkSeed: number;
  /** The seed of the choices of clusters and mixtures. */
  readonly peerSeed: number;
  /** Multiplier of the Gaussian mechanism; no noise when absent. */
  readonly noise?: number;
  /** Draws of N(0, 1) that nobody can foresee; needed with noise. */
  readonly normal?: () => number;
}

/**
 * x = P h / |P h|, P the network's own projection to 32 features: of length 1, so that an example counts no more than
 * another, and few, so that noise on them stays small. 0 where h is.
 * Shapes: h [D] each, row-major -> x [32] each.
 * Source: protocol/README.md 6.10.
 */
export function sketchFeatures(
  { values, width }: Pick<PooledFeatures, "values" | "width">,
  networkSeed: number,
): readonly Float64Array[] {
  const rows = Math.min(SKETCH_FEATURES, width);
  const P = orthonormalRowsFromSeed(createPrng(networkSeed).fork("sketch"), rows, width);
  return Array.from({ length: values.length / width }, (_, n) => {
    const x = new Float64Array(SKETCH_FEATURES);
    for (let f = 0; f < rows; f++) {
      for (let d = 0; d < width; d++) x[f]! += P[f * width + d]! * values[n * width + d]!;
    }
    const length = Math.sqrt(x.reduce((sum, v) => sum + v * v, 0));
    if (!Number.isFinite(length)) throw new RangeError(`the features of example ${n} are not finite`);
    return length === 0 ? x : x.map((v) => v / length);
  });
}

/**
 * The sketch of pooled features, at most LIMITS.sketchComponentCountMax components: by class where there are classes, and
 * no more of them than components; with noise one Gaussian for each class that there could be.
 */
export function sketchOfFeatures(pooled: PooledFeatures, options: SketchOptions): DataSketch {
  const { networkSeed, peerSeed, noise, normal } = options;
  const features = sketchFeatures(pooled, networkSeed);
  const countMax = LIMITS.sketchComponentCountMax;
  const { classes, classCount } = pooled.classes && pooled.classCount <= countMax ? pooled : { classCount: 1 };
  if (noise !== undefined) {
    if (normal === undefined) throw new TypeError("a noisy sketch needs a source of noise");
    return noisySketch(features, { classes: classes ?? features.map(() => 0), classCount, multiplier: noise, normal });
  }
  const groups = classes ? new Set(classes).size : CLUSTER_COUNT;
  const componentsMax = Math.max(1, Math.min(COMPONENTS_MAX, Math.floor(countMax / groups)));
  const sketch = dataSketch(features, { classes, componentsMax, prng: createPrng(peerSeed).fork("sketch") });
  // Rounding, and what a variance is at least, may lead a hair beyond what is sent.
  return sketch.map(({ weight, mean, deviation }) => ({
    weight,
    mean: mean.map((m) => Math.min(1, Math.max(-1, m))),
    deviation: deviation.map((d) => Math.min(1, d)),
  }));
}

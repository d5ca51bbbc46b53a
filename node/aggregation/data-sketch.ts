/**
 * A sketch of a data set without its examples: for each class (or each cluster, where there are no classes) its share
 * and a mixture of at most three Gaussians over features of the frozen base model; and how alike two such sketches are.
 * A sketch tells how often each class occurs and roughly what its examples are about. `noisySketch` bounds what it tells of
 * one example.
 * Source: CE-LoRA, arXiv:2503.23869; the noise, the clusters and the exact transport are this project's own.
 */
import type { Prng } from "../../protocol/prng.ts";
import {
  COMPONENTS_MAX,
  clusterCentres,
  fitMixture,
  type GaussianComponent,
  nearestCentre,
} from "./gaussian-mixture.ts";
import { optimalTransport } from "./optimal-transport.ts";

/** All components of all classes; their weights add up to 1. */
export type DataSketch = readonly GaussianComponent[];

/** Clusters where there are no classes. */
export const CLUSTER_COUNT = 4;

/**
 * The mixture over all classes: each class's own mixture, weighed by its share of the examples.
 * Shapes: features [F] each, one per example, at least one; classes one per example, absent: clusters by k-means.
 */
export function dataSketch(
  features: readonly Float64Array[],
  {
    classes,
    prng,
    componentsMax = COMPONENTS_MAX,
  }: {
    readonly classes?: readonly number[] | undefined;
    readonly prng: Prng;
    /** Most Gaussians of each class. */
    readonly componentsMax?: number;
  },
): DataSketch {
  if (features.length === 0) throw new RangeError("a sketch of no examples");
  const groupOf = classes ?? clustersOf(features, prng.fork("clusters"));
  if (groupOf.length !== features.length)
    throw new RangeError(`${groupOf.length} classes of ${features.length} examples`);
  const groups = [...new Set(groupOf)].sort((a, b) => a - b);
  return groups.flatMap((group) => {
    const own = features.filter((_, i) => groupOf[i] === group);
    const share = own.length / features.length;
    const mixture = fitMixture(own, { prng: prng.fork(`class-${group}`), componentsMax });
    return mixture.map((component) => ({ ...component, weight: share * component.weight }));
  });
}

/**
 * A sketch of one Gaussian per class whose sums were made noisy, so that it is differentially private: features are cut to
 * length 1, and each class releases N + noise for its count, Σ x and Σ x², with noise N(0, (σ √3)²) for every number. One
 * example, added or taken away, changes count, Σ x and Σ x² by at most 1 each, √3 together: this is one release of the
 * Gaussian mechanism with multiplier σ. What classes there are must be known without looking at the data.
 * Shapes: features [F] each; classes 0 to classCount - 1, one per example. normal: draws that nobody can foresee.
 * Source: Dwork and Roth 2014, appendix A, the Gaussian mechanism.
 */
export function noisySketch(
  features: readonly Float64Array[],
  {
    classes,
    classCount,
    multiplier,
    normal,
  }: {
    readonly classes: readonly number[];
    readonly classCount: number;
    readonly multiplier: number;
    readonly normal: () => number;
  },
): DataSketch {
  if (!(multiplier > 0)) throw new RangeError(`a noise multiplier of ${multiplier}`);
  if (features.length === 0 || features.length !== classes.length) {
    throw new RangeError(`${classes.length} classes of ${features.length} examples`);
  }
  const noise = (): number => multiplier * Math.sqrt(3) * normal();
  const cut = features.map((x) => {
    const length = Math.sqrt(x.reduce((sum, v) => sum + v * v, 0));
    return length > 1 ? x.map((v) => v / length) : x;
  });
  const groups = Array.from({ length: classCount }, (_, group) => {
    const own = cut.filter((_, i) => classes[i] === group);
    const sumOf = (f: number, power: number): number => own.reduce((sum, x) => sum + x[f]! ** power, 0) + noise();
    // Never less than one example, whatever the noise says.
    const count = Math.max(1, own.length + noise());
    const mean = features[0]!.map((_, f) => Math.min(1, Math.max(-1, sumOf(f, 1) / count)));
    const deviation = mean.map((m, f) => Math.sqrt(Math.min(1, Math.max(0, sumOf(f, 2) / count - m * m))));
    return { weight: count, mean, deviation };
  });
  const total = groups.reduce((sum, { weight }) => sum + weight, 0);
  return groups.map((group) => ({ ...group, weight: group.weight / total }));
}

/** |μ1 - μ2|² + |σ1 - σ2|², the squared 2-Wasserstein distance of Gaussians with diagonal covariances. */
export function squaredWasserstein(a: GaussianComponent, b: GaussianComponent): number {
  let sum = 0;
  for (let f = 0; f < a.mean.length; f++) {
    sum += (a.mean[f]! - b.mean[f]!) ** 2 + (a.deviation[f]! - b.deviation[f]!) ** 2;
  }
  return sum;
}

/**
 * D: the least Σ x_ij W²(i, j) over all ways to carry one mixture's weights over to the other's; a bound from above of the
 * squared 2-Wasserstein distance of the mixtures.  Source: Delon and Desolneux 2020, arXiv:1907.05254.
 */
export function sketchDistance(a: DataSketch, b: DataSketch): number {
  const cost = Float64Array.from(a.flatMap((one) => b.map((other) => squaredWasserstein(one, other))));
  const massesOf = (sketch: DataSketch): number[] => sketch.map(({ weight }) => weight);
  return optimalTransport(cost, massesOf(a), massesOf(b)).cost;
}

/** exp(-D / τ), 0 to 1. */
export function dataSimilarity(a: DataSketch, b: DataSketch, temperature: number): number {
  return Math.exp(-sketchDistance(a, b) / temperature);
}

function clustersOf(features: readonly Float64Array[], prng: Prng): readonly number[] {
  const centres = clusterCentres(features, Math.min(CLUSTER_COUNT, features.length), prng);
  return features.map((point) => nearestCentre(point, centres));
}

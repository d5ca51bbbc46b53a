/** Mixtures of Gaussians with a variance of its own for every feature, fitted by expectation and maximisation. */
import type { Prng } from "../../protocol/prng.ts";

/** One Gaussian of a mixture, with a variance for every feature. */
export interface GaussianComponent {
  /** Share of the mixture, above 0. */
  readonly weight: number;
  readonly mean: Float64Array;
  /** Standard deviations, 0 or more. */
  readonly deviation: Float64Array;
}

/** Most components of one fit: a class seldom has more groups, and each costs as many bytes again (arXiv:2503.23869). */
export const COMPONENTS_MAX = 3;

/** Steps of expectation and maximisation; a mixture of three is found within a few dozen. */
const STEPS_MAX = 100;
/** Gain in mean log likelihood that is worth another step. */
const GAIN_MIN = 1e-6;
/** Added to every variance, as a share of the mean variance of the data, so that no component shrinks to a point. */
const VARIANCE_FLOOR = 1e-4;

/**
 * The mixture of 1 to `componentsMax` components with the least k ln n - 2 ln L, k its free numbers (BIC; Schwarz 1978).
 * Shapes: points [F] each, at least one.
 */
export function fitMixture(
  points: readonly Float64Array[],
  { componentsMax = COMPONENTS_MAX, prng }: { readonly componentsMax?: number; readonly prng: Prng },
): readonly GaussianComponent[] {
  if (points.length === 0) throw new RangeError("a mixture of no points");
  const features = points[0]!.length;
  let best: { readonly mixture: readonly GaussianComponent[]; readonly score: number } | undefined;
  for (let count = 1; count <= Math.min(componentsMax, points.length); count++) {
    const { mixture, logLikelihood } = expectationMaximisation(points, count, prng.fork(`components-${count}`));
    const free = count * 2 * features + count - 1;
    const score = free * Math.log(points.length) - 2 * points.length * logLikelihood;
    if (best === undefined || score < best.score) best = { mixture, score };
  }
  return best!.mixture;
}

/** Centres of `count` clusters: far apart at first, then the means of who is nearest (Lloyd; Arthur and Vassilvitskii 2007). */
export function clusterCentres(points: readonly Float64Array[], count: number, prng: Prng): readonly Float64Array[] {
  const centres = [points[prng.below(points.length)]!];
  while (centres.length < count) {
    const squares = points.map((point) => Math.min(...centres.map((centre) => squareOf(point, centre))));
    let ticket = prng.uniform() * squares.reduce((sum, square) => sum + square, 0);
    const chosen = squares.findIndex((square) => (ticket -= square) < 0);
    if (chosen < 0) break;
    centres.push(points[chosen]!);
  }
  let current: readonly Float64Array[] = centres;
  for (let step = 0; step < STEPS_MAX; step++) {
    const nearest = points.map((point) => nearestCentre(point, current));
    const next = current.map((centre, k) => {
      const own = points.filter((_, i) => nearest[i] === k);
      return own.length === 0 ? centre : centre.map((_, f) => own.reduce((sum, x) => sum + x[f]!, 0) / own.length);
    });
    if (next.every((centre, k) => squareOf(centre, current[k]!) === 0)) break;
    current = next;
  }
  return current;
}

/** The index of the centre that is nearest to a point by Euclidean distance, the first one of equals. */
export function nearestCentre(point: Float64Array, centres: readonly Float64Array[]): number {
  let nearest = 0;
  for (const [k, centre] of centres.entries()) {
    if (squareOf(point, centre) < squareOf(point, centres[nearest]!)) nearest = k;
  }
  return nearest;
}

function expectationMaximisation(
  points: readonly Float64Array[],
  count: number,
  prng: Prng,
): { readonly mixture: readonly GaussianComponent[]; readonly logLikelihood: number } {
  const features = points[0]!.length;
  const all = maximise(points, [points.map(() => 1)], 0)[0]!;
  const floor = VARIANCE_FLOOR * (all.deviation.reduce((sum, d) => sum + d * d, 0) / features) + Number.MIN_VALUE;
  const centres = clusterCentres(points, count, prng);
  const nearest = points.map((point) => nearestCentre(point, centres));
  let mixture = maximise(
    points,
    centres.map((_, k) => nearest.map((own) => (own === k ? 1 : 0))),
    floor,
  );
  let logLikelihood = Number.NEGATIVE_INFINITY;
  for (let step = 0; step < STEPS_MAX; step++) {
    const shares = mixture.map(() => new Array<number>(points.length).fill(0));
    let total = 0;
    for (const [i, point] of points.entries()) {
      const logs = mixture.map((component) => Math.log(component.weight) + logDensity(point, component));
      const largest = Math.max(...logs);
      const sum = logs.reduce((s, log) => s + Math.exp(log - largest), 0);
      total += largest + Math.log(sum);
      for (const [k, log] of logs.entries()) shares[k]![i] = Math.exp(log - largest) / sum;
    }
    const mean = total / points.length;
    if (mean - logLikelihood < GAIN_MIN) return { mixture, logLikelihood: mean };
    logLikelihood = mean;
    mixture = maximise(points, shares, floor);
  }
  return { mixture, logLikelihood };
}

/** The components whose points are shared out as given; those without any are left out. */
function maximise(
  points: readonly Float64Array[],
  shares: readonly (readonly number[])[],
  floor: number,
): readonly GaussianComponent[] {
  const mixture: GaussianComponent[] = [];
  for (const share of shares) {
    const mass = share.reduce((sum, s) => sum + s, 0);
    if (mass < 1e-9) continue;
    const mean = points[0]!.map((_, f) => points.reduce((sum, x, i) => sum + share[i]! * x[f]!, 0) / mass);
    const deviation = mean.map((m, f) =>
      Math.sqrt(floor + points.reduce((sum, x, i) => sum + share[i]! * (x[f]! - m) ** 2, 0) / mass),
    );
    mixture.push({ weight: mass / points.length, mean, deviation });
  }
  return mixture;
}

function logDensity(point: Float64Array, { mean, deviation }: GaussianComponent): number {
  let sum = 0;
  for (const [f, x] of point.entries()) {
    sum -= ((x - mean[f]!) / deviation[f]!) ** 2 / 2 + Math.log(deviation[f]!) + Math.log(2 * Math.PI) / 2;
  }
  return sum;
}

function squareOf(x: Float64Array, y: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += (x[i]! - y[i]!) ** 2;
  return sum;
}

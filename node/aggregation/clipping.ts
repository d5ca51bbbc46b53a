/** Rules that let nobody pull further than a given length: centred clipping, clipped gossip, and the norm clip. */
import { coordinateMedian } from "./coordinate-median.ts";
import { checkPoints } from "./mean.ts";

/**
 * Steps of centred clipping. The published rule takes one from the aggregate of the round before; ours has no memory and
 * starts at the coordinate median, off by the spread of the honest points at most. With a share ε of liars each step
 * leaves ε of what was off, so that after 5 steps at ε = 1/4 it is below a thousandth.
 */
export const CENTRED_CLIPPING_STEPS = 5;

/**
 * c + (Σ α_j clip(x_j - c, τ)) / Σ α_j with clip(d, τ) = d min(1, τ / |d|), summed in the order given. One point moves
 * the result by at most its share of the weight times τ.
 * Shapes: points [P] each, weights one per point, above 0, centre [P] → [P].
 * Throws: RangeError unless radius is above 0 and points, weights and centre fit each other.
 */
export function clippedMean(
  points: readonly Float64Array[],
  weights: readonly number[],
  { centre, radius }: { readonly centre: Float64Array; readonly radius: number },
): Float64Array {
  checkPoints(points, weights);
  checkCentre(points, centre);
  if (!(radius > 0)) throw new RangeError(`a clipping radius of ${radius}`);
  const moved = new Float64Array(centre.length);
  let total = 0;
  for (const [j, point] of points.entries()) {
    const weight = weights[j]!;
    total += weight;
    const share = weight * shrinkage(distance(point, centre), radius);
    for (let i = 0; i < moved.length; i++) moved[i]! += share * (point[i]! - centre[i]!);
  }
  for (let i = 0; i < moved.length; i++) moved[i] = centre[i]! + moved[i]! / total;
  return moved;
}

/**
 * v_0 = coordinate median, v_(l+1) = clippedMean around v_l; z = v_5.
 * Shapes: points [P] each, weights one per point, above 0 → [P].
 * Throws: RangeError as `clippedMean`.
 * Source: Karimireddy, He and Jaggi 2021, arXiv:2012.10333; the start and the number of steps are this project's own.
 */
export function centredClipping(
  points: readonly Float64Array[],
  weights: readonly number[],
  radius: number,
): Float64Array {
  let centre = coordinateMedian(points, weights);
  for (let step = 0; step < CENTRED_CLIPPING_STEPS; step++) centre = clippedMean(points, weights, { centre, radius });
  return centre;
}

/**
 * One clipped step around the peer's own adapter: z = x_k + (Σ α_j clip(x_j - x_k, τ)) / Σ α_j. Mixed in with λ it is
 * ClippedGossip with weights λ α_j / Σ α_j.
 * Shapes: points [P] each, weights one per point, above 0, own [P] → [P].
 * Throws: RangeError as `clippedMean`.
 * Source: He, Karimireddy and Jaggi 2022, arXiv:2202.01545.
 */
export function clippedGossip(
  points: readonly Float64Array[],
  weights: readonly number[],
  { own, radius }: { readonly own: Float64Array; readonly radius: number },
): Float64Array {
  return clippedMean(points, weights, { centre: own, radius });
}

/**
 * Every point drawn in towards the own adapter to the median distance: x_j' = x_k + clip(x_j - x_k, M) with M the median
 * of |x_j - x_k|, the lower one of an even number, so that half of the neighbours cannot raise it. Weights have no part.
 * Shapes: points [P] each, own [P] → as many points; those that are near enough are returned as they are.
 * Throws: RangeError unless there are points of the length of `own`.
 */
export function clipToMedianNorm(points: readonly Float64Array[], own: Float64Array): readonly Float64Array[] {
  checkCentre(points, own);
  const norms = points.map((point) => distance(point, own));
  const median = [...norms].sort((a, b) => a - b)[(norms.length - 1) >> 1]!;
  return points.map((point, j) => {
    if (norms[j]! <= median) return point;
    const factor = median / norms[j]!;
    return point.map((x, i) => own[i]! + factor * (x - own[i]!));
  });
}

function shrinkage(norm: number, radius: number): number {
  return norm <= radius ? 1 : radius / norm;
}

function distance(x: Float64Array, y: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += (x[i]! - y[i]!) ** 2;
  return Math.sqrt(sum);
}

function checkCentre(points: readonly Float64Array[], centre: Float64Array): void {
  const odd = points.findIndex((point) => point.length !== centre.length);
  if (points.length === 0) throw new RangeError("clipping of no points");
  if (odd >= 0) throw new RangeError(`point ${odd} has ${points[odd]!.length} values, the centre ${centre.length}`);
}

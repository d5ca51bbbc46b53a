/** Rules that let nobody pull further than a given length: centred clipping, clipped gossip, and the norm clip. */
import { coordinateMedian } from "./coordinate-median.ts";
import { addWeighted } from "./mean.ts";
import { checkPoints, distances, type Point } from "./point.ts";
import type { RuleDefinition } from "./rule-definition.ts";

/** The rule `centred-clipping`. */
export const CENTRED_CLIPPING: RuleDefinition<"centred-clipping"> = {
  neighboursMin: () => 3,
  aggregate: ({ points, weights }, { radius }) => centredClipping(points, weights, radius),
};

/** The rule `clipped-gossip`. */
export const CLIPPED_GOSSIP: RuleDefinition<"clipped-gossip"> = {
  neighboursMin: () => 1,
  aggregate: ({ points, weights, own }, { radius }) => clippedGossip(points, weights, { own, radius }),
};

/**
 * Steps of centred clipping. The published rule takes one from the aggregate of the round before; ours has no memory and
 * starts at the coordinate median, off by the spread of the honest points at most. With a share ε of liars each step
 * leaves ε of what was off, so that after 5 steps at ε = 1/4 it is below a thousandth.
 */
export const CENTRED_CLIPPING_STEPS = 5;

/** Coordinates that are summed over all points before the next ones: 32 KiB of f64, which the first cache holds. */
const BLOCK = 4096;

/**
 * c + (Σ α_j clip(x_j - c, τ)) / Σ α_j with clip(d, τ) = d min(1, τ / |d|), summed in the order given. One point moves
 * the result by at most its share of the weight times τ.
 * Shapes: points [P] each, weights one per point, above 0, centre [P] → [P].
 * Throws: RangeError unless radius is above 0 and points, weights and centre fit each other.
 */
export function clippedMean(
  points: readonly Point[],
  weights: readonly number[],
  { centre, radius }: { readonly centre: Point; readonly radius: number },
): Float64Array {
  checkPoints(points, weights);
  checkCentre(points, centre);
  if (!(radius > 0)) throw new RangeError(`a clipping radius of ${radius}`);
  const norms = distances(points, centre);
  const shares = weights.map((weight, j) => weight * shrinkage(norms[j]!, radius));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const share = shares.reduce((sum, one) => sum + one, 0);
  const moved = new Float64Array(centre.length);
  for (let from = 0; from < moved.length; from += BLOCK) {
    const to = Math.min(moved.length, from + BLOCK);
    addWeighted(points, shares, { from, to }, moved);
    for (let i = from; i < to; i++) moved[i] = centre[i]! + (moved[i]! - share * centre[i]!) / total;
  }
  return moved;
}

/**
 * v_0 = coordinate median, v_(l+1) = clippedMean around v_l; z = v_5.
 * Shapes: points [P] each, weights one per point, above 0 → [P].
 * Throws: RangeError as `clippedMean`.
 * Source: Karimireddy, He and Jaggi 2021, arXiv:2012.10333; the start and the number of steps are this project's own.
 */
export function centredClipping(points: readonly Point[], weights: readonly number[], radius: number): Float64Array {
  let centre: Float64Array = coordinateMedian(points, weights);
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
  points: readonly Point[],
  weights: readonly number[],
  { own, radius }: { readonly own: Point; readonly radius: number },
): Float64Array {
  return clippedMean(points, weights, { centre: own, radius });
}

/**
 * Every point drawn in towards the own adapter to the median distance: x_j' = x_k + clip(x_j - x_k, M) with M the median
 * of |x_j - x_k|, the lower one of an even number, so that half of the neighbours cannot raise it. Weights have no part.
 * Shapes: points [P] each, own [P], out at least ⌊points / 2⌋ P values for those that are drawn in, new when absent → as
 * many points; those that are near enough are returned as they are.
 * Throws: RangeError unless there are points of the length of `own`.
 */
export function clipToMedianNorm(points: readonly Point[], own: Point, out?: Point): readonly Point[] {
  checkCentre(points, own);
  const norms = distances(points, own);
  const median = norms.slice().sort()[(norms.length - 1) >> 1]!;
  let used = 0;
  return points.map((point, j) => {
    if (norms[j]! <= median) return point;
    const factor = median / norms[j]!;
    const near = out === undefined ? point.slice() : out.subarray(used, used + point.length);
    used += point.length;
    for (let i = 0; i < near.length; i++) near[i] = own[i]! + factor * (point[i]! - own[i]!);
    return near;
  });
}

function shrinkage(norm: number, radius: number): number {
  return norm <= radius ? 1 : radius / norm;
}

function checkCentre(points: readonly Point[], centre: Point): void {
  const odd = points.findIndex((point) => point.length !== centre.length);
  if (points.length === 0) throw new RangeError("clipping of no points");
  if (odd >= 0) throw new RangeError(`point ${odd} has ${points[odd]!.length} values, the centre ${centre.length}`);
}

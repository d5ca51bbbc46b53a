/** The weighted arithmetic mean of points. */
import { checkPoints, type Point } from "./point.ts";
import type { RuleDefinition } from "./rule-definition.ts";

/** The rule `mean`. */
export const MEAN: RuleDefinition<"mean"> = {
  neighboursMin: () => 1,
  aggregate: ({ points, weights }) => weightedMean(points, weights),
};

/** Coordinates that are summed over all points before the next ones: 32 KiB of f64, which the first cache holds. */
const BLOCK = 4096;

/**
 * z = (Σ α_j x_j) / Σ α_j, summed in the order given. One point is returned as it is.
 * Shapes: points [P] each, weights one per point, above 0 → [P].
 * Throws: RangeError when there is no point, or the points and weights do not fit each other.
 */
export function weightedMean(points: readonly Point[], weights: readonly number[]): Float64Array {
  checkPoints(points, weights);
  if (points.length === 1) return Float64Array.from(points[0]!);
  const z = new Float64Array(points[0]!.length);
  let total = 0;
  for (const weight of weights) total += weight;
  for (let from = 0; from < z.length; from += BLOCK) {
    const to = Math.min(z.length, from + BLOCK);
    addWeighted(points, weights, { from, to }, z);
    for (let i = from; i < to; i++) z[i]! /= total;
  }
  return z;
}

/** out_i += Σ α_j x_ji over the coordinates from `from` up to `to`, in the order of the points; four at a time. */
export function addWeighted(
  points: readonly Point[],
  weights: readonly number[],
  { from, to }: { readonly from: number; readonly to: number },
  out: Float64Array,
): void {
  let j = 0;
  for (; j + 3 < points.length; j += 4) {
    const [a, b, c, d] = [points[j]!, points[j + 1]!, points[j + 2]!, points[j + 3]!];
    const [p, q, r, s] = [weights[j]!, weights[j + 1]!, weights[j + 2]!, weights[j + 3]!];
    for (let i = from; i < to; i++) out[i] = out[i]! + p * a[i]! + q * b[i]! + r * c[i]! + s * d[i]!;
  }
  for (; j < points.length; j++) {
    const [a, p] = [points[j]!, weights[j]!];
    for (let i = from; i < to; i++) out[i]! += p * a[i]!;
  }
}

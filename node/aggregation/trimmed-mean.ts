/** The mean of every coordinate without its extremes. */
import { selectInPlace } from "./order-statistic.ts";
import { checkPoints, forEachColumn, type Point } from "./point.ts";
import type { RuleDefinition } from "./rule-definition.ts";

/** The rule `trimmed-mean`. */
export const TRIMMED_MEAN: RuleDefinition<"trimmed-mean"> = {
  neighboursMin: ({ trim }) => {
    let min = Math.max(3, Math.floor(1 / trim));
    while (trimmedCount(trim, min) < 1) min++;
    return min;
  },
  aggregate: ({ points, weights }, { trim }) => trimmedMean(points, weights, trim),
};

/** The most that rounding takes from a whole number of points: 0.29 · 100 is below 29 in f64. */
const ROUNDING = 1e-9;

/** Values that are cut off at either end of n: ⌊share · n⌋. */
export function trimmedCount(share: number, n: number): number {
  return Math.floor(share * n + ROUNDING);
}

/**
 * z_i = the weighted mean of x_ji over the points j that are neither among the ⌊share · n⌋ smallest nor among the
 * ⌊share · n⌋ largest of coordinate i; of equal values the first points count as the smaller. Points are counted, not
 * weighed, when they are cut: a light one may lie as well.
 * Shapes: points [P] each, weights one per point, above 0 → [P].
 * Throws: RangeError when the share is not from 0 to below 1/2, or the points and weights do not fit each other.
 * Source: Yin et al. 2018, arXiv:1803.01498; the weights are this project's own.
 */
export function trimmedMean(points: readonly Point[], weights: readonly number[], share: number): Float64Array {
  checkPoints(points, weights);
  if (!(share >= 0 && share < 0.5)) throw new RangeError(`a trimmed share of ${share} is not from 0 to below 1/2`);
  const n = points.length;
  const cut = trimmedCount(share, n);
  const isEven = weights.every((weight) => weight === weights[0]);
  const given = new Float64Array(n);
  const z = new Float64Array(points[0]!.length);
  forEachColumn(points, (column, i) => {
    if (!isEven) given.set(column);
    const low = selectInPlace(column, cut);
    const high = selectInPlace(column, n - 1 - cut, cut);
    if (low === high) z[i] = low;
    else z[i] = isEven ? meanOf(column, cut, n - cut) : meanBetween(given, weights, { low, high, cut });
  });
  return z;
}

/** The mean of values[from..to]: those that selection left between the ones that are cut. */
function meanOf(values: Float64Array, from: number, to: number): number {
  let sum = 0;
  for (let j = from; j < to; j++) sum += values[j]!;
  return sum / (to - from);
}

/** The weighted mean of the values that stay, low and high being the smallest and the largest of them. */
function meanBetween(
  values: Float64Array,
  weights: readonly number[],
  { low, high, cut }: { readonly low: number; readonly high: number; readonly cut: number },
): number {
  // Of the points that equal `low`, as many are cut as the smaller ones leave to cut; at `high` likewise.
  let lowToCut = cut;
  let highToKeep = values.length - cut;
  for (let j = 0; j < values.length; j++) {
    if (values[j]! < low) lowToCut--;
    if (values[j]! < high) highToKeep--;
  }
  let sum = 0;
  let total = 0;
  for (let j = 0; j < values.length; j++) {
    const x = values[j]!;
    if (x < low || x > high) continue;
    if (x === low && lowToCut-- > 0) continue;
    if (x === high && highToKeep-- <= 0) continue;
    sum += weights[j]! * x;
    total += weights[j]!;
  }
  return sum / total;
}

/** The weighted median of every coordinate by itself. */
import { checkPoints } from "./mean.ts";
import { selectInPlace } from "./order-statistic.ts";

/** Part of the total weight by which two sums may differ and still count as equal halves: rounding, and nothing else. */
const HALF_TOLERANCE = 1e-12;

/**
 * z_i = the value x_ji at which the weights of smaller values reach half of the total; where a value and all below it
 * weigh exactly half, the mean of it and the next. With equal weights it is the usual median. Every z_i lies within the
 * values of any set of points that has more than half of the weight.
 * Shapes: points [P] each, weights one per point, above 0 → [P].
 * Throws: RangeError when there is no point, or the points and weights do not fit each other.
 * Source: Yin et al. 2018, arXiv:1803.01498; the weights are this project's own.
 */
export function coordinateMedian(points: readonly Float64Array[], weights: readonly number[]): Float64Array {
  checkPoints(points, weights);
  const isEven = weights.every((weight) => weight === weights[0]);
  const column = new Float64Array(points.length);
  const z = new Float64Array(points[0]!.length);
  for (let i = 0; i < z.length; i++) {
    for (let j = 0; j < column.length; j++) column[j] = points[j]![i]!;
    z[i] = isEven ? medianOf(column) : weightedMedianOf(column, { points, weights, i });
  }
  return z;
}

/** The median of values that are rearranged. */
export function medianOf(values: Float64Array): number {
  const half = values.length >> 1;
  const upper = selectInPlace(values, half);
  if (values.length % 2 === 1) return upper;
  let lower = values[0]!;
  for (let j = 1; j < half; j++) if (values[j]! > lower) lower = values[j]!;
  return lower / 2 + upper / 2;
}

/** Halving the sorted values; weights are added in the order of the points, so that equal inputs give equal sums. */
function weightedMedianOf(
  column: Float64Array,
  { points, weights, i }: { readonly points: readonly Float64Array[]; readonly weights: readonly number[]; i: number },
): number {
  const upTo = (bound: number): number => {
    let sum = 0;
    for (let j = 0; j < points.length; j++) if (points[j]![i]! <= bound) sum += weights[j]!;
    return sum;
  };
  const total = upTo(Number.POSITIVE_INFINITY);
  const enough = total / 2 - HALF_TOLERANCE * total;
  column.sort();
  let low = 0;
  let high = column.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (upTo(column[middle]!) >= enough) high = middle;
    else low = middle + 1;
  }
  const value = column[low]!;
  if (upTo(value) > total / 2 + HALF_TOLERANCE * total) return value;
  const next = column.find((x) => x > value) ?? value;
  return value / 2 + next / 2;
}

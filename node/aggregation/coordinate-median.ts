/** The weighted median of every coordinate by itself. */
import { selectByWeightInPlace, selectInPlace } from "./order-statistic.ts";
import { checkPoints, forEachColumn, type Point } from "./point.ts";
import type { RuleDefinition } from "./rule-definition.ts";

/** The rule `median`. */
export const MEDIAN: RuleDefinition<"median"> = {
  neighboursMin: () => 3,
  aggregate: ({ points, weights }) => coordinateMedian(points, weights),
};

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
export function coordinateMedian(points: readonly Point[], weights: readonly number[]): Float64Array {
  checkPoints(points, weights);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const isEven = weights.every((weight) => weight === weights[0]);
  const columnWeights = new Float64Array(points.length);
  const z = new Float64Array(points[0]!.length);
  forEachColumn(points, (column, i) => {
    if (isEven) {
      z[i] = medianOf(column);
    } else {
      columnWeights.set(weights);
      z[i] = weightedMedianOf(column, columnWeights, total);
    }
  });
  return z;
}

/** The median of values that are rearranged. */
function medianOf(values: Float64Array): number {
  const half = values.length >> 1;
  const upper = selectInPlace(values, half);
  if (values.length % 2 === 1) return upper;
  let lower = values[0]!;
  for (let j = 1; j < half; j++) if (values[j]! > lower) lower = values[j]!;
  return lower / 2 + upper / 2;
}

/** The weighted median of values that are rearranged, and their weights with them. */
function weightedMedianOf(values: Float64Array, weights: Float64Array, total: number): number {
  const value = selectByWeightInPlace(values, weights, total / 2 - HALF_TOLERANCE * total);
  let upTo = 0;
  let next = Number.POSITIVE_INFINITY;
  for (let j = 0; j < values.length; j++) {
    if (values[j]! <= value) upTo += weights[j]!;
    else if (values[j]! < next) next = values[j]!;
  }
  return upTo > total / 2 + HALF_TOLERANCE * total || next === Number.POSITIVE_INFINITY ? value : value / 2 + next / 2;
}

/** The weighted arithmetic mean of points. */

/**
 * z = (Σ α_j x_j) / Σ α_j, summed in the order given. One point is returned as it is.
 * Shapes: points [P] each, weights one per point, above 0 → [P].
 * Throws: RangeError when there is no point, or the points and weights do not fit each other.
 */
export function weightedMean(points: readonly Float64Array[], weights: readonly number[]): Float64Array {
  checkPoints(points, weights);
  const z = new Float64Array(points[0]!.length);
  if (points.length === 1) {
    z.set(points[0]!);
    return z;
  }
  let total = 0;
  for (const [j, point] of points.entries()) {
    const weight = weights[j]!;
    total += weight;
    for (let i = 0; i < z.length; i++) z[i]! += weight * point[i]!;
  }
  for (let i = 0; i < z.length; i++) z[i]! /= total;
  return z;
}

/** Throws: RangeError unless there are points of one length with one positive finite weight each. */
export function checkPoints(points: readonly Float64Array[], weights: readonly number[]): void {
  if (points.length === 0) throw new RangeError("an aggregate of no points");
  if (points.length !== weights.length) throw new RangeError(`${points.length} points but ${weights.length} weights`);
  for (const [j, point] of points.entries()) {
    if (point.length !== points[0]!.length) {
      throw new RangeError(`point ${j} has ${point.length} values, the first has ${points[0]!.length}`);
    }
    const weight = weights[j]!;
    if (!(weight > 0 && weight < Number.POSITIVE_INFINITY)) throw new RangeError(`weight ${j} is ${weight}`);
  }
}

/** The line along which points spread most, from their distances alone: points that were pushed the same way are at one end of it. */

const STEPS = 64;

/**
 * The place of each point on the first principal axis: the leading eigenvector of B = -1/2 J D² J, J = I - 1/n, by the power
 * method from the column of the point that is furthest out. Zeros where all points are one, or a distance is not finite.
 * Shapes: count points -> [count].
 * Source: Torgerson 1952, "Multidimensional scaling: I. Theory and method".
 */
export function leaningOf(count: number, squared: (j: number, k: number) => number): Float64Array {
  const inner = centred(count, squared);
  const norms = Array.from({ length: count }, (_, j) => inner[j * count + j]!);
  const furthest = norms.indexOf(Math.max(...norms));
  let place = inner.slice(furthest * count, (furthest + 1) * count);
  for (let step = 0; step < STEPS; step++) {
    const length = Math.sqrt(place.reduce((sum, x) => sum + x * x, 0));
    if (!(length > 0 && length < Number.POSITIVE_INFINITY)) return new Float64Array(count);
    const unit = place.map((x) => x / length);
    place = unit.map((_, j) => unit.reduce((sum, x, k) => sum + inner[j * count + k]! * x, 0));
  }
  return place;
}

/** B, [n, n]. */
function centred(count: number, squared: (j: number, k: number) => number): Float64Array {
  const squares = Float64Array.from({ length: count * count }, (_, at) => {
    const [j, k] = [Math.floor(at / count), at % count];
    return j === k ? 0 : squared(j, k);
  });
  const means = Array.from(
    { length: count },
    (_, j) => squares.subarray(j * count, (j + 1) * count).reduce((sum, one) => sum + one, 0) / count,
  );
  const whole = means.reduce((sum, one) => sum + one, 0) / count;
  return squares.map((square, at) => -(square - means[Math.floor(at / count)]! - means[at % count]! + whole) / 2);
}

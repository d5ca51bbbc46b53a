/** Points are what the rules combine: each point is one neighbour's adapter, or one tensor of it. */

/** [P], as it was received or as it was computed. Rules read it where it lies, sum in f64 and keep no copy of it. */
export type Point = Float32Array | Float64Array;

/** Throws: RangeError unless there are points of one length with one positive finite weight each. */
export function checkPoints(points: readonly Point[], weights: readonly number[]): void {
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

/** |x - y|² */
export function squaredDistance(x: Point, y: Point): number {
  const out = new Float64Array(1);
  addSquaredDistances([x], y, { from: 0, to: x.length }, out);
  return out[0]!;
}

/** The Euclidean distance of two points [P]. */
export function distance(x: Point, y: Point): number {
  return Math.sqrt(squaredDistance(x, y));
}

/** out_j += Σ_i (x_ji - c_i)² over the coordinates from `from` up to `to`; four points at a time. */
export function addSquaredDistances(
  points: readonly Point[],
  centre: Point,
  { from, to }: { readonly from: number; readonly to: number },
  out: Float64Array,
): void {
  let j = 0;
  for (; j + 3 < points.length; j += 4) {
    const [a, b, c, d] = [points[j]!, points[j + 1]!, points[j + 2]!, points[j + 3]!];
    let [p, q, r, s] = [0, 0, 0, 0];
    for (let i = from; i < to; i++) {
      const x = centre[i]!;
      const u = a[i]! - x;
      const v = b[i]! - x;
      const w = c[i]! - x;
      const y = d[i]! - x;
      p += u * u;
      q += v * v;
      r += w * w;
      s += y * y;
    }
    out[j]! += p;
    out[j + 1]! += q;
    out[j + 2]! += r;
    out[j + 3]! += s;
  }
  for (; j < points.length; j++) {
    const a = points[j]!;
    let p = 0;
    for (let i = from; i < to; i++) p += (a[i]! - centre[i]!) ** 2;
    out[j]! += p;
  }
}

/** |x_j - c| of every point; each is read once, and the centre once for four of them. */
export function distances(points: readonly Point[], centre: Point): Float64Array {
  const squares = new Float64Array(points.length);
  for (let from = 0; from < centre.length; from += DISTANCE_BLOCK) {
    addSquaredDistances(points, centre, { from, to: Math.min(centre.length, from + DISTANCE_BLOCK) }, squares);
  }
  return squares.map(Math.sqrt);
}

/** Coordinates of the centre that stay in the first cache while all points are compared with them. */
const DISTANCE_BLOCK = 2048;

/** Whether no value is NaN or infinite. */
export function isFinitePoint(x: Point): boolean {
  // 0 · x is 0 for every finite x and NaN for every other; a sum keeps a NaN.
  let a = 0;
  let b = 0;
  let i = 0;
  for (; i + 1 < x.length; i += 2) {
    a += 0 * x[i]!;
    b += 0 * x[i + 1]!;
  }
  if (i < x.length) a += 0 * x[i]!;
  return a + b === 0;
}

/** Values of all points that are turned into columns at a time: 256 KiB of f64, which a processor's cache holds. */
const BLOCK_VALUES = 32_768;

/**
 * Show every coordinate's values, in the order of the points. `column` belongs to the visitor until it returns, and may
 * be rearranged. Columns are made a block at a time, so that every point is read in the order in which it lies.
 */
export function forEachColumn(points: readonly Point[], visit: (column: Float64Array, i: number) => void): void {
  const n = points.length;
  const size = points[0]!.length;
  const width = Math.max(1, Math.min(size, Math.floor(BLOCK_VALUES / n)));
  const block = new Float64Array(width * n);
  const columns = Array.from({ length: width }, (_, k) => block.subarray(k * n, (k + 1) * n));
  for (let from = 0; from < size; from += width) {
    const count = Math.min(width, size - from);
    for (let j = 0; j < n; j++) {
      const point = points[j]!;
      for (let k = 0, at = j; k < count; k++, at += n) block[at] = point[from + k]!;
    }
    for (let k = 0; k < count; k++) visit(columns[k]!, from + k);
  }
}

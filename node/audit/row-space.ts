/** The space that the rows of a gradient span, and how far a vector is from it. */

export interface RowSpace {
  /** Orthonormal vectors. */
  readonly basis: readonly Float64Array[];
  /** Length of the vectors. */
  readonly columns: number;
}

/** Rows below this share of the largest one are float32's rounding. */
const RELATIVE_TOLERANCE = 1e-4;

/** By Gram-Schmidt, the longest remaining row first, twice over for its digits. rows f32[m, columns] one after another. */
export function rowSpace(rows: Float32Array, columns: number): RowSpace {
  const left = Array.from({ length: rows.length / columns }, (_, i) =>
    Float64Array.from(rows.subarray(i * columns, (i + 1) * columns)),
  );
  const basis: Float64Array[] = [];
  const largest = Math.max(0, ...left.map(norm));
  while (left.length > 0 && basis.length < columns) {
    const lengths = left.map(norm);
    const at = lengths.indexOf(Math.max(...lengths));
    const length = lengths[at]!;
    if (!(length > RELATIVE_TOLERANCE * largest)) break;
    const [row] = left.splice(at, 1);
    for (const direction of basis) project(row!, direction);
    const unit = row!.map((x) => x / norm(row!));
    basis.push(unit);
    for (const other of left) project(other, unit);
  }
  return { basis, columns };
}

/** |u - Q Q^T u| / |u|: 0 within the space, 1 at right angles to it. */
export function distanceToSpace({ basis }: RowSpace, u: ArrayLike<number>): number {
  const rest = Float64Array.from(u);
  const length = norm(rest);
  for (const direction of basis) project(rest, direction);
  return length === 0 ? 1 : norm(rest) / length;
}

const norm = (v: Float64Array): number => Math.sqrt(v.reduce((sum, x) => sum + x * x, 0));

/** v - (v . unit) unit, in place. */
function project(v: Float64Array, unit: Float64Array): void {
  let product = 0;
  for (let i = 0; i < v.length; i++) product += v[i]! * unit[i]!;
  for (let i = 0; i < v.length; i++) v[i]! -= product * unit[i]!;
}

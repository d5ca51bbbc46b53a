/** The singular value decomposition of small matrices, by one-sided Jacobi rotations; + - * / and square roots only. */

/** Sweeps; the method converges quadratically, 5 to 10 are usual (Demmel and Veselić 1992), 40 is a stop. */
const SWEEPS_MAX = 40;

/** A matrix [rows, columns] as left vectors, singular values and right vectors. */
export interface SingularValues {
  /** [k, rows]: row i is the i-th left singular vector; orthonormal, k = min(rows, columns). */
  readonly left: Float64Array;
  /** [k], falling. */
  readonly values: Float64Array;
  /** [k, columns]: row i is the i-th right singular vector; orthonormal. */
  readonly right: Float64Array;
}

/**
 * M = Σ_i s_i u_i v_iᵀ. Where a value is zero its vectors are completed from unit vectors, always in the same way.
 * Shapes: M [rows, columns], row-major, finite.
 */
export function singularValues(M: ArrayLike<number>, rows: number, columns: number): SingularValues {
  if (rows > columns) {
    const { left, values, right } = singularValues(transposed(M, rows, columns), columns, rows);
    return { left: right, values, right: left };
  }
  const a = split(Float64Array.from(M), rows, columns);
  const J = split(identity(rows), rows, rows);
  for (let sweep = 0, turned = true; turned && sweep < SWEEPS_MAX; sweep++) {
    turned = false;
    for (let p = 0; p < rows; p++) for (let q = p + 1; q < rows; q++) turned = rotatePair(a, J, p, q) || turned;
  }
  const lengths = a.map((row) => Math.sqrt(dot(row, row)));
  const order = [...lengths.keys()].sort((i, j) => lengths[j]! - lengths[i]! || i - j);
  const tolerance = columns * Number.EPSILON * (lengths[order[0]!] ?? 0);
  const right: Float64Array[] = [];
  for (const i of order) {
    const direction = lengths[i]! > tolerance ? a[i]! : freeDirection(right, columns);
    right.push(normalised(direction, right));
  }
  return {
    left: joined(order.map((i) => J[i]!)),
    values: Float64Array.from(order, (i) => (lengths[i]! > tolerance ? lengths[i]! : 0)),
    right: joined(right),
  };
}

/**
 * An orthonormal basis of the span of rows, in their order, each orthogonalised twice ("twice is enough"). Rows that add
 * less than rounding to those before them are left out.
 * Shapes: [columns] each → at most `countMax` of [columns].
 */
export function basisOf(
  rows: readonly Float64Array[],
  countMax: number,
  given: readonly Float64Array[] = [],
): Float64Array[] {
  const basis = [...given];
  for (const row of rows) {
    if (basis.length >= countMax) break;
    const length = Math.sqrt(dot(row, row));
    const rest = withoutProjections(row, basis);
    const left = Math.sqrt(dot(rest, rest));
    if (left > row.length * Number.EPSILON * length) basis.push(rest.map((x) => x / left));
  }
  return basis;
}

/** The unit vector that a basis covers least, the first of equals, made orthonormal to it. */
export function completion(basis: readonly Float64Array[], columns: number): Float64Array {
  return normalised(freeDirection(basis, columns), basis);
}

/** The scalar product of two vectors of the same length, summed in order. */
export function dot(x: Float64Array, y: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < x.length; k++) sum += x[k]! * y[k]!;
  return sum;
}

/** Turn rows p and q until they are orthogonal, and those of J with them; false when they were already. */
function rotatePair(a: readonly Float64Array[], J: readonly Float64Array[], p: number, q: number): boolean {
  const pp = dot(a[p]!, a[p]!);
  const qq = dot(a[q]!, a[q]!);
  const pq = dot(a[p]!, a[q]!);
  if (Math.abs(pq) <= Number.EPSILON * Math.sqrt(pp) * Math.sqrt(qq)) return false;
  const zeta = (qq - pp) / (2 * pq);
  const t = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
  const c = 1 / Math.sqrt(1 + t * t);
  for (const [x, y] of [
    [a[p]!, a[q]!],
    [J[p]!, J[q]!],
  ] as const) {
    for (let k = 0; k < x.length; k++) {
      const xk = x[k]!;
      x[k] = c * xk - c * t * y[k]!;
      y[k] = c * t * xk + c * y[k]!;
    }
  }
  return true;
}

function withoutProjections(row: Float64Array, basis: readonly Float64Array[]): Float64Array {
  const rest = row.slice();
  for (let pass = 0; pass < 2; pass++) {
    for (const other of basis) {
      const c = dot(rest, other);
      for (let k = 0; k < rest.length; k++) rest[k]! -= c * other[k]!;
    }
  }
  return rest;
}

function normalised(row: Float64Array, basis: readonly Float64Array[]): Float64Array {
  const rest = withoutProjections(row, basis);
  const length = Math.sqrt(dot(rest, rest));
  return rest.map((x) => x / length);
}

function freeDirection(basis: readonly Float64Array[], columns: number): Float64Array {
  let [best, bestCovered] = [0, Number.POSITIVE_INFINITY];
  for (let k = 0; k < columns; k++) {
    const covered = basis.reduce((sum, row) => sum + row[k]! * row[k]!, 0);
    if (covered < bestCovered) [best, bestCovered] = [k, covered];
  }
  const unit = new Float64Array(columns);
  unit[best] = 1;
  return unit;
}

/** [rows, columns] → [columns, rows] */
export function transposed(M: ArrayLike<number>, rows: number, columns: number): Float64Array {
  return Float64Array.from({ length: rows * columns }, (_, i) => M[(i % rows) * columns + Math.floor(i / rows)]!);
}

/** Rows as views. */
export function split(M: Float64Array, rows: number, columns: number): Float64Array[] {
  return Array.from({ length: rows }, (_, i) => M.subarray(i * columns, (i + 1) * columns));
}

function joined(rows: readonly Float64Array[]): Float64Array {
  const columns = rows[0]?.length ?? 0;
  const all = new Float64Array(rows.length * columns);
  for (const [i, row] of rows.entries()) all.set(row, i * columns);
  return all;
}

function identity(n: number): Float64Array {
  return Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0));
}

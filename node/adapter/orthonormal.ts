/**
 * Orthonormal rows: the rotations R of LoReFT (R Rᵀ = I), their start and the way back to them.
 *
 * Everything here is made of + - * / and the square root in a fixed order, so that equal inputs give equal bits on
 * every machine; loops are bounded whatever the input, because rotations also come from other peers.
 */
import type { Prng } from "../../protocol/prng.ts";
import { NodeError } from "../errors.ts";

/** Sweeps of the Jacobi method; it converges quadratically, 5 to 10 are usual (Demmel and Veselić 1992), 40 is a stop. */
const SWEEPS_MAX = 40;

/**
 * The nearest matrix with orthonormal rows, in every unitarily invariant norm: R = P Q, P = (R Rᵀ)^½, Q = U Vᵀ for
 * R = U S Vᵀ. R is first brought to triangular form, R = L Q0, so that the iteration works on r x r only.
 * Shapes: R [rows, columns] → [rows, columns].
 * Throws: ADAPTER_SHAPE when rows exceed columns, a value is not finite, or the rows are linearly dependent.
 * Source: Higham 1986, "Computing the polar decomposition, with applications".
 */
export function polarRows(R: Float64Array | Float32Array, rows: number, columns: number): Float64Array {
  checkShape(R.length, rows, columns);
  const basis = Float64Array.from(R);
  const lower = new Float64Array(rows * rows);
  orthonormalise(basis, rows, columns, lower);
  const { factor, rank } = orthogonalFactor(lower, rows, columns * Number.EPSILON);
  if (rank < rows) throw dependentRows(rank, rows, columns);
  return multiply(factor, basis, rows, columns);
}

/**
 * Random orthonormal rows that every peer derives alike: normal draws in row-major order, then Gram and Schmidt with
 * a positive diagonal (R = L Q, diag L > 0), which makes the result unique.
 * Shapes: → [rows, columns].
 * Throws: ADAPTER_SHAPE when rows exceed columns or the draws are linearly dependent.
 */
export function orthonormalRowsFromSeed(prng: Prng, rows: number, columns: number): Float64Array {
  checkShape(rows * columns, rows, columns);
  const q = new Float64Array(rows * columns);
  for (let i = 0; i < q.length; i++) q[i] = prng.normal();
  orthonormalise(q, rows, columns, new Float64Array(rows * rows));
  return q;
}

/**
 * The orthogonal matrix nearest to M: Q = U Vᵀ for M = U S Vᵀ. Where M is singular Q is not unique; the answer is
 * then completed from unit vectors, always in the same way, and the zero matrix gives the identity.
 * Shapes: M [size, size] → [size, size].
 * Throws: ADAPTER_SHAPE when M is not square or a value is not finite.
 */
export function nearestOrthogonal(M: Float64Array, size: number): Float64Array {
  checkShape(M.length, size, size);
  if (!M.every(Number.isFinite)) {
    throw new NodeError("ADAPTER_SHAPE", `a ${size} x ${size} matrix has values that are not finite: no rotation`);
  }
  return orthogonalFactor(M, size, size * Number.EPSILON).factor;
}

/**
 * Modified Gram and Schmidt, each row twice ("twice is enough", Giraud, Langou and Rozložník 2005): `rows` becomes
 * orthonormal in place and `lower` receives L with original = L · rows, diag L > 0.
 */
function orthonormalise(rowsInPlace: Float64Array, rows: number, columns: number, lower: Float64Array): void {
  for (let i = 0; i < rows; i++) {
    const row = rowsInPlace.subarray(i * columns, (i + 1) * columns);
    const lengthBefore = Math.sqrt(dot(row, row));
    for (let pass = 0; pass < 2; pass++) {
      for (let j = 0; j < i; j++) {
        const other = rowsInPlace.subarray(j * columns, (j + 1) * columns);
        const c = dot(row, other);
        lower[i * rows + j]! += c;
        for (let k = 0; k < columns; k++) row[k]! -= c * other[k]!;
      }
    }
    const length = Math.sqrt(dot(row, row));
    const independent = length > columns * Number.EPSILON * lengthBefore && Number.isFinite(lengthBefore);
    if (!independent) throw dependentRows(i, rows, columns);
    lower[i * rows + i] = length;
    for (let k = 0; k < columns; k++) row[k]! /= length;
  }
}

/**
 * U Vᵀ of a square matrix by one-sided Jacobi rotations: J M has orthogonal rows, so J M = S Vᵀ, Jᵀ = U.
 * A singular value at or below `tolerance` times the largest counts as zero.
 */
function orthogonalFactor(
  M: Float64Array,
  n: number,
  tolerance: number,
): { readonly factor: Float64Array; readonly rank: number } {
  const largest = M.reduce((max, x) => Math.max(max, Math.abs(x)), 0);
  const a = M.map((x) => (largest === 0 ? 0 : x / largest));
  const J = identity(n);
  for (let sweep = 0, turned = true; turned && sweep < SWEEPS_MAX; sweep++) {
    turned = false;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) turned = rotatePair(a, J, n, p, q) || turned;
  }
  const { rows, rank } = completeBasis(a, n, tolerance);
  return { factor: multiply(transpose(J, n), rows, n, n), rank };
}

/** Turn rows p and q of `a` until they are orthogonal, and those of J with them; false when they were already. */
function rotatePair(a: Float64Array, J: Float64Array, n: number, p: number, q: number): boolean {
  const ap = a.subarray(p * n, (p + 1) * n);
  const aq = a.subarray(q * n, (q + 1) * n);
  const pp = dot(ap, ap);
  const qq = dot(aq, aq);
  const pq = dot(ap, aq);
  if (Math.abs(pq) <= Number.EPSILON * Math.sqrt(pp) * Math.sqrt(qq)) return false;
  const zeta = (qq - pp) / (2 * pq);
  const t = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
  const c = 1 / Math.sqrt(1 + t * t);
  rotateRows(ap, aq, c, c * t);
  rotateRows(J.subarray(p * n, (p + 1) * n), J.subarray(q * n, (q + 1) * n), c, c * t);
  return true;
}

function rotateRows(x: Float64Array, y: Float64Array, c: number, s: number): void {
  for (let k = 0; k < x.length; k++) {
    const xk = x[k]!;
    x[k] = c * xk - s * y[k]!;
    y[k] = s * xk + c * y[k]!;
  }
}

/** Normalise orthogonal rows, longest first; rows too short to have a direction get one from the unit vectors. */
function completeBasis(a: Float64Array, n: number, tolerance: number): { rows: Float64Array; rank: number } {
  const lengths = Array.from({ length: n }, (_, i) => {
    const row = a.subarray(i * n, (i + 1) * n);
    return Math.sqrt(dot(row, row));
  });
  const order = Array.from(lengths.keys()).sort((i, j) => lengths[j]! - lengths[i]! || i - j);
  const longest = lengths[order[0]!]!;
  const rows = new Float64Array(n * n);
  const done: Float64Array[] = [];
  let rank = 0;
  for (const i of order) {
    const row = rows.subarray(i * n, (i + 1) * n);
    if (lengths[i]! > tolerance * longest) {
      row.set(a.subarray(i * n, (i + 1) * n));
      rank++;
    } else {
      row.set(freeDirection(done, n));
    }
    subtractProjections(row, done);
    const length = Math.sqrt(dot(row, row));
    for (let k = 0; k < n; k++) row[k]! /= length;
    done.push(row);
  }
  return { rows, rank };
}

/** The unit vector that `basis` covers least; the first of equals. */
function freeDirection(basis: readonly Float64Array[], n: number): Float64Array {
  let best = 0;
  let bestCovered = Number.POSITIVE_INFINITY;
  for (let k = 0; k < n; k++) {
    const covered = basis.reduce((sum, row) => sum + row[k]! * row[k]!, 0);
    if (covered < bestCovered) [best, bestCovered] = [k, covered];
  }
  const unit = new Float64Array(n);
  unit[best] = 1;
  return unit;
}

function subtractProjections(row: Float64Array, basis: readonly Float64Array[]): void {
  for (let pass = 0; pass < 2; pass++) {
    for (const other of basis) {
      const c = dot(row, other);
      for (let k = 0; k < row.length; k++) row[k]! -= c * other[k]!;
    }
  }
}

/** A [n, n] times B [n, columns]. */
function multiply(A: Float64Array, B: Float64Array, n: number, columns: number): Float64Array {
  const out = new Float64Array(n * columns);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const c = A[i * n + j]!;
      for (let k = 0; k < columns; k++) out[i * columns + k]! += c * B[j * columns + k]!;
    }
  }
  return out;
}

function transpose(A: Float64Array, n: number): Float64Array {
  return A.map((_, index) => A[(index % n) * n + Math.floor(index / n)]!);
}

function identity(n: number): Float64Array {
  const I = new Float64Array(n * n);
  for (let i = 0; i < n; i++) I[i * n + i] = 1;
  return I;
}

function dot(x: Float64Array, y: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < x.length; k++) sum += x[k]! * y[k]!;
  return sum;
}

function checkShape(length: number, rows: number, columns: number): void {
  const whole = Number.isSafeInteger(rows) && Number.isSafeInteger(columns) && rows >= 1;
  if (!whole || rows > columns || length !== rows * columns) {
    throw new NodeError(
      "ADAPTER_SHAPE",
      `${length} values cannot be ${rows} orthonormal rows of ${columns} columns: choose a rank of 1 to ${columns}`,
      { rows, columns, length },
    );
  }
}

function dependentRows(row: number, rows: number, columns: number): NodeError {
  return new NodeError(
    "ADAPTER_SHAPE",
    `a rotation of ${rows} rows and ${columns} columns has values that are not finite or rows that depend on each other` +
      ` (row ${row}): discard this adapter`,
    { row, rows, columns },
  );
}

/**
 * The largest singular values of a matrix that is too large to decompose whole, by Golub-Kahan-Lanczos bidiagonalisation
 * with full reorthogonalisation: M V = U B, Mᵀ U = V Bᵀ + β v eᵀ, B bidiagonal of a few hundred rows.
 * Source: Golub and Van Loan, Matrix Computations, 4th edition, 10.4; Baglama and Reichel 2005 for the bound.
 */
import { createPrng } from "../../protocol/prng.ts";
import { completion, dot, singularValues } from "./singular-values.ts";

/** Relative to the largest value: what of M a triplet may leave unexplained, far below the rounding of float32. */
const RESIDUAL_MAX = 1e-9;
/** The size of B at the first look, beyond twice the wanted count, and how it grows until the next one. */
const [FIRST_LOOK, GROWTH] = [10, 1.5];

/** Triplets u, s, v with M v = s u, the largest first. */
export interface LeadingSingularValues {
  /** [rows] each, orthonormal. */
  readonly left: readonly Float64Array[];
  readonly values: Float64Array;
  /** [columns] each, orthonormal. */
  readonly right: readonly Float64Array[];
}

/** M [rows, columns], row-major, finite; count: at most min(rows, columns). */
export function leadingSingularValues(
  M: ArrayLike<number>,
  { rows, columns, count }: { readonly rows: number; readonly columns: number; readonly count: number },
): LeadingSingularValues {
  const whole = Math.min(rows, columns);
  const times = (v: Float64Array): Float64Array => product(M, v, columns);
  const timesTransposed = (u: Float64Array): Float64Array => transposedProduct(M, u, columns);
  const [U, V]: [Float64Array[], Float64Array[]] = [[], []];
  const [alphas, betas]: [number[], number[]] = [[], []];
  const prng = createPrng(0).fork("lanczos");
  // In the row space, so that a matrix of few rows is exhausted after as many steps.
  let v = next(timesTransposed(Float64Array.from({ length: rows }, () => prng.normal())), V).vector;
  let look = Math.min(whole, 2 * count + FIRST_LOOK);
  for (;;) {
    while (U.length < look) {
      V.push(v);
      const left = next(times(v), U);
      U.push(left.vector);
      alphas.push(left.length);
      const right = next(timesTransposed(left.vector), V);
      v = right.vector;
      betas.push(right.length);
    }
    const k = U.length;
    const B = new Float64Array(k * k);
    for (let i = 0; i < k; i++) {
      B[i * k + i] = alphas[i]!;
      if (i + 1 < k) B[i * k + i + 1] = betas[i]!;
    }
    const small = singularValues(B, k, k);
    const rest = (j: number): number => betas[k - 1]! * Math.abs(small.left[j * k + k - 1]!);
    const isDone = Array.from({ length: count }, (_, j) => rest(j)).every(
      (residual) => residual <= RESIDUAL_MAX * small.values[0]!,
    );
    if (isDone || k === whole) {
      const mixed = (basis: readonly Float64Array[], by: Float64Array): Float64Array[] =>
        Array.from({ length: count }, (_, j) => combined(basis, by.subarray(j * k, (j + 1) * k)));
      return { left: mixed(U, small.left), values: small.values.slice(0, count), right: mixed(V, small.right) };
    }
    look = Math.min(whole, Math.ceil(GROWTH * k));
  }
}

/** x without its part in the basis, of length 1, and how long it was; where nothing is left, any direction and 0. */
function next(
  x: Float64Array,
  basis: readonly Float64Array[],
): { readonly vector: Float64Array; readonly length: number } {
  const before = Math.sqrt(dot(x, x));
  // Twice is enough (Kahan).
  for (let pass = 0; pass < 2; pass++) {
    for (const one of basis) {
      const along = dot(x, one);
      for (let i = 0; i < x.length; i++) x[i] = x[i]! - along * one[i]!;
    }
  }
  const length = Math.sqrt(dot(x, x));
  if (length > x.length * Number.EPSILON * before) return { vector: x.map((value) => value / length), length };
  return { vector: basis.length < x.length ? completion(basis, x.length) : x.fill(0), length: 0 };
}

/** M v */
function product(M: ArrayLike<number>, v: Float64Array, columns: number): Float64Array {
  return Float64Array.from({ length: M.length / columns }, (_, row) => {
    let sum = 0;
    for (let i = 0; i < columns; i++) sum += M[row * columns + i]! * v[i]!;
    return sum;
  });
}

/** Mᵀ u */
function transposedProduct(M: ArrayLike<number>, u: Float64Array, columns: number): Float64Array {
  const out = new Float64Array(columns);
  for (const [row, factor] of u.entries()) {
    for (let i = 0; i < columns; i++) out[i] = out[i]! + factor * M[row * columns + i]!;
  }
  return out;
}

/** Σ_i by_i basis_i */
function combined(basis: readonly Float64Array[], by: Float64Array): Float64Array {
  const out = new Float64Array(basis[0]!.length);
  for (const [i, one] of basis.entries()) for (let c = 0; c < out.length; c++) out[c] = out[c]! + by[i]! * one[c]!;
  return out;
}

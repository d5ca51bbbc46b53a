/**
 * The similarity of two peers by their trained adapters: linear CKA of the cores C of Tri-LoRA, on a basis that they share or
 * started from.  Source: CE-LoRA, arXiv:2503.23869; CKA is of Kornblith et al. 2019, arXiv:1905.00414.
 */
import type { AdapterSlot } from "../../protocol/adapter-spec.ts";
import { coreSlots } from "./core-gauge.ts";

/**
 * |Yᵀ X|_F² / (|Xᵀ X|_F |Yᵀ Y|_F) on centred columns, 0 to 1: 1 for equal matrices, and it does not change when either is
 * scaled or its columns are turned. Where the rows of one are all alike it says nothing: 1 if those of both are, else 0.
 * Shapes: X [rows, columns], Y [rows, columns], row-major.
 */
export function linearCka(X: ArrayLike<number>, Y: ArrayLike<number>, rows: number, columns: number): number {
  const x = centred(X, rows, columns);
  const y = centred(Y, rows, columns);
  const [xx, yy] = [crossNorm(x, x, columns), crossNorm(y, y, columns)];
  if (xx === 0 || yy === 0) return xx === yy ? 1 : 0;
  return Math.min(1, crossNorm(x, y, columns) ** 2 / (xx * yy));
}

/** The mean of `linearCka` over the C of all sites.  Throws: RangeError when an adapter has none. */
export function coreSimilarity(a: Float32Array, b: Float32Array, slots: readonly AdapterSlot[]): number {
  const cores = coreSlots(slots);
  if (cores.length === 0) throw new RangeError("similarity of adapters without a core C");
  let sum = 0;
  for (const { shape, offset, length } of cores) {
    const part = (theta: Float32Array): Float32Array => theta.subarray(offset, offset + length);
    sum += linearCka(part(a), part(b), shape[0]!, shape[1]!);
  }
  return sum / cores.length;
}

/** p_j = exp(s_j / τ) / Σ exp(s_k / τ).  Shapes: at least one similarity; temperature above 0. */
export function softmaxWeights(similarities: readonly number[], temperature: number): number[] {
  const largest = Math.max(...similarities);
  // Never 0, which is no weight: the least that is still told apart from the largest in a sum.
  const powers = similarities.map((s) => Math.max(Number.EPSILON, Math.exp((s - largest) / temperature)));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

/** Columns less their means, and scaled to a largest value of 1, so that no square leaves f64. */
function centred(M: ArrayLike<number>, rows: number, columns: number): Float64Array[] {
  const all = Array.from({ length: columns }, (_, c) => {
    const column = Float64Array.from({ length: rows }, (_, r) => M[r * columns + c]!);
    const mean = column.reduce((sum, x) => sum + x, 0) / rows;
    return column.map((x) => x - mean);
  });
  const largest = all.reduce((max, column) => column.reduce((m, x) => Math.max(m, Math.abs(x)), max), 0);
  return largest === 0 ? all : all.map((column) => column.map((x) => x / largest));
}

/** |Yᵀ X|_F of columns. */
function crossNorm(x: readonly Float64Array[], y: readonly Float64Array[], columns: number): number {
  let sum = 0;
  for (let i = 0; i < columns; i++) {
    for (let j = 0; j < columns; j++) sum += y[i]!.reduce((s, value, r) => s + value * x[j]![r]!, 0) ** 2;
  }
  return Math.sqrt(sum);
}

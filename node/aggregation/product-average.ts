/**
 * The average of LoRA's products: mean(B A), which mean(B) mean(A) is not. The mean of n products of rank r has a rank of
 * up to n r; the best approximation of rank r is taken (Eckart and Young), and written as factors whose A is as close to
 * the peer's own as its rows allow, so that what the optimiser remembers of A and B still means the same.
 * The d x d product is never formed: B_1 … B_n and A_1 … A_n are brought to triangular form, and the singular values are
 * those of a matrix of at most n r by n r.
 */
import type { AdapterSlot } from "../../protocol/adapter-spec.ts";
import { nearestOrthogonal } from "../adapter/orthonormal.ts";
import { basisOf, completion, dot, singularValues, split, transposed } from "../adapter/singular-values.ts";
import type { Point } from "./point.ts";

/** One linear layer's A [rank, inputs] and B [outputs, rank]. */
export interface ProductGroup {
  readonly A: AdapterSlot;
  readonly B: AdapterSlot;
  readonly rank: number;
  readonly inputs: number;
  readonly outputs: number;
}

/**
 * Condition number per rank from which a factor's rows count as dependent, and are spread a little: rounding its values to
 * float32 costs the product as much more than rounding the product would.
 */
const CONDITION_MAX = 100;

/** The pairs of factors in a flat vector; none for adapters without. */
export function productGroups(slots: readonly AdapterSlot[]): readonly ProductGroup[] {
  const byName = new Map(slots.map((slot) => [slot.name, slot]));
  return slots.flatMap((A) => {
    const B = A.name.endsWith(".A") ? byName.get(`${A.name.slice(0, -2)}.B`) : undefined;
    if (B === undefined) return [];
    const [rank = 0, inputs = 0] = A.shape;
    const [outputs = 0] = B.shape;
    return [{ A, B, rank, inputs, outputs }];
  });
}

/**
 * (A', B') with B' A' = the best rank-r approximation of Σ α_j B_j A_j / Σ α_j, written into `out` at the group's places.
 * Two gauges (A, B) and (G A, B G⁻¹) of one adapter are one product, and average to it: in the own gauge when the own
 * adapter is that product as well.
 * Shapes: points [P] each, weights one per point, above 0, own [P] → out [P].
 */
export function averageProducts(
  group: ProductGroup,
  {
    points,
    weights,
    own,
  }: { readonly points: readonly Point[]; readonly weights: readonly number[]; readonly own: Point },
  out: Float64Array,
): void {
  const { A, B, rank, inputs, outputs } = group;
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const rowsOf = (point: Point): Float64Array[] => split(slice(point, A), rank, inputs);
  // Rows of Aᵀ's and columns of B's, one for each j and k: the mean is Σ_i b_i a_iᵀ.
  const a = points.flatMap((point, j) => rowsOf(point).map((row) => row.map((x) => (weights[j]! / total) * x)));
  const b = points.flatMap((point) => split(transposed(slice(point, B), outputs, rank), rank, outputs));
  const { left, values, right } = productSingularValues(b, a, { outputs, inputs, rank });
  const V = rightBasis(right, values, rowsOf(own), { inputs, rank });
  // G [r, r]: the own A in the basis V, so that A' = G Vᵀ is the part of the own A that V spans.
  const G = wellConditioned(gram(rowsOf(own), V), rank);
  const inverse = inverseOf(G, rank);
  for (let i = 0; i < rank; i++) {
    for (let c = 0; c < inputs; c++) {
      let sum = 0;
      for (let k = 0; k < rank; k++) sum += G[i * rank + k]! * V[k]![c]!;
      out[A.offset + i * inputs + c] = sum;
    }
    for (let c = 0; c < outputs; c++) {
      let sum = 0;
      for (let k = 0; k < left.length; k++) sum += left[k]![c]! * values[k]! * inverse[k * rank + i]!;
      out[B.offset + c * rank + i] = sum;
    }
  }
}

/** The first `rank` singular values of Σ_i b_i a_iᵀ and their vectors; fewer where the sum has a lower rank. */
function productSingularValues(
  b: readonly Float64Array[],
  a: readonly Float64Array[],
  { outputs, inputs, rank }: { readonly outputs: number; readonly inputs: number; readonly rank: number },
): { readonly left: Float64Array[]; readonly values: number[]; readonly right: Float64Array[] } {
  const Qb = basisOf(b, outputs);
  const Qa = basisOf(a, inputs);
  if (Qb.length === 0 || Qa.length === 0) return { left: [], values: [], right: [] };
  // (Qb Rb)(Qa Ra)ᵀ with Rb = Qbᵀ b and Ra = Qaᵀ a.
  const [Rb, Ra] = [gram(Qb, b), gram(Qa, a)];
  const n = b.length;
  const core = new Float64Array(Qb.length * Qa.length);
  for (let p = 0; p < Qb.length; p++) {
    for (let q = 0; q < Qa.length; q++) {
      core[p * Qa.length + q] = dot(Rb.subarray(p * n, (p + 1) * n), Ra.subarray(q * n, (q + 1) * n));
    }
  }
  const { left, values, right } = singularValues(core, Qb.length, Qa.length);
  const count = Math.min(rank, values.filter((value) => value > 0).length);
  const combined = (basis: readonly Float64Array[], rows: Float64Array, i: number): Float64Array => {
    const vector = new Float64Array(basis[0]!.length);
    for (const [k, row] of basis.entries()) {
      const c = rows[i * basis.length + k]!;
      for (let x = 0; x < vector.length; x++) vector[x]! += c * row[x]!;
    }
    return vector;
  };
  const all = Array.from({ length: count }, (_, i) => i);
  return {
    left: all.map((i) => combined(Qb, left, i)),
    values: [...values.subarray(0, count)],
    right: all.map((i) => combined(Qa, right, i)),
  };
}

/** r orthonormal directions of the inputs: those of the product, then what else the own A has, then unit vectors. */
function rightBasis(
  right: readonly Float64Array[],
  values: readonly number[],
  ownRows: readonly Float64Array[],
  { inputs, rank }: { readonly inputs: number; readonly rank: number },
): readonly Float64Array[] {
  const V = basisOf(ownRows, rank, right.slice(0, values.length));
  while (V.length < rank) V.push(completion(V, inputs));
  return V;
}

/** x_i · y_k, [x.length, y.length]. */
function gram(x: readonly Float64Array[], y: readonly Float64Array[]): Float64Array {
  const out = new Float64Array(x.length * y.length);
  for (const [i, row] of x.entries()) for (const [k, other] of y.entries()) out[i * y.length + k] = dot(row, other);
  return out;
}

/** G, or G with its singular values raised by a hundredth of their mean where it is near to singular; Q for a zero G. */
function wellConditioned(G: Float64Array, n: number): Float64Array {
  const length = Math.sqrt(dot(G, G));
  if (length > 0) {
    const inverse = inverseOf(G, n);
    if (inverse.every(Number.isFinite) && length * Math.sqrt(dot(inverse, inverse)) <= CONDITION_MAX * n) return G;
  }
  const Q = nearestOrthogonal(G, n);
  const raise = length === 0 ? 1 : length / Math.sqrt(n) / 100;
  return G.map((x, i) => x + raise * Q[i]!);
}

/** By Gauss and Jordan with the largest pivot; Infinity or NaN where M is singular. */
function inverseOf(M: Float64Array, n: number): Float64Array {
  const a = split(M.slice(), n, n);
  const b = split(
    Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0)),
    n,
    n,
  );
  for (let k = 0; k < n; k++) {
    let pivot = k;
    for (let i = k + 1; i < n; i++) if (Math.abs(a[i]![k]!) > Math.abs(a[pivot]![k]!)) pivot = i;
    [a[k], a[pivot]] = [a[pivot]!, a[k]!];
    [b[k], b[pivot]] = [b[pivot]!, b[k]!];
    const scale = 1 / a[k]![k]!;
    for (let c = 0; c < n; c++) {
      a[k]![c]! *= scale;
      b[k]![c]! *= scale;
    }
    for (let i = 0; i < n; i++) {
      const factor = a[i]![k]!;
      if (i === k || factor === 0) continue;
      for (let c = 0; c < n; c++) {
        a[i]![c]! -= factor * a[k]![c]!;
        b[i]![c]! -= factor * b[k]![c]!;
      }
    }
  }
  const out = new Float64Array(n * n);
  for (const [i, row] of b.entries()) out.set(row, i * n);
  return out;
}

const slice = (point: Point, { offset, length }: AdapterSlot): Float64Array =>
  Float64Array.from(point.subarray(offset, offset + length));

/**
 * The gauge of Tri-LoRA on a personal basis: (B, C, A) and (B Pᵀ, P C Qᵀ, Q A) with P, Q orthogonal are one edit
 * B C A x. Only C travels, so P and Q of a neighbour are not known and cannot be: what two peers can agree on is what no P
 * and Q change, the singular values of C. Aligned, a neighbour's C has its own singular values in this peer's singular
 * vectors, C' = U_i S_j V_iᵀ, which is the P C_j Qᵀ nearest to C_i. What a neighbour's C says beyond that, by the basis that
 * all peers start from, is given up. On a shared basis there is no gauge, and C is averaged exactly as it stands.
 */
import type { AdapterSlot } from "../../protocol/adapter-spec.ts";
import { singularValues } from "../adapter/singular-values.ts";

/** The square C of every site. */
export function coreSlots(slots: readonly AdapterSlot[]): readonly AdapterSlot[] {
  return slots.filter(({ name, shape }) => name.endsWith(".C") && shape.length === 2 && shape[0] === shape[1]);
}

/**
 * argmin over orthogonal P, Q of |P C_theirs Qᵀ - C_mine| at every site: U_i S_j V_iᵀ, singular values falling.
 * Shapes: mine [P], theirs [P] → [P], a copy.
 * Source: von Neumann's trace inequality; Schönemann 1968, "On two-sided orthogonal Procrustes problems".
 */
export function alignCores(mine: Float32Array, theirs: Float32Array, slots: readonly AdapterSlot[]): Float32Array {
  const aligned = theirs.slice();
  for (const { shape, offset, length } of coreSlots(slots)) {
    const rank = shape[0]!;
    const { left, right } = singularValues(mine.subarray(offset, offset + length), rank, rank);
    const { values } = singularValues(theirs.subarray(offset, offset + length), rank, rank);
    for (let i = 0; i < rank; i++) {
      for (let j = 0; j < rank; j++) {
        let sum = 0;
        for (let k = 0; k < rank; k++) sum += left[k * rank + i]! * values[k]! * right[k * rank + j]!;
        aligned[offset + i * rank + j] = sum;
      }
    }
  }
  return aligned;
}

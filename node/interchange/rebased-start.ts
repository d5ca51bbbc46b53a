/**
 * Starts of LoRA that change the base weights. The layer becomes W0 - s B0 A0 beside s B A, and computes at first what W0 does; B0
 * A0 follows from W0, and peft computes it anew when it loads such an adapter. As plain LoRA beside W0 the edit is
 * s B A - s B0 A0, of twice the rank.
 * PiSSA: s B0 A0 = the best approximation of W0 of rank r. Source: Meng et al. 2024, arXiv:2404.02948.
 * OLoRA: B0 A0 = Q Qᵀ W0, Q an orthonormal basis of W0's first r columns. Source: Büyükakyüz 2024, arXiv:2406.01775.
 * Both as in peft/tuners/lora/layer.py at 0.21.
 */
import { leadingSingularValues } from "../adapter/leading-singular-values.ts";
import { basisOf, completion } from "../adapter/singular-values.ts";

/** The starts that follow from the base weights alone. */
export const REBASED_STARTS = ["pissa", "olora"] as const;
/** One of them. */
export type RebasedStart = (typeof REBASED_STARTS)[number];

/** A start, for a matrix W0 [outputs, inputs], row-major. */
export interface StartOf {
  readonly W: Float32Array;
  readonly inputs: number;
  readonly outputs: number;
  readonly rank: number;
  /** s */
  readonly scale: number;
}

/** A0 [r, inputs] and -B0 [outputs, r], so that their product times s is what the edit has beside s B A. */
export function removedStart(
  start: RebasedStart,
  { W, inputs, outputs, rank, scale }: StartOf,
): { readonly A: Float32Array; readonly B: Float32Array } {
  const A = new Float32Array(rank * inputs);
  const B = new Float32Array(outputs * rank);
  switch (start) {
    case "pissa": {
      const { left, values, right } = leadingSingularValues(W, { rows: outputs, columns: inputs, count: rank });
      for (const [j, value] of values.entries()) {
        const root = Math.sqrt(value / scale);
        for (let i = 0; i < inputs; i++) A[j * inputs + i] = root * right[j]![i]!;
        for (let o = 0; o < outputs; o++) B[o * rank + j] = -root * left[j]![o]!;
      }
      return { A, B };
    }
    case "olora": {
      const columns = Array.from({ length: rank }, (_, j) =>
        Float64Array.from({ length: outputs }, (_, o) => W[o * inputs + j]!),
      );
      const Q = basisOf(columns, rank);
      while (Q.length < rank) Q.push(completion(Q, outputs));
      for (const [j, q] of Q.entries()) {
        for (let i = 0; i < inputs; i++) {
          let sum = 0;
          for (let o = 0; o < outputs; o++) sum += q[o]! * W[o * inputs + i]!;
          A[j * inputs + i] = sum;
        }
        for (let o = 0; o < outputs; o++) B[o * rank + j] = -q[o]!;
      }
      return { A, B };
    }
  }
}

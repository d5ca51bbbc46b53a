/**
 * The diagonal of the empirical Fisher information: how much each trained value matters to what a peer has learned so
 * far. It weighs the pull towards the reference model, so that values that matter are held and others are free.
 * Source: elastic weight consolidation, Kirkpatrick et al. 2017, arXiv:1612.00796; the running mean over local steps, the
 * scale and the bound are this project's own.
 */
import type { ReferenceSettings } from "../../protocol/network-manifest.ts";

/** Largest weight, in means: one value that dwarfs all others must not hold itself alone. */
export const FISHER_WEIGHT_MAX = 100;

/** F ← decay F + (1 - decay) g², in place.  Shapes: F f32[P], g f32[P], the gradient of one local step's loss alone. */
export function accumulateFisher(fisher: Float32Array, gradient: Float32Array, decay: number): void {
  for (let i = 0; i < fisher.length; i++) {
    const g = gradient[i]!;
    fisher[i] = decay * fisher[i]! + (1 - decay) * g * g;
  }
}

/**
 * f_i = min(100, F_i / mean(F)): 1 on average, so that l1 and l2 mean what they mean without weights, and a factor that
 * all of F has in common, such as that of its first steps, makes no difference. All 1 where F is 0 or not finite.
 * Shapes: F f32[P] → f32[P].
 */
export function fisherWeights(fisher: Float32Array): Float32Array {
  const mean = fisher.reduce((sum, value) => sum + value, 0) / fisher.length;
  if (!(mean > 0 && Number.isFinite(mean))) return new Float32Array(fisher.length).fill(1);
  return fisher.map((value) => Math.min(FISHER_WEIGHT_MAX, value / mean));
}

/** The option that makes a trainer gather squared gradients: a decay where the reference model weighs values. */
export function fisherOptions(reference: ReferenceSettings): { readonly fisherDecay?: number } {
  return reference.kind === "none" || reference.fisherDecay === undefined ? {} : { fisherDecay: reference.fisherDecay };
}

/** Randomness that nobody can predict: for noise that hides data, never for what peers must agree on. */
export interface RandomSource {
  /** Fill `out` with bytes that are uniform and independent of everything. */
  fill(out: Uint8Array): void;
}

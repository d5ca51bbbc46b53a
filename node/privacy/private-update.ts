/** One update that hides the data behind it: the round's change, clipped, with noise, on a start that everybody knows. */
import type { RandomSource } from "../interface/random-source.ts";
import { gaussianSource } from "./gaussian-noise.ts";

/** What a round changed, and how it is clipped and noised. */
export interface PrivateUpdateOptions {
  /** s f32[P], a function of what this and other peers have sent and of nothing else. */
  readonly start: Float32Array;
  /** The adapter before and after the round's training, f32[P]. */
  readonly before: Float32Array;
  readonly after: Float32Array;
  /** C */
  readonly clip: number;
  /** z */
  readonly noise: number;
  readonly random: RandomSource;
}

/**
 * s + min(1, C / |d|) d + N(0, (z C)^2 I), d = after - before.
 *
 * Sensitivity: whatever the data, the clipped change lies in a ball of radius C; that of any other data lies in it too,
 * so that the two are at most 2 C apart. The noise over the sensitivity is z / 2, with neither sampling nor averaging.
 * A change that is not finite counts as none: there is no data for which nothing would be sent.
 * Throws: RangeError for vectors of different lengths.
 */
export function privateUpdate({ start, before, after, clip, noise, random }: PrivateUpdateOptions): Float64Array {
  if (start.length !== before.length || start.length !== after.length) {
    throw new RangeError(`adapters of ${start.length}, ${before.length} and ${after.length} values are not alike`);
  }
  let squares = 0;
  for (let i = 0; i < after.length; i++) squares += (after[i]! - before[i]!) ** 2;
  const norm = Math.sqrt(squares);
  const scale = Number.isFinite(norm) ? Math.min(1, clip / norm) : 0;
  const gaussian = gaussianSource(random);
  return Float64Array.from(start, (s, i) => {
    const change = norm === 0 || scale === 0 ? 0 : scale * (after[i]! - before[i]!);
    return s + change + noise * clip * gaussian();
  });
}

/** What the accountant is told of one such update: the noise over its sensitivity of 2 C. */
export const updateMechanism = ({ noise }: { readonly noise: number }) => ({ noise: noise / 2, rate: 1 }) as const;

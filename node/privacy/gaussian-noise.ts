/** Gaussian noise that nobody can predict or subtract. */
import type { RandomSource } from "../interface/random-source.ts";

/** Draws that are added up for one value. */
const DRAWS = 4;
/** Random bytes that are fetched at a time. */
const BUFFER_BYTES = 64 * 1024;

/**
 * A source of N(0, 1). Each value is the sum of four Box-Muller draws, halved: a single draw in float64 takes values
 * from a sparse set that gives away its uniforms, and with them what it was added to; of a sum of four that is out of
 * reach.  Source: Holohan and Braghin 2021, arXiv:2107.10138, section 4.
 */
export function gaussianSource(random: RandomSource): () => number {
  const uniform = uniformSource(random);
  let spare: number | undefined;
  const draw = (): number => {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
    const angle = 2 * Math.PI * uniform();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
  return () => {
    let sum = 0;
    for (let i = 0; i < DRAWS; i++) sum += draw();
    return sum / Math.sqrt(DRAWS);
  };
}

/** Uniform on [0, 1), a multiple of 2^-53. */
export function uniformSource(random: RandomSource): () => number {
  const words = new Uint32Array(BUFFER_BYTES / 4);
  const bytes = new Uint8Array(words.buffer);
  let used = words.length;
  return () => {
    if (used === words.length) {
      random.fill(bytes);
      used = 0;
    }
    const [high, low] = [words[used]! >>> 5, words[used + 1]! >>> 6];
    // What hid something is not kept.
    words[used] = 0;
    words[used + 1] = 0;
    used += 2;
    return (high * 2 ** 26 + low) * 2 ** -53;
  };
}

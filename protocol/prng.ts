/**
 * The deterministic random stream that peers share: every peer derives the same numbers from the same seed and name.
 *
 * Specified bit for bit, because the LoReFT rotation of a network is derived from it on every peer: SHA-256 of
 * `"weft-prng/1\0" + path` gives the 128-bit state of xoshiro128** (Blackman and Vigna 2018), four big-endian words;
 * everything after that is integer arithmetic and exact IEEE-754 operations (no logarithm, no cosine).
 */
import { sha256 } from "@noble/hashes/sha2.js";

/** A named stream of random numbers: the same name and seed give the same numbers everywhere. */
export interface Prng {
  /** A child stream whose numbers depend only on this stream's name and `name`, never on how much was drawn. */
  fork(name: string): Prng;
  /** Uniform integer in [0, 2^32). */
  uint32(): number;
  /** The next `out.length` of them. */
  fill(out: Uint32Array): void;
  /** Uniform integer in [0, bound), without modulo bias.  bound: 1 to 2^32. */
  below(bound: number): number;
  /** Uniform number in [0, 1) with 53 random bits. */
  uniform(): number;
  /**
   * Approximately normal number, mean 0 and variance 1: twelve uniforms less six (Irwin and Hall).
   * Additions only, so that the value has the same bits on every machine; its tails end at 6, which is enough to
   * start weights from and not enough for privacy noise.
   */
  normal(): number;
  /** Fisher and Yates shuffle of a copy. */
  shuffle<T>(items: readonly T[]): T[];
}

/** A stream named by `seed` and the chain of forks that lead to it.  seed: a safe integer, 0 or more. */
export function createPrng(seed: number): Prng {
  if (!Number.isSafeInteger(seed) || seed < 0) throw new RangeError(`seed ${seed} is not a safe integer of 0 or more`);
  return stream(`${seed}`);
}

const rotateLeft = (x: number, k: number): number => ((x << k) | (x >>> (32 - k))) >>> 0;

function stream(path: string): Prng {
  const digest = sha256(new TextEncoder().encode(`weft-prng/1\0${path}`));
  const words = new DataView(digest.buffer, digest.byteOffset);
  const s = Uint32Array.from({ length: 4 }, (_, i) => words.getUint32(4 * i));

  const uint32 = (): number => {
    const result = Math.imul(rotateLeft(Math.imul(s[1]!, 5), 7), 9) >>> 0;
    const t = s[1]! << 9;
    s[2]! ^= s[0]!;
    s[3]! ^= s[1]!;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= t;
    s[3] = rotateLeft(s[3]!, 11);
    return result;
  };
  /** As `uint32`, with the state in local variables: several times as fast for millions of numbers. */
  const fill = (out: Uint32Array): void => {
    let [a, b, c, d] = [s[0]! | 0, s[1]! | 0, s[2]! | 0, s[3]! | 0];
    for (let i = 0; i < out.length; i++) {
      const x = Math.imul(b, 5);
      out[i] = Math.imul((x << 7) | (x >>> 25), 9);
      const t = b << 9;
      c ^= a;
      d ^= b;
      b ^= c;
      a ^= d;
      c ^= t;
      d = (d << 11) | (d >>> 21);
    }
    s.set([a, b, c, d]);
  };
  const below = (bound: number): number => {
    const limit = 2 ** 32 - (2 ** 32 % bound);
    for (;;) {
      const x = uint32();
      if (x < limit) return x % bound;
    }
  };
  const uniform = (): number => ((uint32() >>> 5) * 67108864 + (uint32() >>> 6)) / 9007199254740992;
  return {
    fork: (name) => stream(`${path}/${name}`),
    uint32,
    fill,
    below,
    uniform,
    normal: () => {
      let sum = 0;
      for (let i = 0; i < 12; i++) sum += uniform();
      return sum - 6;
    },
    shuffle: (items) => {
      const copy = [...items];
      for (let i = copy.length - 1; i > 0; i--) {
        const j = below(i + 1);
        [copy[i], copy[j]] = [copy[j]!, copy[i]!];
      }
      return copy;
    },
  };
}

/**
 * Which k of P places are meant, as the gaps between them in Rice's code: a gap g is floor(g / 2^b) ones, a zero, and
 * the b low bits of g. At most k (1 + b) + P / 2^b bits for any places; within 0.15 bits a place of log2 C(P, k) where
 * they lie at random.
 * Source: Rice 1979, JPL 79-22; Golomb 1966 for the choice of b.
 */
import { ProtocolError } from "../errors.ts";

/**
 * b, which both sides compute: the least with 25 k 2^b >= 12 P, and 0 of no places. For random gaps b is better than
 * b + 1 where x = (1 - k/P)^(2^b) has x^2 + x < 1, which is 2^b > 0.481 P/k.
 */
export function riceBits(count: number, places: number): number {
  let bits = 0;
  while (count > 0 && 25 * count * 2 ** bits < 12 * places) bits++;
  return bits;
}

/** The most bytes that `count` of `places` take. */
export function indexBytesMax(count: number, places: number): number {
  const bits = riceBits(count, places);
  return count === 0 ? 0 : Math.ceil((count * (1 + bits) + (places - count) / 2 ** bits) / 8);
}

/** Rising indices -> bytes; unused bits at the end are 0. */
export function encodeIndices(indices: Uint32Array, places: number): Uint8Array {
  const low = riceBits(indices.length, places);
  const bytes = new Uint8Array(indexBytesMax(indices.length, places));
  let at = 0;
  let next = 0;
  for (const index of indices) {
    const gap = index - next;
    next = index + 1;
    for (let ones = Math.floor(gap / 2 ** low); ones > 0; ones--, at++) bytes[at >> 3]! |= 0x80 >> (at & 7);
    at++;
    for (let bit = low - 1; bit >= 0; bit--, at++) if ((gap >> bit) & 1) bytes[at >> 3]! |= 0x80 >> (at & 7);
  }
  return bytes.subarray(0, (at + 7) >> 3);
}

/**
 * The first `count` indices of a string of bytes, and how many bytes they take.
 * Throws: PAYLOAD_LENGTH when the bytes end before, PAYLOAD_INVALID for an index that is not below `places` and for
 * unused bits that are not 0.
 */
export function decodeIndices(
  bytes: Uint8Array,
  { count, places }: { readonly count: number; readonly places: number },
): { readonly indices: Uint32Array; readonly bytesLength: number } {
  const low = riceBits(count, places);
  const end = 8 * bytes.length;
  const indices = new Uint32Array(count);
  let at = 0;
  let next = 0;
  const bit = (): number => {
    if (at >= end) throw new ProtocolError("PAYLOAD_LENGTH", `update: the payload ends within ${count} places`);
    const value = (bytes[at >> 3]! >> (7 - (at & 7))) & 1;
    at++;
    return value;
  };
  for (let i = 0; i < count; i++) {
    let gap = 0;
    while (bit() === 1) {
      gap += 2 ** low;
      if (next + gap >= places) throw invalid(`place ${next + gap} is not one of ${places}`);
    }
    for (let n = low - 1; n >= 0; n--) gap += bit() * 2 ** n;
    const index = next + gap;
    if (index >= places) throw invalid(`place ${index} is not one of ${places}`);
    indices[i] = index;
    next = index + 1;
  }
  while ((at & 7) !== 0) if (bit() !== 0) throw invalid("a bit behind the last place is set");
  return { indices, bytesLength: at >> 3 };
}

const invalid = (what: string): ProtocolError => new ProtocolError("PAYLOAD_INVALID", `update: ${what}`);

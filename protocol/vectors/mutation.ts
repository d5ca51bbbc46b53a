/** Changes of bytes, and what comes of them: nothing that is changed may be accepted, and nothing may fail otherwise. */
import { bytesToHex } from "@noble/hashes/utils.js";
import { createPrng, type Prng } from "../prng.ts";

export interface FuzzResult {
  readonly cases: number;
  /** Outcomes and how often they came. */
  readonly outcomes: Readonly<Record<string, number>>;
}

/** Something accepted, to be changed. */
export interface Original {
  readonly message: string;
  readonly name: string;
  readonly bytes: Uint8Array;
}

/**
 * Try so many changed originals from a seed; `stream` names the random numbers.
 * judge: the outcome of changed bytes, and whether they were accepted without anybody having signed them.
 * Throws: Error with the message and the bytes when they were; whatever `judge` throws.
 */
export function fuzz<T extends Original>(
  originals: readonly T[],
  judge: (original: T, bytes: Uint8Array) => { readonly outcome: string; readonly isForged: boolean },
  { cases, seed, stream }: { readonly cases: number; readonly seed: number; readonly stream: string },
): FuzzResult {
  const outcomes: Record<string, number> = {};
  for (const { original, bytes, index } of mutations(originals, { cases, seed, stream })) {
    const { outcome, isForged } = judge(original, bytes);
    if (isForged) {
      const { message, name } = original;
      throw new Error(`${message} "${name}" was accepted after a change, case ${index}: ${bytesToHex(bytes)}`);
    }
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  }
  return { cases, outcomes };
}

/** Each original in turn with one to three changes; what comes out as it was is left out. */
export function* mutations<T extends Original>(
  originals: readonly T[],
  { cases, seed, stream }: { readonly cases: number; readonly seed: number; readonly stream: string },
): Generator<{ readonly original: T; readonly bytes: Uint8Array; readonly index: number }> {
  const prng = createPrng(seed).fork(stream);
  for (let index = 0; index < cases; index++) {
    const original = originals[index % originals.length]!;
    const donor = originals[prng.below(originals.length)]!;
    const bytes = changed(original.bytes, donor.bytes, prng);
    const isSame = bytes.length === original.bytes.length && bytes.every((byte, at) => byte === original.bytes[at]);
    if (!isSame) yield { original, bytes, index };
  }
}

/** One to three changes: a bit, a byte, some bytes out, in, doubled, from another vector, or the end cut off. */
export function changed(original: Uint8Array, donor: Uint8Array, prng: Prng): Uint8Array {
  let bytes = original;
  for (let n = 1 + prng.below(3); n > 0; n--) bytes = changedOnce(bytes, donor, prng);
  return bytes;
}

function changedOnce(bytes: Uint8Array, donor: Uint8Array, prng: Prng): Uint8Array {
  if (bytes.length === 0) return donor.slice(0, 1 + prng.below(8));
  const at = prng.below(bytes.length);
  const length = 1 + prng.below(Math.min(48, bytes.length - at));
  switch (prng.below(7)) {
    case 0:
      return bytes.with(at, bytes[at]! ^ (1 << prng.below(8)));
    case 1:
      return bytes.with(at, prng.below(256));
    case 2:
      return joined(bytes.subarray(0, at), bytes.subarray(at + length));
    case 3:
      return joined(
        bytes.subarray(0, at),
        Uint8Array.from({ length }, () => prng.below(256)),
        bytes.subarray(at),
      );
    case 4:
      return joined(bytes.subarray(0, at + length), bytes.subarray(at));
    case 5:
      return joined(bytes.subarray(0, at), donor.subarray(at, at + length), bytes.subarray(at + length));
    default:
      return bytes.slice(0, at);
  }
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

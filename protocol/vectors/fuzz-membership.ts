/** Byte by byte changes of the accepted vectors: none may be accepted, none may throw what is no ProtocolError. */
import { bytesToHex } from "@noble/hashes/utils.js";
import type { VerifySignature } from "../membership/signatures.ts";
import { createPrng, type Prng } from "../prng.ts";
import { type MembershipMessage, membershipVectors, outcomeOf, vectorBytes } from "./membership-vectors.ts";

/** Messages without a signature of their own: what is changed may still be one, so only crashes count. */
const UNSIGNED: readonly MembershipMessage[] = ["inventory", "entries"];

export interface FuzzResult {
  readonly cases: number;
  /** Outcomes and how often they came. */
  readonly outcomes: Readonly<Record<string, number>>;
}

/**
 * Try so many changed vectors from a seed.  Throws: Error with the message and the bytes when one is accepted, and whatever
 * a decoder throws that is no ProtocolError.
 */
export function fuzzMembership({
  cases,
  seed,
  verify,
}: {
  cases: number;
  seed: number;
  verify: VerifySignature;
}): FuzzResult {
  const vectors = membershipVectors().filter(({ expected }) => expected === "accepted");
  const prng = createPrng(seed).fork("fuzz-membership");
  const outcomes: Record<string, number> = {};
  for (let i = 0; i < cases; i++) {
    const { message, name, ...vector } = vectors[i % vectors.length]!;
    const original = vectorBytes({ message, name, ...vector });
    const donor = vectorBytes(vectors[prng.below(vectors.length)]!);
    const bytes = changed(original, donor, prng);
    const isSame = bytes.length === original.length && bytes.every((byte, at) => byte === original[at]);
    if (isSame) continue;
    const outcome = outcomeOf(message, bytes, verify);
    if (outcome === "accepted" && !UNSIGNED.includes(message) && !isAnotherVector(vectors, message, bytes)) {
      throw new Error(`${message} "${name}" was accepted after a change, case ${i}: ${bytesToHex(bytes)}`);
    }
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  }
  return { cases, outcomes };
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

/** A change may make one valid vector into another one. */
function isAnotherVector(
  vectors: ReturnType<typeof membershipVectors>,
  message: MembershipMessage,
  bytes: Uint8Array,
): boolean {
  const text = bytesToHex(bytes);
  return vectors.some((other) => other.message === message && other.bytes === text);
}

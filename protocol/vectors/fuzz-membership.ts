/** Byte by byte changes of the accepted vectors: none may be accepted, none may throw what is no ProtocolError. */
import { bytesToHex } from "@noble/hashes/utils.js";
import type { VerifySignature } from "../membership/signatures.ts";
import { conversationOutcome, isAccepted, signedParts } from "./conversation-outcome.ts";
import { conversationVectors } from "./conversation-vectors.ts";
import { type MembershipMessage, membershipVectors, outcomeOf, vectorBytes } from "./membership-vectors.ts";
import { type FuzzResult, fuzz } from "./mutation.ts";

/** Messages without a signature of their own: what is changed may still be one, so only crashes count. */
const UNSIGNED: readonly MembershipMessage[] = ["inventory", "entries"];

export interface FuzzOptions {
  readonly cases: number;
  readonly seed: number;
  readonly verify: VerifySignature;
}

/**
 * Try so many changed vectors from a seed.  Throws: Error with the message and the bytes when one is accepted, and whatever
 * a decoder throws that is no ProtocolError.
 */
export function fuzzMembership({ cases, seed, verify }: FuzzOptions): FuzzResult {
  const vectors = membershipVectors().filter(({ expected }) => expected === "accepted");
  // A change may make one valid vector into another one.
  const valid = new Set(vectors.map(({ message, bytes }) => `${message} ${bytes}`));
  const originals = vectors.map((vector) => ({ ...vector, bytes: vectorBytes(vector) }));
  const judge = ({ message }: { readonly message: MembershipMessage }, bytes: Uint8Array) => {
    const outcome = outcomeOf(message, bytes, verify);
    const isSigned = !UNSIGNED.includes(message) && !valid.has(`${message} ${bytesToHex(bytes)}`);
    return { outcome, isForged: outcome === "accepted" && isSigned };
  };
  return fuzz(originals, judge, { cases, seed, stream: "fuzz-membership" });
}

/** The same of greetings and notes: what is accepted contains, unchanged, what somebody signed.  Throws: as above. */
export function fuzzConversations({ cases, seed, verify }: FuzzOptions): FuzzResult {
  const vectors = conversationVectors().filter(isAccepted);
  const originals = vectors.map((vector) => ({ ...vector, bytes: vectorBytes(vector) }));
  const signed = new Set(originals.flatMap((one) => signedParts(one, one.bytes)));
  const judge = (original: (typeof originals)[number], bytes: Uint8Array) => {
    const outcome = conversationOutcome(original, bytes, verify);
    const isForged =
      isAccepted({ ...original, expected: outcome }) &&
      original.isSigned &&
      !signedParts(original, bytes).some((part) => signed.has(part));
    return { outcome, isForged };
  };
  return fuzz(originals, judge, { cases, seed, stream: "fuzz-conversations" });
}

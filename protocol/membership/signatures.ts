/**
 * Ed25519 signatures by one or several keys, each kind of statement in a domain of its own. Clause 5.3 of README.md says
 * which signatures are valid. Peers must agree on it to the last signature, or their rosters differ.
 */
import { ed25519 } from "@noble/curves/ed25519.js";
import { concatBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import { SIGNATURE_BYTES, type Signer } from "../envelope.ts";
import { LIMITS } from "../limits.ts";
import { latin1, PUBLIC_KEY_BYTES } from "../peer-id.ts";

/** Every domain of this folder, two of which are hashed only; the bytes are `weft/<domain>/1`, a zero byte, the statement. */
export type Domain =
  | "genesis"
  | "roster-entry"
  | "invite-ticket"
  | "admission-request"
  | "admission-proof"
  | "admission-reply"
  | "invite-key"
  | "fingerprint";

/** A signature and the public key that made it. */
export interface KeySignature {
  readonly key: Uint8Array;
  readonly signature: Uint8Array;
}

/** Whether the key signed the message. */
export type VerifySignature = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

/** The bytes that a signature in this domain covers. */
export function domainBytes(domain: Domain, statement: Uint8Array): Uint8Array {
  return concatBytes(utf8ToBytes(`weft/${domain}/1\0`), statement);
}

/** Sign a statement in its domain. */
export function signStatement(domain: Domain, statement: Uint8Array, signer: Signer): KeySignature {
  return { key: signer.publicKey, signature: signer.sign(domainBytes(domain, statement)) };
}

/** Clause 5.3: RFC 8032, canonical encodings, no key of small order.  Cost: about a millisecond. */
export const verifyStrictly: VerifySignature = (publicKey, message, signature) =>
  ed25519.verify(signature, message, publicKey, { zip215: false });

/**
 * The same decisions as verifyStrictly, from a faster verifier that checks RFC 8032's equation without the cofactor (as
 * OpenSSL does). Such a check accepts no signature that the one with the cofactor refuses, and compares R as bytes; it is
 * trusted when it accepts under a key that has passed the strict checks. verifyStrictly decides on signatures that it refuses.
 */
export function acceleratedVerifier(fast: VerifySignature): VerifySignature {
  const strictKeys = new Set<string>();
  return (publicKey, message, signature) => {
    if (publicKey.length !== PUBLIC_KEY_BYTES) return false;
    const name = latin1(publicKey);
    if (!strictKeys.has(name)) {
      if (!isStrictKey(publicKey)) return false;
      if (strictKeys.size >= LIMITS.rosterEntryCountMax) strictKeys.clear();
      strictKeys.add(name);
    }
    if (signature.length !== SIGNATURE_BYTES) return false;
    return fast(publicKey, message, signature) || verifyStrictly(publicKey, message, signature);
  };
}

/** Negative, 0 or positive as `a` stands before, at or after `b`. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}

function isStrictKey(publicKey: Uint8Array): boolean {
  try {
    return !ed25519.Point.fromBytes(publicKey, false).isSmallOrder();
  } catch {
    // The library's words for bytes that are no point add nothing: such a key signs nothing.
    return false;
  }
}

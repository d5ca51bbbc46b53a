/** Ed25519 verification by OpenSSL, some ten times as fast as in JavaScript, with the protocol's decisions (README 5.3). */
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { acceleratedVerifier, type VerifySignature } from "../../protocol/membership/signatures.ts";

/** SubjectPublicKeyInfo of an Ed25519 key (RFC 8410) up to the 32 bytes of the key itself. */
const PREFIX = Buffer.from("302a300506032b6570032100", "hex");

/** Keys that are kept ready; a roster's admins are fewer. */
const KEYS_MAX = 1024;

/** A verifier with its own few keys kept ready. */
export function createNativeVerifier(): VerifySignature {
  const keys = new Map<string, KeyObject>();
  const keyOf = (publicKey: Uint8Array): KeyObject => {
    const name = Buffer.from(publicKey).toString("latin1");
    const known = keys.get(name);
    if (known !== undefined) return known;
    const key = createPublicKey({ key: Buffer.concat([PREFIX, publicKey]), format: "der", type: "spki" });
    if (keys.size >= KEYS_MAX) keys.clear();
    keys.set(name, key);
    return key;
  };
  return acceleratedVerifier((publicKey, message, signature) => verify(null, message, keyOf(publicKey), signature));
}

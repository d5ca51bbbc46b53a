/**
 * Ed25519 by OpenSSL, some ten times as fast as in JavaScript: the same signatures (RFC 8032 leaves no choice), and
 * verification with the protocol's decisions (README 5.3).
 */
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { createSigner, type Signer } from "../../../protocol/envelope.ts";
import { acceleratedVerifier, type VerifySignature } from "../../../protocol/membership/signatures.ts";
import { latin1 } from "../../../protocol/peer-id.ts";

/** SubjectPublicKeyInfo of an Ed25519 key (RFC 8410) up to the 32 bytes of the key itself. */
const PREFIX = Buffer.from("302a300506032b6570032100", "hex");

/** PrivateKeyInfo of an Ed25519 key (RFC 8410) up to the 32 bytes of the seed. */
const PRIVATE_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");

/** Keys that are kept ready; a roster's admins are fewer. */
const KEYS_MAX = 1024;

/** A signer from an Ed25519 secret key of 32 bytes; it signs what `createSigner` signs.  Throws: KEY_INVALID. */
export function createNativeSigner(secretKey: Uint8Array): Signer {
  const { peer, publicKey } = createSigner(secretKey);
  const der = Buffer.concat([PRIVATE_PREFIX, secretKey]);
  const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  der.fill(0);
  return { peer, publicKey, sign: (message) => new Uint8Array(sign(null, message, key)) };
}

/** A verifier with its own few keys kept ready. */
export function createNativeVerifier(): VerifySignature {
  const keys = new Map<string, KeyObject>();
  const keyOf = (publicKey: Uint8Array): KeyObject => {
    const name = latin1(publicKey);
    const known = keys.get(name);
    if (known !== undefined) return known;
    const key = createPublicKey({ key: Buffer.concat([PREFIX, publicKey]), format: "der", type: "spki" });
    if (keys.size >= KEYS_MAX) keys.clear();
    keys.set(name, key);
    return key;
  };
  return acceleratedVerifier((publicKey, message, signature) => verify(null, message, keyOf(publicKey), signature));
}

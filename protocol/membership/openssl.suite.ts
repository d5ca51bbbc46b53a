/** Signers and verification by OpenSSL, so that tests with many signatures take seconds; RFC 8032 signatures are the same. */
import { createPrivateKey, createPublicKey, sign, verify } from "node:crypto";
import type { Signer } from "../envelope.ts";
import { peerIdFromPublicKey } from "../peer-id.ts";
import { acceleratedVerifier } from "./signatures.ts";

const PRIVATE = Buffer.from("302e020100300506032b657004220420", "hex");
const PUBLIC = Buffer.from("302a300506032b6570032100", "hex");

/** The signer whose secret key is 32 bytes of this value. */
export function opensslSigner(byte: number): Signer {
  const seed = Buffer.alloc(32, byte);
  const key = createPrivateKey({ key: Buffer.concat([PRIVATE, seed]), format: "der", type: "pkcs8" });
  const publicKey = new Uint8Array(
    createPublicKey(key).export({ format: "der", type: "spki" }).subarray(PUBLIC.length),
  );
  return {
    peer: peerIdFromPublicKey(publicKey),
    publicKey,
    sign: (message) => new Uint8Array(sign(null, message, key)),
  };
}

export const opensslVerify = acceleratedVerifier((publicKey, message, signature) => {
  const key = createPublicKey({ key: Buffer.concat([PUBLIC, publicKey]), format: "der", type: "spki" });
  return verify(null, message, key, signature);
});

/** The name of bytes: their SHA-256 in 64 lower-case hexadecimal digits. Equal names, equal bytes. */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import { ProtocolError } from "./errors.ts";

declare const brand: unique symbol;
/** SHA-256 of some bytes in its text form: equal ids mean equal bytes. */
export type ContentId = string & { readonly [brand]: "ContentId" };

/** Bytes of a digest on the wire. */
export const DIGEST_BYTES = 32;

/** A SHA-256 (FIPS 180-4) under way: its bytes in one piece or many, then the 32 bytes of the digest. */
export interface Sha256 {
  update(piece: Uint8Array): unknown;
  digest(): Uint8Array;
}

/** Begins a SHA-256. One by other means than JavaScript gives the same bytes sooner. */
export type CreateSha256 = () => Sha256;

/** SHA-256 in JavaScript, on every platform.  Cost: some 8 ms for each MB. */
export const createPortableSha256: CreateSha256 = () => sha256.create();

/** The content id of these bytes. */
export function contentIdOf(bytes: Uint8Array, createSha256: CreateSha256 = createPortableSha256): ContentId {
  const hash = createSha256();
  hash.update(bytes);
  return bytesToHex(hash.digest()) as ContentId;
}

/** A content id from its text form.  Throws: CONTENT_ID_INVALID. */
export function parseContentId(text: string): ContentId {
  if (!/^[0-9a-f]{64}$/.test(text)) {
    throw new ProtocolError("CONTENT_ID_INVALID", "a content id is 64 lower-case hexadecimal digits", {
      length: text.length,
    });
  }
  return text as ContentId;
}

/** A content id from its 32 bytes on the wire.  Throws: CONTENT_ID_INVALID. */
export function contentIdFromBytes(bytes: Uint8Array): ContentId {
  if (bytes.length !== DIGEST_BYTES) {
    throw new ProtocolError("CONTENT_ID_INVALID", `a content id is ${DIGEST_BYTES} bytes, not ${bytes.length}`);
  }
  return bytesToHex(bytes) as ContentId;
}

/** The 32 bytes of a content id. */
export function contentIdToBytes(id: ContentId): Uint8Array {
  return hexToBytes(id);
}

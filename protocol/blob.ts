/** Asking for bytes by content id: one request, one header, then the bytes themselves. */
import { decodeCanonical, encodeCanonical } from "./canonical-message.ts";
import { type ContentId, contentIdFromBytes, contentIdToBytes, DIGEST_BYTES } from "./content-id.ts";
import { ProtocolError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import { BlobReplySchema, BlobRequestSchema } from "./wire_pb.ts";

/** `length` counts the bytes that follow the header, 1 to LIMITS.updateBytesMax. */
export type BlobHeader =
  | { readonly status: "found"; readonly length: number }
  | { readonly status: "not-found" }
  | { readonly status: "busy" };

/** Number of each status on the wire. */
export const BLOB_STATUSES: Readonly<Record<BlobHeader["status"], number>> = { found: 1, "not-found": 2, busy: 3 };

/** The request for the bytes of a content id. */
export function encodeBlobRequest(contentId: ContentId): Uint8Array {
  return encodeCanonical(BlobRequestSchema, { contentId: contentIdToBytes(contentId) });
}

/** Throws: TOO_LARGE, MALFORMED, NOT_CANONICAL. */
export function decodeBlobRequest(bytes: Uint8Array): ContentId {
  const { contentId } = decodeCanonical(BlobRequestSchema, bytes, LIMITS.blobHeaderBytesMax);
  if (contentId.length !== DIGEST_BYTES) {
    throw new ProtocolError("MALFORMED", `blob request: a content id is ${DIGEST_BYTES} bytes`);
  }
  return contentIdFromBytes(contentId);
}

/** Throws: FIELD_INVALID when the length is out of bounds. */
export function encodeBlobHeader(header: BlobHeader): Uint8Array {
  const length = header.status === "found" ? header.length : 0;
  checkLength(header.status, length);
  return encodeCanonical(BlobReplySchema, { status: BLOB_STATUSES[header.status], length });
}

/** Throws: TOO_LARGE, MALFORMED, NOT_CANONICAL, FIELD_INVALID. */
export function decodeBlobHeader(bytes: Uint8Array): BlobHeader {
  const { status: number, length } = decodeCanonical(BlobReplySchema, bytes, LIMITS.blobHeaderBytesMax);
  const status = (Object.keys(BLOB_STATUSES) as BlobHeader["status"][]).find((s) => BLOB_STATUSES[s] === number);
  if (status === undefined) {
    throw new ProtocolError("FIELD_INVALID", `blob reply: status ${number} is not known`, { status: number });
  }
  checkLength(status, length);
  return status === "found" ? { status, length } : { status };
}

function checkLength(status: BlobHeader["status"], length: number): void {
  const [min, max] = status === "found" ? [1, LIMITS.updateBytesMax] : [0, 0];
  if (!Number.isInteger(length) || length < min || length > max) {
    const text = `blob reply: a length of ${length} does not go with status ${status}`;
    throw new ProtocolError("FIELD_INVALID", text, { status, length });
  }
}

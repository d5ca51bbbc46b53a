/**
 * The content ids of this peer's newest updates in one network, by which it knows what it signed from what another process
 * with its key did. It stays when the chain is put aside for a change of manifest.
 */
import { type ContentId, contentIdFromBytes, contentIdToBytes, DIGEST_BYTES } from "../../protocol/content-id.ts";

/** Updates that are remembered: more than any neighbour remembers of an author. */
export const TRAIL_UPDATES_MAX = 256;
/** Of a trail in the store: a number, and the content ids. */
export const TRAIL_BYTES_MAX = 4 + TRAIL_UPDATES_MAX * DIGEST_BYTES;

/** Consecutive updates, the oldest first. */
export interface OwnTrail {
  /** Sequence of the first one. */
  readonly first: number;
  readonly contentIds: readonly ContentId[];
}

/** The sequence of the last update; undefined without one. */
export function lastOf({ first, contentIds }: OwnTrail): number | undefined {
  return contentIds.length === 0 ? undefined : first + contentIds.length - 1;
}

/** The update with a sequence; undefined where it is not remembered. */
export function signedAt({ first, contentIds }: OwnTrail, sequence: number): ContentId | undefined {
  return contentIds[sequence - first];
}

/** The trail with one more update. One that does not follow the last begins anew. */
export function withUpdate(trail: OwnTrail, sequence: number, contentId: ContentId): OwnTrail {
  if (lastOf(trail) !== sequence - 1) return { first: sequence, contentIds: [contentId] };
  const contentIds = [...trail.contentIds, contentId].slice(-TRAIL_UPDATES_MAX);
  return { first: sequence + 1 - contentIds.length, contentIds };
}

/** Bytes for the store. */
export function encodeTrail({ first, contentIds }: OwnTrail): Uint8Array {
  const bytes = new Uint8Array(4 + contentIds.length * DIGEST_BYTES);
  new DataView(bytes.buffer).setUint32(0, first);
  for (const [i, contentId] of contentIds.entries()) bytes.set(contentIdToBytes(contentId), 4 + i * DIGEST_BYTES);
  return bytes;
}

/** The trail in these bytes; one without updates where they are none. */
export function decodeTrail(bytes: Uint8Array | undefined): OwnTrail {
  if (bytes === undefined || bytes.byteLength < 4 || (bytes.byteLength - 4) % DIGEST_BYTES !== 0) {
    return { first: 0, contentIds: [] };
  }
  const contentIds: ContentId[] = [];
  for (let at = 4; at < bytes.byteLength; at += DIGEST_BYTES) {
    contentIds.push(contentIdFromBytes(bytes.subarray(at, at + DIGEST_BYTES)));
  }
  return { first: new DataView(bytes.buffer, bytes.byteOffset).getUint32(0), contentIds };
}

/**
 * Heads: the newest announcement of every author that a peer knows. Both sides of a new connection send theirs, so that
 * nothing published before they met is lost. Every announcement in it is judged on its own.
 */
import { decodeCanonical, encodeCanonical } from "./canonical-message.ts";
import { ProtocolError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import { HeadsSchema } from "./wire_pb.ts";

/** A Heads message from announcement envelopes.  Throws: TOO_LARGE. */
export function encodeHeads(announcements: readonly Uint8Array[]): Uint8Array {
  checkCounts(announcements);
  return encodeCanonical(HeadsSchema, { announcements: [...announcements] });
}

/** The announcement envelopes of a Heads message, unjudged.  Throws: TOO_LARGE, MALFORMED, NOT_CANONICAL. */
export function decodeHeads(bytes: Uint8Array): readonly Uint8Array[] {
  const { announcements } = decodeCanonical(HeadsSchema, bytes, LIMITS.headsBytesMax);
  checkCounts(announcements);
  return announcements;
}

function checkCounts(announcements: readonly Uint8Array[]): void {
  const { headsCountMax, announcementBytesMax } = LIMITS;
  if (announcements.length > headsCountMax) {
    const text = `heads: ${announcements.length} announcements, at most ${headsCountMax} are allowed`;
    throw new ProtocolError("TOO_LARGE", text, { count: announcements.length, countMax: headsCountMax });
  }
  for (const { length } of announcements) {
    if (length > announcementBytesMax) {
      const text = `heads: an announcement of ${length} bytes, at most ${announcementBytesMax} are allowed`;
      throw new ProtocolError("TOO_LARGE", text, { bytes: length, bytesMax: announcementBytesMax });
    }
  }
}

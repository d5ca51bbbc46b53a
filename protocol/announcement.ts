/** The announcement: a small signed note by an author that an update exists, so that its bytes can be asked for. */
import { decodeCanonical, encodeCanonical } from "./canonical-message.ts";
import { type ContentId, contentIdFromBytes, contentIdToBytes, DIGEST_BYTES } from "./content-id.ts";
import { openEnvelope, type Signer, sealEnvelope } from "./envelope.ts";
import { ProtocolError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import { type NetworkId, networkIdFromBytes, networkIdToBytes } from "./network-id.ts";
import type { PeerId } from "./peer-id.ts";
import type { Update } from "./update.ts";
import { AnnouncementBodySchema } from "./wire_pb.ts";

/** The body of an announcement. */
export interface AnnouncementFields {
  readonly networkId: NetworkId;
  readonly round: number;
  readonly sequence: number;
  /** Content id of the update. */
  readonly contentId: ContentId;
  /** Length of the update's envelope, 1 to LIMITS.updateBytesMax. */
  readonly bytesLength: number;
}

/** The content of an announcement, and its signer. */
export interface Announcement extends AnnouncementFields {
  readonly author: PeerId;
}

/** Bytes of the body of an announcement, in canonical form.  Throws: FIELD_INVALID. */
export function encodeAnnouncementBody(fields: AnnouncementFields): Uint8Array {
  checkLength(fields.bytesLength);
  return encodeCanonical(AnnouncementBodySchema, {
    networkId: networkIdToBytes(fields.networkId),
    round: fields.round,
    sequence: fields.sequence,
    contentId: contentIdToBytes(fields.contentId),
    bytesLength: fields.bytesLength,
  });
}

/** Fields of an announcement from its body.  Throws: TOO_LARGE, MALFORMED, NOT_CANONICAL, FIELD_INVALID. */
export function decodeAnnouncementBody(bytes: Uint8Array): AnnouncementFields {
  const body = decodeCanonical(AnnouncementBodySchema, bytes, LIMITS.announcementBytesMax);
  if (body.networkId.length !== DIGEST_BYTES || body.contentId.length !== DIGEST_BYTES) {
    throw new ProtocolError("MALFORMED", `announcement: ids are ${DIGEST_BYTES} bytes`, {
      networkId: body.networkId.length,
      contentId: body.contentId.length,
    });
  }
  checkLength(body.bytesLength);
  return {
    networkId: networkIdFromBytes(body.networkId),
    round: body.round,
    sequence: body.sequence,
    contentId: contentIdFromBytes(body.contentId),
    bytesLength: body.bytesLength,
  };
}

/** The signed announcement of an update, by its author.  Throws: FIELD_INVALID. */
export function signAnnouncement(
  update: Pick<Update, "networkId" | "round" | "sequence" | "contentId" | "bytesLength">,
  signer: Signer,
): Uint8Array {
  return sealEnvelope("announcement", encodeAnnouncementBody(update), signer);
}

/**
 * Read an announcement without judging it: for bytes that this peer accepted or wrote itself.
 * Throws: TOO_LARGE, MALFORMED, NOT_CANONICAL, WRONG_KIND, FIELD_INVALID.
 */
export function readAnnouncement(bytes: Uint8Array): Announcement {
  const { author, body } = openEnvelope("announcement", bytes);
  return { ...decodeAnnouncementBody(body), author };
}

function checkLength(bytesLength: number): void {
  if (!Number.isInteger(bytesLength) || bytesLength < 1 || bytesLength > LIMITS.updateBytesMax) {
    throw new ProtocolError(
      "FIELD_INVALID",
      `announcement: a length of ${bytesLength} bytes is not between 1 and ${LIMITS.updateBytesMax}`,
      { bytesLength },
    );
  }
}

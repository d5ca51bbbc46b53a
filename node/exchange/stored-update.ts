/** An update as this peer keeps it: the signed bytes, so that it can hand them on, and what they say. */
import { type Announcement, readAnnouncement } from "../../protocol/announcement.ts";
import { contentIdOf } from "../../protocol/content-id.ts";
import { decodeUpdate, type PayloadRules } from "../../protocol/encoding/update-payload.ts";
import { openEnvelope, verifyEnvelope } from "../../protocol/envelope.ts";
import { decodeFrame, encodeFrame } from "../../protocol/frame.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { readUpdate, type Update } from "../../protocol/update.ts";

export interface StoredUpdate {
  /** The author's signed announcement, as bytes. */
  readonly announcement: Uint8Array;
  /** The author's signed update, as bytes; their hash is `update.contentId`. */
  readonly envelope: Uint8Array;
  readonly update: Update;
  /** f32[P]. */
  readonly theta: Float32Array;
}

/** Bytes for the store: the announcement in a frame, then the envelope. */
export function encodeStored({ announcement, envelope }: Pick<StoredUpdate, "announcement" | "envelope">): Uint8Array {
  const frame = encodeFrame(announcement);
  const bytes = new Uint8Array(frame.byteLength + envelope.byteLength);
  bytes.set(frame);
  bytes.set(envelope, frame.byteLength);
  return bytes;
}

/**
 * Read back what was stored and verify it: both signatures, the hash, the network, and P values.
 * Returns the reason in words when something is wrong.
 */
export function decodeStored(
  bytes: Uint8Array,
  expected: PayloadRules & { readonly networkId: string },
): StoredUpdate | string {
  try {
    const framed = decodeFrame(bytes, LIMITS.announcementBytesMax);
    if (framed === undefined) return "it is cut off";
    const { message: announcement, rest: envelope } = framed;
    const announced = readAnnouncement(announcement);
    if (!verifyEnvelope(openEnvelope("announcement", announcement))) return "the announcement's signature is wrong";
    if (contentIdOf(envelope) !== announced.contentId) return "the bytes are not those that were announced";
    if (!verifyEnvelope(openEnvelope("update", envelope))) return "the update's signature is wrong";
    const update = readUpdate(envelope);
    if (!agrees(update, announced)) return "the update is not the one that was announced";
    if (update.networkId !== expected.networkId) return "it belongs to another network";
    return { announcement, envelope, update, theta: decodeUpdate(update, expected) };
  } catch (error) {
    return `it does not decode (${error instanceof Error ? error.message : String(error)})`;
  }
}

function agrees(update: Update, announced: Announcement): boolean {
  return (["author", "round", "sequence", "networkId"] as const).every((field) => update[field] === announced[field]);
}

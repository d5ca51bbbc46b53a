/** An update as this peer keeps it: the signed bytes, so that it can hand them on, and their content. */
import { type Announcement, readAnnouncement } from "../../protocol/announcement.ts";
import { contentIdOf } from "../../protocol/content-id.ts";
import { decodeUpdate } from "../../protocol/encoding/update-payload.ts";
import { openEnvelope, verifyEnvelope } from "../../protocol/envelope.ts";
import { decodeFrame, encodeFrame } from "../../protocol/frame.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { readUpdate, type Update } from "../../protocol/update.ts";
import { decodeLinks, type LinkRules, linkOf, linksMax, type UpdateLink } from "./update-links.ts";

/** An update with all that it takes to hand it on and to use it. */
export interface StoredUpdate {
  /** The author's signed announcement, as bytes. */
  readonly announcement: Uint8Array;
  /** The author's signed update, as bytes; their hash is `update.contentId`. */
  readonly envelope: Uint8Array;
  readonly update: Update;
  /** The updates that this one rests on, the oldest first; empty when it holds every value. */
  readonly links: readonly UpdateLink[];
  /** Its decoded form, f32[P]. */
  readonly theta: Float32Array;
}

/** Bytes for the store: the announcement in a frame, then the envelope, then a frame for each link. */
export function encodeStored({
  announcement,
  envelope,
  links,
}: Pick<StoredUpdate, "announcement" | "envelope" | "links">): Uint8Array {
  const parts = [encodeFrame(announcement), envelope, ...links.map((link) => encodeFrame(link.envelope))];
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
}

/**
 * Read back a stored update and verify it: the signatures, the hashes, the network, and P values.
 * Returns the reason in words when something is wrong.
 */
export function decodeStored(bytes: Uint8Array, rules: LinkRules): StoredUpdate | string {
  const { verify, createSha256 } = rules;
  try {
    const framed = decodeFrame(bytes, LIMITS.announcementBytesMax);
    if (framed === undefined) return "it is cut off";
    const { message: announcement, rest } = framed;
    const announced = readAnnouncement(announcement);
    if (!verifyEnvelope(openEnvelope("announcement", announcement), verify))
      return "the announcement's signature is wrong";
    const envelope = rest.subarray(0, announced.bytesLength);
    if (contentIdOf(envelope, createSha256) !== announced.contentId)
      return "the bytes are not those that were announced";
    if (!verifyEnvelope(openEnvelope("update", envelope), verify)) return "the update's signature is wrong";
    const update = readUpdate(envelope, createSha256);
    if (!agrees(update, announced)) return "the update is not the one that was announced";
    if (update.networkId !== rules.networkId) return "it belongs to another network";
    const links = readFrames(rest.subarray(announced.bytesLength), rules);
    if (links === undefined) return "the update that it builds on is cut off";
    const theta = decodeUpdate(update, { ...rules, previous: decodeLinks(links, update, rules) });
    return { announcement, envelope, update, links, theta };
  } catch (error) {
    return `it does not decode (${error instanceof Error ? error.message : String(error)})`;
  }
}

/** The updates that the author's next one rests on when it is sparse. */
export function linksAfter({ links, update, envelope }: StoredUpdate): readonly UpdateLink[] {
  return [...links, { contentId: update.contentId, envelope }];
}

/** undefined when the bytes end within a frame, or there are more frames than may be. */
function readFrames(bytes: Uint8Array, rules: LinkRules): readonly UpdateLink[] | undefined {
  const links: UpdateLink[] = [];
  let rest = bytes;
  while (rest.byteLength > 0) {
    const frame = decodeFrame(rest, LIMITS.updateBytesMax);
    if (frame === undefined || links.length === linksMax(rules)) return undefined;
    links.push(linkOf(frame.message, rules.createSha256));
    rest = frame.rest;
  }
  return links;
}

function agrees(update: Update, announced: Announcement): boolean {
  return (["author", "round", "sequence", "networkId"] as const).every((field) => update[field] === announced[field]);
}

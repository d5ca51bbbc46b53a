/**
 * The newest announcement of every author that this peer accepted, fetched or not: what equivocation is recognised by,
 * and what is told to others. Bounded; a new author takes the place of the one with the lowest round.
 */
import type { Announcement } from "../../protocol/announcement.ts";
import { equalBytes } from "../../protocol/canonical-message.ts";
import type { ChainHead } from "../../protocol/judge-context.ts";
import type { PeerId } from "../../protocol/peer-id.ts";

export interface KnownHeads {
  /** Remember an accepted announcement when it is newer; false when it is not, or when there is no room for it. */
  accept(announcement: Announcement, bytes: Uint8Array): boolean;
  headOf(author: PeerId): ChainHead | undefined;
  /** Whether these are, byte for byte, the newest announcement of their author. */
  has(author: PeerId, bytes: Uint8Array): boolean;
  /** The newest announcement of an author, as bytes. */
  bytesOf(author: PeerId): Uint8Array | undefined;
  /** Drop an author. */
  forget(author: PeerId): void;
  /** Announcement envelopes, highest rounds first. */
  all(): readonly Uint8Array[];
  /** Authors whose head is of this round or a later one. */
  authorsSince(round: number): readonly PeerId[];
}

export function createKnownHeads({ authorsMax }: { readonly authorsMax: number }): KnownHeads {
  const heads = new Map<PeerId, { readonly announcement: Announcement; readonly bytes: Uint8Array }>();
  return {
    accept(announcement, bytes) {
      const { author, round, sequence } = announcement;
      const known = heads.get(author);
      if (known !== undefined && known.announcement.sequence >= sequence) return false;
      if (known === undefined && heads.size >= authorsMax) {
        const [stalest] = [...heads.values()].sort((a, b) => a.announcement.round - b.announcement.round);
        if (stalest === undefined || stalest.announcement.round >= round) return false;
        heads.delete(stalest.announcement.author);
      }
      // A copy: the bytes may be a view into a larger message.
      heads.set(author, { announcement, bytes: bytes.slice() });
      return true;
    },
    headOf: (author) => heads.get(author)?.announcement,
    has: (author, bytes) => {
      const known = heads.get(author);
      return known !== undefined && equalBytes(known.bytes, bytes);
    },
    authorsSince: (round) =>
      [...heads.values()]
        .filter(({ announcement }) => announcement.round >= round)
        .map((head) => head.announcement.author),
    bytesOf: (author) => heads.get(author)?.bytes,
    forget: (author) => void heads.delete(author),
    all: () =>
      [...heads.values()].sort((a, b) => b.announcement.round - a.announcement.round).map(({ bytes }) => bytes),
  };
}

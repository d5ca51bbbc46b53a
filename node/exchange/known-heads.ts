/**
 * The newest announcement of every author that this peer accepted, fetched or not: these are told to others. Also the last
 * ones before it of each author: they show an equivocation, whichever announcement comes first. Bounded: a new author takes
 * the place of one that whoever tells of most has told of, or of the one with the lowest round; a later number that of the
 * lowest one.
 */
import type { Announcement } from "../../protocol/announcement.ts";
import { equalBytes } from "../../protocol/canonical-message.ts";
import type { ContentId } from "../../protocol/content-id.ts";
import type { ChainHead } from "../../protocol/judge-context.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { evicted, type Told } from "./fair-eviction.ts";

/** Announcements by author. */
export interface KnownHeads {
  /** Remember an accepted announcement when it is newer; false when it is not, or when there is no room for it. from: who told it. */
  accept(announcement: Announcement, bytes: Uint8Array, from?: PeerId): boolean;
  /** The neighbour that told of an author first, or the author itself once it has. */
  tellerOf(author: PeerId): PeerId;
  /** Remember one that is older than its author's newest, for evidence only: its author signed it. */
  remember(announcement: Announcement, bytes: Uint8Array): void;
  headOf(author: PeerId): ChainHead | undefined;
  /** The content id that the author named under this sequence, where it is remembered. */
  linkOf(author: PeerId, sequence: number): ContentId | undefined;
  /** Whether these are, byte for byte, the newest announcement of their author. */
  has(author: PeerId, bytes: Uint8Array): boolean;
  /** The announcement of an author with this sequence, as bytes, where it is remembered. */
  bytesAt(author: PeerId, sequence: number): Uint8Array | undefined;
  /** Drop an author. */
  forget(author: PeerId): void;
  /** Announcement envelopes, highest rounds first. */
  all(): readonly Uint8Array[];
  /** The same with their content. */
  announced(): readonly Announced[];
  /** Authors whose head is of this round or a later one. */
  authorsSince(round: number): readonly PeerId[];
}

/** An announcement and the bytes that say it, signed. */
export interface Announced {
  readonly announcement: Announcement;
  readonly bytes: Uint8Array;
}

/** No author is known yet. */
export function createKnownHeads({
  authorsMax,
  announcementsPerAuthorMax,
}: {
  readonly authorsMax: number;
  /** The newest one among them. */
  readonly announcementsPerAuthorMax: number;
}): KnownHeads {
  const heads = new Map<PeerId, Announced>();
  /** By author and sequence; of authors that have a head. */
  const links = new Map<PeerId, Map<number, Announced>>();
  /** Of authors that have a head. */
  const tellers = new Map<PeerId, PeerId>();
  const tellerOf = (author: PeerId): PeerId => tellers.get(author) ?? author;
  const table = (): readonly Told[] =>
    [...heads.values()].map(({ announcement: { author, round } }) => ({ author, round, teller: tellerOf(author) }));
  const keep = (told: Announced): void => {
    const { author, sequence } = told.announcement;
    const all = links.get(author) ?? new Map<number, Announced>();
    links.set(author, all);
    // The first one stays: the second is compared with it.
    if (!all.has(sequence)) all.set(sequence, told);
    if (all.size > announcementsPerAuthorMax) all.delete(Math.min(...all.keys()));
  };
  const announced = (): readonly Announced[] =>
    [...heads.values()].sort((a, b) => b.announcement.round - a.announcement.round);
  const forget = (author: PeerId): void => {
    heads.delete(author);
    links.delete(author);
    tellers.delete(author);
  };
  return {
    tellerOf,
    accept(announcement, bytes, from = announcement.author) {
      const { author, round, sequence } = announcement;
      const known = heads.get(author);
      if (known !== undefined && known.announcement.sequence >= sequence) return false;
      if (known === undefined && heads.size >= authorsMax) {
        const spare = evicted(table(), { teller: from, round });
        if (spare === undefined) return false;
        forget(spare);
      }
      if (known === undefined || from === author) tellers.set(author, from);
      // A copy: the bytes may be a view into a larger message.
      const told = { announcement, bytes: bytes.slice() };
      heads.set(author, told);
      keep(told);
      return true;
    },
    remember(announcement, bytes) {
      const newest = heads.get(announcement.author)?.announcement.sequence ?? -1;
      if (announcement.sequence < newest) keep({ announcement, bytes: bytes.slice() });
    },
    headOf: (author) => heads.get(author)?.announcement,
    linkOf: (author, sequence) => links.get(author)?.get(sequence)?.announcement.contentId,
    has: (author, bytes) => {
      const known = heads.get(author);
      return known !== undefined && equalBytes(known.bytes, bytes);
    },
    authorsSince: (round) =>
      [...heads.values()]
        .filter(({ announcement }) => announcement.round >= round)
        .map((head) => head.announcement.author),
    bytesAt: (author, sequence) => links.get(author)?.get(sequence)?.bytes,
    forget,
    all: () => announced().map(({ bytes }) => bytes),
    announced,
  };
}

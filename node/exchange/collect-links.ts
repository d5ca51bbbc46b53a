/** Gets the updates that a sparse update rests on: from the inbox if they are there, the rest from neighbours. */
import type { ContentId } from "../../protocol/content-id.ts";
import type { Update } from "../../protocol/update.ts";
import { linksAfter, type StoredUpdate } from "./stored-update.ts";
import { decodeLinks, type LinkRules, linksMax, readLink, restsOnPrevious, type UpdateLink } from "./update-links.ts";

/** All that an update rests on. */
export interface CollectedLinks {
  /** The oldest first. */
  readonly links: readonly UpdateLink[];
  /** The decoded form of the last of them, f32[P]. */
  readonly values: Float32Array | undefined;
}

/** Where links come from. */
export interface LinkSources {
  readonly rules: LinkRules;
  /** The author's newest update that this peer has. */
  readonly known: StoredUpdate | undefined;
  /** The bytes of a content id, hashes checked; undefined when nobody has them. */
  readonly fetch: (contentId: ContentId) => Promise<Uint8Array | undefined>;
}

/**
 * All updates that an update rests on; undefined when nobody has some of them, or they are more than may be between two
 * keyframes.  Throws: ProtocolError when the author's chain contradicts the update.
 */
export async function collectLinks(update: Update, sources: LinkSources): Promise<CollectedLinks | undefined> {
  const { rules, known, fetch } = sources;
  const links: UpdateLink[] = [];
  let next = update;
  while (restsOnPrevious(next)) {
    if (links.length === linksMax(rules)) return undefined;
    const envelope = find(known, next.previous) ?? (await fetch(next.previous));
    if (envelope === undefined) return undefined;
    next = readLink(envelope, next, rules);
    links.unshift({ contentId: next.contentId, envelope });
  }
  return { links, values: decodeLinks(links, update, rules) };
}

const find = (known: StoredUpdate | undefined, contentId: ContentId): Uint8Array | undefined =>
  known && linksAfter(known).find((link) => link.contentId === contentId)?.envelope;

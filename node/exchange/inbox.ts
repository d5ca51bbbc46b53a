/**
 * The inbox: the newest accepted update of every author, kept as signed bytes so that this peer can hand them on, and
 * written to the store so that a restart forgets nothing.
 *
 * It is bounded, in authors and in bytes of memory. When it is full, an update takes the places of the authors whose
 * updates are of the lowest rounds (of several, the ones whose ids sort first); when its own round is not above all of
 * theirs, it is turned away instead.
 */
import type { ContentId } from "../../protocol/content-id.ts";
import type { ChainHead } from "../../protocol/judge-context.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import type { Logger } from "../interface/logger.ts";
import type { Store, StoreChange } from "../interface/store.ts";
import { decodeStored, encodeStored, linksAfter, type StoredUpdate } from "./stored-update.ts";
import type { LinkRules } from "./update-links.ts";

export interface InboxOptions extends LinkRules {
  readonly authorsMax: number;
  /** Of all that is kept together: values as they are aggregated, signed bytes, and what those rest on. */
  readonly bytesMax: number;
}

export interface Inbox {
  /** Read the store; what is not verified is dropped there too.  Throws: NodeError STORE_FAILED, DISK_FULL. */
  load(): Promise<void>;
  /**
   * Keep an accepted update that is newer than its author's last one; false when the inbox is full of newer rounds, and
   * the author's last one stays.
   * It counts from the moment of the call; the promise waits for the store.  Throws: NodeError STORE_FAILED, DISK_FULL.
   */
  put(stored: StoredUpdate): Promise<boolean>;
  /** Forget an author's update.  Throws: NodeError STORE_FAILED, DISK_FULL. */
  drop(author: PeerId): Promise<void>;
  headOf(author: PeerId): ChainHead | undefined;
  /** The newest update of an author. */
  of(author: PeerId): StoredUpdate | undefined;
  /** The signed bytes of an update, or of one that it rests on, by content id. */
  find(contentId: ContentId): Uint8Array | undefined;
  /** Whose update it is, or rests on it. */
  authorOf(contentId: ContentId): PeerId | undefined;
  /** In the order of the authors' ids. */
  all(): readonly StoredUpdate[];
}

const PREFIX = "inbox/";

export function createInbox(
  { store, logger }: { readonly store: Store; readonly logger: Logger },
  options: InboxOptions,
): Inbox {
  const entries = new Map<PeerId, StoredUpdate>();
  const contents = new Map<ContentId, Uint8Array>();
  let bytes = 0;
  const keyOf = (author: PeerId): string => `${PREFIX}${author}`;
  const remember = (received: StoredUpdate): void => {
    const stored = { ...received, theta: shared(received.theta) };
    forget(stored.update.author);
    entries.set(stored.update.author, stored);
    bytes += bytesOf(stored);
    for (const { contentId, envelope } of linksAfter(stored)) contents.set(contentId, envelope);
  };
  const forget = (author: PeerId): void => {
    const old = entries.get(author);
    if (old === undefined) return;
    for (const { contentId } of linksAfter(old)) contents.delete(contentId);
    entries.delete(author);
    bytes -= bytesOf(old);
  };
  /** Authors that have to go so that an update can stay; undefined where one of them is as fresh. */
  const displacedBy = (stored: StoredUpdate): readonly PeerId[] | undefined => {
    const { author, round } = stored.update;
    const own = entries.get(author);
    let count = entries.size + (own === undefined ? 1 : 0);
    let total = bytes + bytesOf(stored) - (own === undefined ? 0 : bytesOf(own));
    const displaced: PeerId[] = [];
    for (const other of [...entries.values()].filter((one) => one !== own).sort(byStaleness)) {
      if (count <= options.authorsMax && total <= options.bytesMax) break;
      if (other.update.round >= round) return undefined;
      displaced.push(other.update.author);
      count -= 1;
      total -= bytesOf(other);
    }
    return count <= options.authorsMax && total <= options.bytesMax ? displaced : undefined;
  };
  return {
    async load() {
      const drop: StoreChange[] = [];
      for await (const [key, value] of store.entries(PREFIX)) {
        const stored = decodeStored(value, options);
        if (typeof stored === "string" || keyOf(stored.update.author) !== key) {
          logger.warn("an update in the store was dropped", {
            key,
            reason: typeof stored === "string" ? stored : "key",
          });
          drop.push({ delete: key });
        } else if (entries.size < options.authorsMax && bytes + bytesOf(stored) <= options.bytesMax) {
          remember(stored);
        } else {
          drop.push({ delete: key });
        }
      }
      if (drop.length > 0) await store.batch(drop);
    },
    async put(stored) {
      const { author } = stored.update;
      const displaced = displacedBy(stored);
      if (displaced === undefined) return false;
      for (const other of displaced) forget(other);
      const changes: StoreChange[] = [
        { put: keyOf(author), value: encodeStored(stored) },
        ...displaced.map((other) => ({ delete: keyOf(other) })),
      ];
      remember(stored);
      await store.batch(changes);
      return true;
    },
    async drop(author) {
      if (!entries.has(author)) return;
      forget(author);
      await store.batch([{ delete: keyOf(author) }]);
    },
    headOf: (author) => entries.get(author)?.update,
    of: (author) => entries.get(author),
    find: (contentId) => contents.get(contentId),
    authorOf: (contentId) =>
      [...entries.values()].find((stored) => linksAfter(stored).some((link) => link.contentId === contentId))?.update
        .author,
    all: () => [...entries.values()].sort((a, b) => (a.update.author < b.update.author ? -1 : 1)),
  };
}

/** The values in memory that another thread may read as well, so that nothing is copied for an aggregate there. */
function shared(theta: Float32Array): Float32Array {
  const copy = new Float32Array(new SharedArrayBuffer(theta.byteLength));
  copy.set(theta);
  return copy;
}

/** The lowest round first, then the id that sorts first. */
function byStaleness(a: StoredUpdate, b: StoredUpdate): number {
  return a.update.round - b.update.round || (a.update.author < b.update.author ? -1 : 1);
}

const bytesOf = (stored: StoredUpdate): number =>
  linksAfter(stored).reduce(
    (sum, { envelope }) => sum + envelope.byteLength,
    stored.theta.byteLength + stored.announcement.byteLength,
  );

/**
 * The inbox: the newest accepted update of every author, kept as signed bytes so that this peer can hand them on, and
 * written to the store so that a restart forgets nothing.
 *
 * It is bounded, in authors and in bytes of memory. When it is full, an update takes the places of authors that whoever has
 * told of most has told of, and else of those whose updates are of the lowest rounds (of several, the ones whose ids sort
 * first); when its own round is not above all of theirs, it is turned away instead.
 */
import type { ContentId } from "../../protocol/content-id.ts";
import type { ChainHead } from "../../protocol/judge-context.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import type { Logger } from "../interface/logger.ts";
import type { Store, StoreChange } from "../interface/store.ts";
import { evicted } from "./fair-eviction.ts";
import { decodeStored, encodeStored, linksAfter, type StoredUpdate } from "./stored-update.ts";
import type { LinkRules } from "./update-links.ts";

/** Conditions on updates, and bounds of the inbox. */
export interface InboxOptions extends LinkRules {
  readonly authorsMax: number;
  /** Of everything kept: values as they are aggregated, signed bytes, and the updates that those rest on. */
  readonly bytesMax: number;
  /** The neighbour that told of an author; the author itself where nobody says. */
  readonly tellerOf?: (author: PeerId) => PeerId;
}

const PREFIX = "inbox/";
const keyOf = (author: PeerId): string => `${PREFIX}${author}`;

/** The newest accepted updates, in memory and on disk. */
export class Inbox {
  readonly #store: Store;
  readonly #logger: Logger;
  readonly #options: InboxOptions;
  readonly #entries = new Map<PeerId, StoredUpdate>();
  readonly #contents = new Map<ContentId, Uint8Array>();
  #bytes = 0;

  constructor({ store, logger }: { readonly store: Store; readonly logger: Logger }, options: InboxOptions) {
    this.#store = store;
    this.#logger = logger;
    this.#options = options;
  }

  /** Read the store; an update that fails its check is dropped there too.  Throws: NodeError STORE_FAILED, DISK_FULL. */
  async load(): Promise<void> {
    const { authorsMax, bytesMax } = this.#options;
    const drop: StoreChange[] = [];
    for await (const [key, value] of this.#store.entries(PREFIX)) {
      const stored = decodeStored(value, this.#options);
      if (typeof stored === "string" || keyOf(stored.update.author) !== key) {
        const reason = typeof stored === "string" ? stored : "key";
        this.#logger.warn("an update in the store was dropped", { key, reason });
        drop.push({ delete: key });
      } else if (this.#entries.size < authorsMax && this.#bytes + bytesOf(stored) <= bytesMax) {
        this.#remember(stored);
      } else {
        drop.push({ delete: key });
      }
    }
    if (drop.length > 0) await this.#store.batch(drop);
  }

  /**
   * Keep an accepted update that is newer than its author's last one; false when the inbox is full of newer rounds, and
   * the author's last one stays.
   * It counts from the moment of the call; the promise waits for the store.  Throws: NodeError STORE_FAILED, DISK_FULL.
   */
  async put(stored: StoredUpdate): Promise<boolean> {
    const displaced = this.#displacedBy(stored);
    if (displaced === undefined) return false;
    for (const other of displaced) this.#forget(other);
    const changes: StoreChange[] = [
      { put: keyOf(stored.update.author), value: encodeStored(stored) },
      ...displaced.map((other) => ({ delete: keyOf(other) })),
    ];
    this.#remember(stored);
    await this.#store.batch(changes);
    return true;
  }

  /** Forget an author's update.  Throws: NodeError STORE_FAILED, DISK_FULL. */
  async drop(author: PeerId): Promise<void> {
    if (!this.#entries.has(author)) return;
    this.#forget(author);
    await this.#store.batch([{ delete: keyOf(author) }]);
  }

  headOf(author: PeerId): ChainHead | undefined {
    return this.#entries.get(author)?.update;
  }

  /** The newest update of an author. */
  of(author: PeerId): StoredUpdate | undefined {
    return this.#entries.get(author);
  }

  /** The signed bytes of an update, or of one that it rests on, by content id. */
  find(contentId: ContentId): Uint8Array | undefined {
    return this.#contents.get(contentId);
  }

  /** Whose update it is, or rests on it. */
  authorOf(contentId: ContentId): PeerId | undefined {
    const isOf = (stored: StoredUpdate): boolean => linksAfter(stored).some((link) => link.contentId === contentId);
    return [...this.#entries.values()].find(isOf)?.update.author;
  }

  /** In the order of the authors' ids. */
  all(): readonly StoredUpdate[] {
    return [...this.#entries.values()].sort((a, b) => (a.update.author < b.update.author ? -1 : 1));
  }

  #remember(received: StoredUpdate): void {
    const stored = { ...received, theta: shared(received.theta) };
    this.#forget(stored.update.author);
    this.#entries.set(stored.update.author, stored);
    this.#bytes += bytesOf(stored);
    for (const { contentId, envelope } of linksAfter(stored)) this.#contents.set(contentId, envelope);
  }

  #forget(author: PeerId): void {
    const old = this.#entries.get(author);
    if (old === undefined) return;
    for (const { contentId } of linksAfter(old)) this.#contents.delete(contentId);
    this.#entries.delete(author);
    this.#bytes -= bytesOf(old);
  }

  /** Authors that have to go so that an update can stay; undefined where one of them is as fresh. */
  #displacedBy(stored: StoredUpdate): readonly PeerId[] | undefined {
    const { authorsMax, bytesMax } = this.#options;
    const { author, round } = stored.update;
    const own = this.#entries.get(author);
    let count = this.#entries.size + (own === undefined ? 1 : 0);
    let total = this.#bytes + bytesOf(stored) - (own === undefined ? 0 : bytesOf(own));
    const { tellerOf = (peer: PeerId) => peer } = this.#options;
    const others = new Map([...this.#entries].filter(([peer]) => peer !== author));
    const displaced: PeerId[] = [];
    while (count > authorsMax || total > bytesMax) {
      const table = [...others.values()].map(({ update }) => ({
        ...{ author: update.author, round: update.round },
        teller: tellerOf(update.author),
      }));
      const spare = evicted(table, { teller: tellerOf(author), round });
      const gone = spare && others.get(spare);
      if (spare === undefined || gone === undefined) return undefined;
      others.delete(spare);
      displaced.push(spare);
      count -= 1;
      total -= bytesOf(gone);
    }
    return displaced;
  }
}

/** The values in memory that another thread may read as well, so that nothing is copied for an aggregate there. */
function shared(theta: Float32Array): Float32Array {
  const copy = new Float32Array(new SharedArrayBuffer(theta.byteLength));
  copy.set(theta);
  return copy;
}

const bytesOf = (stored: StoredUpdate): number =>
  linksAfter(stored).reduce(
    (sum, { envelope }) => sum + envelope.byteLength,
    stored.theta.byteLength + stored.announcement.byteLength,
  );

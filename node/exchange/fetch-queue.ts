/** Updates that are still to be fetched: at most one fetch for an author at a time, of several announcements the newest. */
import type { PeerId } from "../../protocol/peer-id.ts";

/** Waiting fetches and those under way, by author. */
export interface FetchQueue<Item> {
  /** Take the place of the fetch that waits for this author; false when there is no room for another author. */
  offer(author: PeerId, item: Item): boolean;
  /** Whether something for this author waits or is under way. */
  has(author: PeerId): boolean;
}

/** Bounds of a queue. */
export interface FetchQueueOptions {
  /** Fetches under way at the same time. */
  readonly concurrentMax: number;
  /** Authors that wait. */
  readonly authorsMax: number;
}

/** fetch: never rejects. */
export function createFetchQueue<Item>(
  { fetch }: { readonly fetch: (item: Item) => Promise<void> },
  { concurrentMax, authorsMax }: FetchQueueOptions,
): FetchQueue<Item> {
  const waiting = new Map<PeerId, Item>();
  const active = new Set<PeerId>();
  const pump = (): void => {
    for (const [author, item] of waiting) {
      if (active.size >= concurrentMax) return;
      if (active.has(author)) continue;
      waiting.delete(author);
      active.add(author);
      void fetch(item).finally(() => {
        active.delete(author);
        pump();
      });
    }
  };
  return {
    offer(author, item) {
      if (!waiting.has(author) && waiting.size >= authorsMax) return false;
      waiting.set(author, item);
      pump();
      return true;
    },
    has: (author) => waiting.has(author) || active.has(author),
  };
}

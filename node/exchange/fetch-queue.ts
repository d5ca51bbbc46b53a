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
  /** Among them those for authors that are late; as many as all of them where nothing is said. */
  readonly lateMax?: number;
  /** Authors that wait. */
  readonly authorsMax: number;
}

/** How things are fetched and which may begin. */
export interface FetchQueueDependencies<Item> {
  /** Never rejects. */
  readonly fetch: (item: Item) => Promise<void>;
  /** Whether a fetch would have somebody to ask; what may not start waits until another fetch ends. */
  readonly canStart?: (item: Item) => boolean;
  /** Whether an author has kept this peer waiting: the others go first. */
  readonly isLate?: (author: PeerId) => boolean;
}

/** Nothing waits yet. */
export function createFetchQueue<Item>(
  { fetch, canStart = () => true, isLate = () => false }: FetchQueueDependencies<Item>,
  { concurrentMax, lateMax = concurrentMax, authorsMax }: FetchQueueOptions,
): FetchQueue<Item> {
  const waiting = new Map<PeerId, Item>();
  const active = new Set<PeerId>();
  const begin = (author: PeerId, item: Item): void => {
    waiting.delete(author);
    active.add(author);
    void fetch(item).finally(() => {
      active.delete(author);
      pump();
    });
  };
  const pump = (): void => {
    const inTurn = [...waiting].filter(([author]) => !isLate(author));
    const late = [...waiting].filter(([author]) => isLate(author));
    for (const [author, item] of [...inTurn, ...late]) {
      if (active.size >= concurrentMax) return;
      if (active.has(author) || !canStart(item)) continue;
      if (isLate(author) && [...active].filter(isLate).length >= lateMax) continue;
      begin(author, item);
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

/**
 * What this peer has agreed to and what it has declined, by the digest of the statement; kept on disk. A statement is in at
 * most one of the two: the later decision replaces the earlier one.
 */
import { LIMITS } from "../../protocol/limits.ts";
import type { Clock } from "../interface/clock.ts";
import type { Store, StoreChange } from "../interface/store.ts";

export interface Decisions {
  /** Throws: NodeError STORE_FAILED. */
  load(): Promise<void>;
  hasAgreed(id: string): boolean;
  /** Whether it was declined within DECLINED_SECONDS. */
  hasDeclined(id: string): boolean;
  agree(id: string): void;
  decline(id: string): void;
  /** It has happened; saying it again needs a new decision. */
  forget(id: string): void;
}

/** A decision against a motion holds as long as a motion may wait: after that the same question is a new one. */
export const DECLINED_SECONDS = 14 * 86_400;
/** Declined motions that are remembered, the oldest forgotten first: as many as all that may wait at a time. */
export const DECLINED_MAX = LIMITS.rosterNoteCountMax;

const AGREED_PREFIX = "roster/agreed/";
/** The value is the time in seconds since 1970, as digits. */
const DECLINED_PREFIX = "roster/declined/";

export function createDecisions({
  store,
  clock,
  save,
}: {
  readonly store: Store;
  readonly clock: Pick<Clock, "now">;
  /** Write behind, in order. */
  readonly save: (changes: readonly StoreChange[]) => void;
}): Decisions {
  const agreed = new Set<string>();
  /** Seconds at which each was declined, the oldest first. */
  const declined = new Map<string, number>();
  const now = (): number => Math.floor(clock.now() / 1000);
  const isOver = (seconds: number): boolean => now() - seconds > DECLINED_SECONDS;
  const withdraw = (id: string): readonly StoreChange[] => [
    ...(agreed.delete(id) ? [{ delete: AGREED_PREFIX + id }] : []),
    ...(declined.delete(id) ? [{ delete: DECLINED_PREFIX + id }] : []),
  ];
  /** What is over or too much. */
  const spare = (): readonly StoreChange[] => {
    const changes: StoreChange[] = [];
    for (const [id, seconds] of declined) {
      if (declined.size <= DECLINED_MAX && !isOver(seconds)) break;
      changes.push(...withdraw(id));
    }
    return changes;
  };
  return {
    async load() {
      for await (const [key] of store.entries(AGREED_PREFIX)) agreed.add(key.slice(AGREED_PREFIX.length));
      const found: (readonly [string, number])[] = [];
      for await (const [key, value] of store.entries(DECLINED_PREFIX)) {
        found.push([key.slice(DECLINED_PREFIX.length), Number(new TextDecoder().decode(value))]);
      }
      for (const [id, seconds] of found.sort(([, a], [, b]) => a - b)) declined.set(id, seconds);
      await store.batch(spare());
    },
    hasAgreed: (id) => agreed.has(id),
    hasDeclined(id) {
      const seconds = declined.get(id);
      return seconds !== undefined && !isOver(seconds);
    },
    agree(id) {
      const changes = withdraw(id);
      agreed.add(id);
      save([...changes, { put: AGREED_PREFIX + id, value: new Uint8Array(0) }]);
    },
    decline(id) {
      const changes = withdraw(id);
      declined.set(id, now());
      save([...changes, { put: DECLINED_PREFIX + id, value: new TextEncoder().encode(String(now())) }, ...spare()]);
    },
    forget(id) {
      const changes = withdraw(id);
      if (changes.length > 0) save(changes);
    },
  };
}

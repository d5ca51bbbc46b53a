/**
 * The roster on disk: every entry in the order in which it entered, verified again when read. Entries are taken at once
 * and written behind; `written` says when they are safe. What this peer signs itself waits for that.
 */

import { LIMITS } from "../../protocol/limits.ts";
import { END_OF_TIME, type Entry, encodeEntry } from "../../protocol/membership/entry.ts";
import type { Genesis } from "../../protocol/membership/genesis.ts";
import { type AddResult, RosterLog } from "../../protocol/membership/roster-log.ts";
import type { VerifySignature } from "../../protocol/membership/signatures.ts";
import type { Clock } from "../interface/clock.ts";
import type { Logger } from "../interface/logger.ts";
import type { Store, StoreChange } from "../interface/store.ts";
import type { StoredEntries } from "./roster-rebuild.ts";

export interface RosterStoreDependencies {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly verify: VerifySignature;
}

export interface RosterStore {
  /** Read it only: entries enter by `add`. */
  readonly log: RosterLog;
  /** Offer the bytes of an entry. It counts at once.  Throws: nothing. */
  add(bytes: Uint8Array): AddResult;
  /** Write something beside the entries, in the same order.  Throws: NodeError DISK_FULL, STORE_FAILED. */
  save(changes: readonly StoreChange[]): Promise<void>;
  /**
   * Entries as they are on disk, from a place on: so many at a time. The digest is that of the state when they were asked for.
   * Throws: NodeError DISK_FULL, STORE_FAILED.
   */
  stored(from: number): Promise<StoredEntries>;
  /** Resolves when all that was added before is on disk.  Throws: NodeError DISK_FULL, STORE_FAILED. */
  written(): Promise<void>;
  /** Called with every entry that enters, parents first. */
  onEntry(listener: (entry: Entry) => void): void;
}

/** Keys of the store: entries, and everything else about membership. */
export const ENTRY_PREFIX = "roster/entry/";
const placeOf = (key: string): number => Number(key.slice(ENTRY_PREFIX.length));
const keyOf = (place: number): string => ENTRY_PREFIX + String(place).padStart(8, "0");

/** The stored roster, rebuilt from the genesis.  Throws: GENESIS_INVALID; NodeError STORE_FAILED, DISK_FULL. */
export async function openRosterStore(
  { store, clock, logger, verify }: RosterStoreDependencies,
  genesis: Genesis,
): Promise<RosterStore> {
  const log = new RosterLog(genesis, { verify });
  const { next, damaged } = await readEntries(store, log, logger);
  if (damaged.length > 0) await store.batch(damaged.map((key) => ({ delete: key })));
  let place = next;
  const listeners: ((entry: Entry) => void)[] = [];
  let waiting: StoreChange[] = [];
  let last: Promise<void> = Promise.resolve();

  /** Writes follow one another; what could not be written waits for the next time. */
  const write = (): Promise<void> => {
    const turn = last.then(async () => {
      const changes = waiting;
      if (changes.length === 0) return;
      waiting = [];
      try {
        await store.batch(changes);
      } catch (error) {
        waiting = [...changes, ...waiting];
        throw error;
      }
    });
    last = turn.catch((error: unknown) => logger.warn("the roster could not be written", { error }));
    return turn;
  };

  return {
    log,
    add(bytes) {
      const result = log.add(bytes, Math.floor(clock.now() / 1000));
      if (result.outcome !== "added") return result;
      const entries = [result.entry, ...result.alsoAdded];
      for (const entry of entries) waiting.push({ put: keyOf(place++), value: encodeEntry(entry) });
      write().catch(() => undefined);
      for (const entry of entries) for (const listener of listeners) listener(entry);
      return result;
    },
    save(changes) {
      waiting.push(...changes);
      return write();
    },
    async stored(from) {
      const [end, { digest }] = [place, log.state()];
      await write();
      await last;
      return { ...(await readStored(store, { from, end })), digest };
    },
    written: write,
    onEntry: (listener) => void listeners.push(listener),
  };
}

/** Bytes of entries that are given at a time: JSON of a third more is made of them. */
const STORED_BYTES_MAX = LIMITS.rosterMessageBytesMax;

/** Entries of a store from a place on, before `end`; one at least, where there is one.  Throws: NodeError STORE_FAILED. */
export async function readStored(
  store: Store,
  { from, end = Infinity, bytesMax = STORED_BYTES_MAX }: { from: number; end?: number; bytesMax?: number },
): Promise<Pick<StoredEntries, "entries" | "next">> {
  const entries: { place: number; bytes: Uint8Array }[] = [];
  let size = 0;
  for await (const [key, bytes] of store.entries(ENTRY_PREFIX)) {
    const place = placeOf(key);
    if (place < from) continue;
    if (place >= end) break;
    size += bytes.length;
    if (entries.length > 0 && size > bytesMax) return { entries, next: place };
    entries.push({ place, bytes });
  }
  return { entries, next: undefined };
}

async function readEntries(
  store: Store,
  log: RosterLog,
  logger: Logger,
): Promise<{ readonly next: number; readonly damaged: readonly string[] }> {
  const damaged: string[] = [];
  let next = 0;
  for await (const [key, bytes] of store.entries(ENTRY_PREFIX)) {
    next = Math.max(next, placeOf(key) + 1);
    // They were in time when they came; this machine's clock may have been set back since.
    const result = log.add(bytes, END_OF_TIME);
    if (result.outcome === "added") continue;
    logger.warn("a roster entry in the store was dropped", { key, outcome: result.outcome });
    damaged.push(key);
  }
  return { next, damaged };
}

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

/** What a roster on disk needs; `verify` looks at every signature that is read. */
export interface RosterStoreDependencies {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly verify: VerifySignature;
}

/** Some entries of a roster as they are stored, in the order in which they entered. */
export interface StoredEntries {
  /** Place in that order, and bytes. */
  readonly entries: readonly { readonly place: number; readonly bytes: Uint8Array }[];
  /** Where to go on; undefined when these were the last. */
  readonly next: number | undefined;
  /** Digest that the giver's state had after all its entries (see RosterState); undefined where nobody says. */
  readonly digest: string | undefined;
}

/** A roster that was built anew from the bytes of its entries. */
export interface RebuiltRoster {
  readonly log: RosterLog;
  /** Stored entries that did not enter again, with the reason in words. */
  readonly refused: readonly string[];
  /** Digest that is claimed for the same entries, where one is. */
  readonly claimed: string | undefined;
}

/** Prefix of the store's keys of entries. */
export const ENTRY_PREFIX = "roster/entry/";
const placeOf = (key: string): number => Number(key.slice(ENTRY_PREFIX.length));
const keyOf = (place: number): string => ENTRY_PREFIX + String(place).padStart(8, "0");

/** The stored roster, rebuilt from the genesis.  Throws: GENESIS_INVALID; NodeError STORE_FAILED, DISK_FULL. */
export async function openRosterStore(dependencies: RosterStoreDependencies, genesis: Genesis): Promise<RosterStore> {
  const { store, logger, verify } = dependencies;
  const log = new RosterLog(genesis, { verify });
  const { next, damaged } = await readEntries(store, log, logger);
  if (damaged.length > 0) await store.batch(damaged.map((key) => ({ delete: key })));
  return new RosterStore(dependencies, { log, place: next });
}

/** A roster and the disk that it is kept on; see openRosterStore. */
export class RosterStore {
  /** Read it only: entries enter by `add`. */
  readonly log: RosterLog;
  readonly #dependencies: Pick<RosterStoreDependencies, "store" | "clock" | "logger">;
  readonly #listeners: ((entry: Entry) => void)[] = [];
  /** Of the next entry. */
  #place: number;
  #waiting: StoreChange[] = [];
  #last: Promise<void> = Promise.resolve();

  constructor(
    dependencies: Pick<RosterStoreDependencies, "store" | "clock" | "logger">,
    { log, place }: { readonly log: RosterLog; readonly place: number },
  ) {
    this.#dependencies = dependencies;
    this.log = log;
    this.#place = place;
  }

  /** Offer the bytes of an entry. It counts at once.  Throws: nothing. */
  add(bytes: Uint8Array): AddResult {
    const result = this.log.add(bytes, Math.floor(this.#dependencies.clock.now() / 1000));
    if (result.outcome !== "added") return result;
    const entries = [result.entry, ...result.alsoAdded];
    for (const entry of entries) this.#waiting.push({ put: keyOf(this.#place++), value: encodeEntry(entry) });
    this.written().catch(() => undefined);
    for (const entry of entries) for (const listener of this.#listeners) listener(entry);
    return result;
  }

  /** Write something beside the entries, in the same order.  Throws: NodeError DISK_FULL, STORE_FAILED. */
  save(changes: readonly StoreChange[]): Promise<void> {
    this.#waiting.push(...changes);
    return this.written();
  }

  /**
   * Entries as they are on disk, from a place on: so many at a time. The digest is that of the state when they were asked for.
   * Throws: NodeError DISK_FULL, STORE_FAILED.
   */
  async stored(from: number): Promise<StoredEntries> {
    const [end, { digest }] = [this.#place, this.log.state()];
    await this.written();
    await this.#last;
    return { ...(await readStored(this.#dependencies.store, { from, end })), digest };
  }

  /**
   * Resolves when all that was added before is on disk. Writes follow one another; what could not be written waits for the
   * next time.  Throws: NodeError DISK_FULL, STORE_FAILED.
   */
  written(): Promise<void> {
    const { store, logger } = this.#dependencies;
    const turn = this.#last.then(async () => {
      const changes = this.#waiting;
      if (changes.length === 0) return;
      this.#waiting = [];
      try {
        await store.batch(changes);
      } catch (error) {
        this.#waiting = [...changes, ...this.#waiting];
        throw error;
      }
    });
    this.#last = turn.catch((error: unknown) => logger.warn("the roster could not be written", { error }));
    return turn;
  }

  /** Call with every entry that enters, parents first. */
  onEntry(listener: (entry: Entry) => void): void {
    this.#listeners.push(listener);
  }
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

/**
 * Take every entry anew, each signature verified and each rule of 10.4 looked at. `read` gives the entries from a place on.
 * Throws: GENESIS_INVALID; what `read` throws.
 */
export async function rebuildRoster(
  read: (from: number) => Promise<StoredEntries>,
  { genesis, verify }: { readonly genesis: Genesis; readonly verify: VerifySignature },
): Promise<RebuiltRoster> {
  const log = new RosterLog(genesis, { verify });
  const refused: string[] = [];
  for (let from = 0; ; ) {
    const { entries, next, digest } = await read(from);
    for (const { place, bytes } of entries) {
      const result = log.add(bytes, END_OF_TIME);
      if (result.outcome === "refused") refused.push(`entry ${place}: ${result.text}`);
      if (result.outcome === "pending") refused.push(`entry ${place}: an entry that it follows is missing`);
    }
    if (next === undefined) return { log, refused, claimed: digest };
    if (next <= from) throw new RangeError(`entries from ${from} on end at ${next}`);
    from = next;
  }
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

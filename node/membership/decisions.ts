/**
 * What this peer has agreed to and what it has declined, by the digest of the statement; kept on disk. A statement is in at
 * most one of the two: the later decision replaces the earlier one.
 */
import { LIMITS } from "../../protocol/limits.ts";
import type { Clock } from "../interface/clock.ts";
import type { Store, StoreChange } from "../interface/store.ts";

/** A decision against a proposal holds as long as a proposal may wait: after that the same question is a new one. */
export const DECLINED_SECONDS = 14 * 86_400;
/** Declined proposals that are remembered, the oldest forgotten first: as many as all that may wait at a time. */
export const DECLINED_MAX = LIMITS.rosterNoteCountMax;

const AGREED_PREFIX = "roster/agreed/";
/** The value is the time in seconds since 1970, as digits. */
const DECLINED_PREFIX = "roster/declined/";

/** What keeping decisions needs. */
export interface DecisionDependencies {
  readonly store: Store;
  readonly clock: Pick<Clock, "now">;
  /** Entries that the roster has now. */
  readonly entryCount: () => number;
  /** Write behind, in order. */
  readonly save: (changes: readonly StoreChange[]) => void;
}

/** What somebody has agreed to. */
interface Agreement {
  /** Whether also where too few admins are left afterwards. */
  readonly isMeant: boolean;
  /** Entries that the roster had by then, or when this peer was started. */
  readonly entryCount: number;
}

/** The decisions of one peer. */
export class Decisions {
  readonly #dependencies: DecisionDependencies;
  readonly #agreed = new Map<string, Agreement>();
  /** Seconds at which each was declined, the oldest first. */
  readonly #declined = new Map<string, number>();

  constructor(dependencies: DecisionDependencies) {
    this.#dependencies = dependencies;
  }

  /** Read what is on disk.  Throws: NodeError STORE_FAILED. */
  async load(): Promise<void> {
    const { store } = this.#dependencies;
    for await (const [key, value] of store.entries(AGREED_PREFIX)) {
      const agreement = { isMeant: value.length > 0, entryCount: this.#dependencies.entryCount() };
      this.#agreed.set(key.slice(AGREED_PREFIX.length), agreement);
    }
    const found: (readonly [string, number])[] = [];
    for await (const [key, value] of store.entries(DECLINED_PREFIX)) {
      found.push([key.slice(DECLINED_PREFIX.length), Number(new TextDecoder().decode(value))]);
    }
    for (const [id, seconds] of found.sort(([, a], [, b]) => a - b)) this.#declined.set(id, seconds);
    await store.batch(this.#spare());
  }

  /** Whether this peer has agreed to a statement. */
  hasAgreed(id: string): boolean {
    return this.#agreed.has(id);
  }

  /** Whether it was declined within DECLINED_SECONDS. */
  hasDeclined(id: string): boolean {
    const seconds = this.#declined.get(id);
    return seconds !== undefined && !this.#isOver(seconds);
  }

  /** Whether it was agreed to although too few admins are left afterwards to change anything. */
  isMeant(id: string): boolean {
    return this.#agreed.get(id)?.isMeant === true;
  }

  /** Entries that the roster had when this peer agreed to a statement: these are meant to stay. All, where it has not. */
  entriesBefore(id: string): number {
    return this.#agreed.get(id)?.entryCount ?? Infinity;
  }

  /** Agree to a statement, in place of an earlier decision; `isMeant`: whatever it leaves of the admins. */
  agree(id: string, { isMeant = false }: { readonly isMeant?: boolean } = {}): void {
    const changes = this.#withdraw(id);
    this.#agreed.set(id, { isMeant, entryCount: this.#dependencies.entryCount() });
    this.#dependencies.save([...changes, { put: AGREED_PREFIX + id, value: new Uint8Array(isMeant ? 1 : 0) }]);
  }

  /** Decline a statement, in place of an earlier decision. */
  decline(id: string): void {
    const changes = this.#withdraw(id);
    const seconds = this.#now();
    this.#declined.set(id, seconds);
    const value = new TextEncoder().encode(String(seconds));
    this.#dependencies.save([...changes, { put: DECLINED_PREFIX + id, value }, ...this.#spare()]);
  }

  /** It has happened; saying it again needs a new decision. */
  forget(id: string): void {
    const changes = this.#withdraw(id);
    if (changes.length > 0) this.#dependencies.save(changes);
  }

  #withdraw(id: string): readonly StoreChange[] {
    return [
      ...(this.#agreed.delete(id) ? [{ delete: AGREED_PREFIX + id }] : []),
      ...(this.#declined.delete(id) ? [{ delete: DECLINED_PREFIX + id }] : []),
    ];
  }

  /** What is over or too much. */
  #spare(): readonly StoreChange[] {
    const changes: StoreChange[] = [];
    for (const [id, seconds] of this.#declined) {
      if (this.#declined.size <= DECLINED_MAX && !this.#isOver(seconds)) break;
      changes.push(...this.#withdraw(id));
    }
    return changes;
  }

  #isOver(seconds: number): boolean {
    return this.#now() - seconds > DECLINED_SECONDS;
  }

  #now(): number {
    return Math.floor(this.#dependencies.clock.now() / 1000);
  }
}

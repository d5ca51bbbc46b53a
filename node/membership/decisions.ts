/**
 * What this peer has agreed to and what it has declined, by the digest of the statement; kept on disk. A statement is in at
 * most one of the two: the later decision replaces the earlier one.
 */
import { LIMITS } from "../../protocol/limits.ts";
import type { Clock } from "../interface/clock.ts";
import type { Store, StoreChange } from "../interface/store.ts";

/**
 * A decision holds as long as a proposal may wait: after that the same question is a new one. Most statements have no time in them, so
 * that whoever draws one up anew years later would have a signature that was once given for it.
 */
export const DECISION_SECONDS = 14 * 86_400;
/** Declined proposals that are remembered, the oldest forgotten first: as many as all that may wait at a time. */
export const DECLINED_MAX = LIMITS.rosterNoteCountMax;

/** The value is the time in seconds since 1970, as digits, and a word behind it where it is meant whatever it ends. */
const AGREED_PREFIX = "roster/agreed/";
const MEANT = " meant";
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
  /** When. */
  readonly seconds: number;
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
    const undated: StoreChange[] = [];
    for await (const [key, value] of store.entries(AGREED_PREFIX)) {
      const agreement = { ...readAgreed(value, this.#now()), entryCount: this.#dependencies.entryCount() };
      this.#agreed.set(key.slice(AGREED_PREFIX.length), agreement);
      if (value.length < 2) undated.push({ put: key, value: writeAgreed(agreement) });
    }
    const found: (readonly [string, number])[] = [];
    for await (const [key, value] of store.entries(DECLINED_PREFIX)) {
      found.push([key.slice(DECLINED_PREFIX.length), Number(new TextDecoder().decode(value))]);
    }
    for (const [id, seconds] of found.sort(([, a], [, b]) => a - b)) this.#declined.set(id, seconds);
    await store.batch([...undated, ...this.#spare()]);
  }

  /** Whether this peer has agreed to a statement within DECISION_SECONDS. */
  hasAgreed(id: string): boolean {
    return this.#agreement(id) !== undefined;
  }

  /** Whether it was declined within DECISION_SECONDS. */
  hasDeclined(id: string): boolean {
    const seconds = this.#declined.get(id);
    return seconds !== undefined && !this.#isOver(seconds);
  }

  /** Whether it was agreed to although too few admins are left afterwards to change anything. */
  isMeant(id: string): boolean {
    return this.#agreement(id)?.isMeant === true;
  }

  /** Entries that the roster had when this peer agreed to a statement: these are meant to stay. All, where it has not. */
  entriesBefore(id: string): number {
    return this.#agreement(id)?.entryCount ?? Infinity;
  }

  /** Agree to a statement, in place of an earlier decision; `isMeant`: whatever it leaves of the admins. */
  agree(id: string, { isMeant = false }: { readonly isMeant?: boolean } = {}): void {
    const changes = this.#withdraw(id);
    const agreement = { seconds: this.#now(), isMeant, entryCount: this.#dependencies.entryCount() };
    this.#agreed.set(id, agreement);
    this.#dependencies.save([...changes, { put: AGREED_PREFIX + id, value: writeAgreed(agreement) }, ...this.#spare()]);
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

  #agreement(id: string): Agreement | undefined {
    const agreement = this.#agreed.get(id);
    return agreement === undefined || this.#isOver(agreement.seconds) ? undefined : agreement;
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
    for (const [id, { seconds }] of [...this.#agreed]) if (this.#isOver(seconds)) changes.push(...this.#withdraw(id));
    for (const [id, seconds] of this.#declined) {
      if (this.#declined.size <= DECLINED_MAX && !this.#isOver(seconds)) break;
      changes.push(...this.#withdraw(id));
    }
    return changes;
  }

  #isOver(seconds: number): boolean {
    return this.#now() - seconds > DECISION_SECONDS;
  }

  #now(): number {
    return Math.floor(this.#dependencies.clock.now() / 1000);
  }
}

/** Earlier versions wrote no time, and one byte where it is meant: such agreements hold from now on. */
function readAgreed(value: Uint8Array, nowSeconds: number): Pick<Agreement, "seconds" | "isMeant"> {
  if (value.length < 2) return { seconds: nowSeconds, isMeant: value.length > 0 };
  const text = new TextDecoder().decode(value);
  return { seconds: Number.parseInt(text, 10), isMeant: text.endsWith(MEANT) };
}

const writeAgreed = ({ seconds, isMeant }: Agreement): Uint8Array =>
  new TextEncoder().encode(`${seconds}${isMeant ? MEANT : ""}`);

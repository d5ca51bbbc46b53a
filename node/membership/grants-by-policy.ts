/**
 * How many requests this peer has granted without a person, by the admin whose invites they were: so many an hour, whatever
 * number of times the peer is started again.
 */
import type { PeerId } from "../../protocol/peer-id.ts";
import type { Clock } from "../interface/clock.ts";
import type { Store, StoreChange } from "../interface/store.ts";

/** Requests by invites of one admin that a peer grants without a person within an hour. */
export const GRANTS_BY_POLICY_MAX = 16;
const HOUR_SECONDS = 3_600;

/** Followed by the issuer; the value has the seconds since 1970 of its grants, as digits between commas. */
const PREFIX = "roster/granted/";

/** What keeping count needs. */
export interface GrantDependencies {
  readonly store: Store;
  readonly clock: Pick<Clock, "now">;
  /** Write behind, in order. */
  readonly save: (changes: readonly StoreChange[]) => void;
}

/** The grants of the last hour. */
export class GrantsByPolicy {
  readonly #dependencies: GrantDependencies;
  readonly #grants = new Map<string, readonly number[]>();

  constructor(dependencies: GrantDependencies) {
    this.#dependencies = dependencies;
  }

  /** Read what is on disk.  Throws: NodeError STORE_FAILED. */
  async load(): Promise<void> {
    const { store } = this.#dependencies;
    for await (const [key, value] of store.entries(PREFIX)) {
      const seconds = new TextDecoder().decode(value).split(",").map(Number).filter(Number.isSafeInteger);
      this.#grants.set(key.slice(PREFIX.length), seconds);
    }
    await store.batch(this.#spare());
  }

  /** Count one more grant by an invite of this admin; false: there were enough within the hour. It is written in turn. */
  take(issuer: PeerId): boolean {
    const now = this.#now();
    const recent = (this.#grants.get(issuer) ?? []).filter((seconds) => isRecent(seconds, now));
    if (recent.length >= GRANTS_BY_POLICY_MAX) return false;
    const grants = [...recent, now];
    this.#grants.set(issuer, grants);
    const value = new TextEncoder().encode(grants.join(","));
    this.#dependencies.save([...this.#spare(), { put: PREFIX + issuer, value }]);
    return true;
  }

  /** Admins that have had nothing granted lately need no place. */
  #spare(): readonly StoreChange[] {
    const now = this.#now();
    const old = [...this.#grants].filter(([, grants]) => !grants.some((seconds) => isRecent(seconds, now)));
    for (const [issuer] of old) this.#grants.delete(issuer);
    return old.map(([issuer]) => ({ delete: PREFIX + issuer }));
  }

  #now(): number {
    return Math.floor(this.#dependencies.clock.now() / 1000);
  }
}

/** Within an hour, before or after: a clock that was set back gives no new grants at once, and none for ever later. */
const isRecent = (seconds: number, now: number): boolean => Math.abs(now - seconds) < HOUR_SECONDS;

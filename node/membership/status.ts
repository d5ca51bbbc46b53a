/** What every peer is at this moment: by the roster, and by certificates that were shown before the roster had their entry. */
import type { Terms } from "../../protocol/membership/entry.ts";
import type { Role } from "../../protocol/membership/roles.ts";
import type { RosterLog } from "../../protocol/membership/roster-log.ts";
import { roleOf } from "../../protocol/membership/roster-state.ts";
import { isWithin } from "../../protocol/membership/roster-view.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { NodeError } from "../errors.ts";
import type { Clock } from "../interface/clock.ts";
import type { Standing } from "../interface/membership.ts";
import type { MembershipLimits } from "./membership-limits.ts";

/** The one place that says what a peer is; every layer asks it. */
export class Statuses {
  readonly #log: RosterLog;
  readonly #clock: Pick<Clock, "now">;
  readonly #presentedMax: number;
  /** Terms of who has shown a certificate that this roster does not hold yet, the oldest first. */
  readonly #presented = new Map<PeerId, Terms>();
  readonly #listeners: (() => void)[] = [];

  constructor(
    { log, clock }: { readonly log: RosterLog; readonly clock: Pick<Clock, "now"> },
    { visitsRememberedMax }: Pick<MembershipLimits, "visitsRememberedMax">,
  ) {
    this.#log = log;
    this.#clock = clock;
    this.#presentedMax = visitsRememberedMax;
  }

  /** undefined: it is no member now. */
  roleOf(peer: PeerId): Role | undefined {
    const state = this.#log.state();
    const role = roleOf(state, peer, this.#now());
    if (role !== undefined) return role;
    const terms = this.#presented.get(peer);
    const isUnheard = !state.members.has(peer) && !state.removed.has(peer) && !state.barred.has(peer);
    return terms !== undefined && isUnheard && isWithin(terms, this.#now()) ? terms.role : undefined;
  }

  /** What it is now, and what it was when it is no member. */
  statusOf(peer: PeerId): Standing {
    const state = this.#log.state();
    if (this.roleOf(peer) !== undefined) return "member";
    if (state.barred.has(peer) || state.removed.has(peer)) return "removed";
    const terms = state.members.get(peer) ?? this.#presented.get(peer);
    if (terms === undefined) return "stranger";
    return this.#now() > terms.notAfter ? "expired" : "early";
  }

  /** Whether it has a role now. */
  isMember(peer: PeerId): boolean {
    return this.roleOf(peer) !== undefined;
  }

  /** A certificate was accepted; it counts where the roster says nothing of its bearer. */
  remember(peer: PeerId, terms: Terms): void {
    this.#presented.set(peer, terms);
    const [oldest] = this.#presented.keys();
    if (this.#presented.size > this.#presentedMax && oldest !== undefined) this.#presented.delete(oldest);
    for (const listener of this.#listeners) listener();
  }

  /** Call when somebody has become a member for a time that nobody waits for yet. */
  onRemembered(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Forget what the roster says itself by now. */
  tidy(): void {
    const { members, removed } = this.#log.state();
    for (const peer of [...this.#presented.keys()]) {
      if (members.has(peer) || removed.has(peer)) this.#presented.delete(peer);
    }
  }

  /** All terms that may begin or end. */
  terms(): readonly Terms[] {
    return [...this.#log.state().members.values(), ...this.#presented.values()];
  }

  #now(): number {
    return Math.floor(this.#clock.now() / 1000);
  }
}

/** MEMBERSHIP_ENDED or NOT_ALLOWED, with what to do; of a member without a role it says what it says of a stranger. */
export function statusError(status: Standing, peer: PeerId): NodeError {
  const facts = { peer, standing: status };
  switch (status) {
    case "expired":
      return new NodeError("MEMBERSHIP_ENDED", "this peer's membership is over; ask an admin to renew it", facts);
    case "removed":
      return new NodeError("MEMBERSHIP_ENDED", "this peer was removed from the network by its admins", facts);
    case "early":
      return new NodeError("NOT_ALLOWED", "this peer's membership has not begun; look at the machine's clock", facts);
    case "stranger":
    case "member": {
      const text = `this peer (${peer}) is no member of the network; ask an admin for an invite and use weft join`;
      return new NodeError("NOT_ALLOWED", text, facts);
    }
  }
}

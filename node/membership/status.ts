/** What every peer is at this moment: by the roster, and by certificates that were shown before the roster had their entry. */
import type { EntryId, Terms } from "../../protocol/membership/entry.ts";
import type { Role } from "../../protocol/membership/roles.ts";
import type { RosterLog } from "../../protocol/membership/roster-log.ts";
import { type RosterState, roleOf } from "../../protocol/membership/roster-state.ts";
import { isWithin } from "../../protocol/membership/roster-view.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { NodeError } from "../errors.ts";
import type { Clock } from "../interface/clock.ts";
import type { MemberStatus } from "../interface/membership.ts";
import type { MembershipLimits } from "./membership-limits.ts";

/** A membership that the roster does not say, and what it was derived from. */
export interface PresentedMembership {
  readonly terms: Terms;
  /** The entry that was shown. Once the roster holds it, the roster decides. */
  readonly entry: EntryId;
  /** Whether the certificate would be accepted by what the roster holds now, whatever the time. */
  readonly stillHolds: () => boolean;
}

/** The one place that says what a peer is; every layer asks it. */
export class Statuses {
  readonly #log: RosterLog;
  readonly #clock: Pick<Clock, "now">;
  readonly #presentedMax: number;
  /** Of peers that have shown a certificate that this roster does not hold yet, the oldest first. */
  readonly #presented = new Map<PeerId, PresentedMembership>();
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
    const role = roleOf(this.#log.state(), peer, this.#now());
    if (role !== undefined) return role;
    const terms = this.#presentedTerms(peer);
    return terms !== undefined && isWithin(terms, this.#now()) ? terms.role : undefined;
  }

  /** What it is now, and what it was when it is no member. */
  statusOf(peer: PeerId): MemberStatus {
    const state = this.#log.state();
    if (this.roleOf(peer) !== undefined) return "member";
    if (state.barred.has(peer) || state.removed.has(peer)) return "removed";
    const terms = state.members.get(peer) ?? this.#presentedTerms(peer);
    if (terms === undefined) return "stranger";
    return this.#now() > terms.notAfter ? "expired" : "early";
  }

  /** Whether it has a role now. */
  isMember(peer: PeerId): boolean {
    return this.roleOf(peer) !== undefined;
  }

  /** A certificate was accepted; it counts where the roster says nothing of its bearer. */
  remember(peer: PeerId, membership: PresentedMembership): void {
    this.#presented.delete(peer);
    this.#presented.set(peer, membership);
    const [oldest] = this.#presented.keys();
    if (this.#presented.size > this.#presentedMax && oldest !== undefined) this.#presented.delete(oldest);
    for (const listener of this.#listeners) listener();
  }

  /** Call when somebody has become a member for a time that nobody waits for yet. */
  onRemembered(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Forget what the roster decides itself by now, and what does not hold any more by what the roster has heard since. */
  tidy(): void {
    for (const [peer, { stillHolds }] of [...this.#presented]) {
      if (this.#presentedTerms(peer) === undefined || !stillHolds()) this.#presented.delete(peer);
    }
  }

  /** All terms that may begin or end. */
  terms(): readonly Terms[] {
    return [...this.#log.state().members.values(), ...[...this.#presented.values()].map(({ terms }) => terms)];
  }

  /** undefined where the roster says something of the peer, or holds the entry that it has shown. */
  #presentedTerms(peer: PeerId): Terms | undefined {
    const presented = this.#presented.get(peer);
    if (presented === undefined || this.#log.get(presented.entry) !== undefined) return undefined;
    const { members, removed, barred } = this.#log.state();
    return members.has(peer) || removed.has(peer) || barred.has(peer) ? undefined : presented.terms;
  }

  #now(): number {
    return Math.floor(this.#clock.now() / 1000);
  }
}

/** What ended a membership before its time, and what to do. */
function removalText(peer: PeerId, { barred, removed }: Pick<RosterState, "barred" | "removed">): string {
  if (barred.has(peer)) {
    return (
      "this peer is barred: two different things were signed with its key under one number, as happens where a copy of its " +
      "data directory runs as well. No admin did it and none can undo it: stop the copies, and join with a new data directory and a " +
      "new invite"
    );
  }
  const removal = removed.get(peer);
  if (removal?.reason === "rotated") {
    return `this key was replaced by another one (${removal.successor}); go on with the data directory of that key`;
  }
  return "this peer was removed from the network by its admins";
}

/** Of whom the roster says nothing. */
const NOTHING_SAID: Pick<RosterState, "barred" | "removed"> = { barred: new Set(), removed: new Map() };

/** MEMBERSHIP_ENDED or NOT_ALLOWED, with what to do; of a member without a role it says what it says of a stranger. */
export function statusError(status: MemberStatus, peer: PeerId, state = NOTHING_SAID): NodeError {
  const facts = { peer, standing: status };
  switch (status) {
    case "expired":
      return new NodeError("MEMBERSHIP_ENDED", "this peer's membership is over; ask an admin to renew it", facts);
    case "removed": {
      // What ended it otherwise says itself what to do.
      const isByAdmins = !state.barred.has(peer) && state.removed.get(peer)?.reason !== "rotated";
      const more = isByAdmins ? { problem: "key-barred" as const } : {};
      return new NodeError("MEMBERSHIP_ENDED", removalText(peer, state), { ...facts, ...more });
    }
    case "early":
      return new NodeError("NOT_ALLOWED", "this peer's membership has not begun; look at the machine's clock", facts);
    case "stranger":
    case "member": {
      const text = `this peer (${peer}) is no member of the network`;
      return new NodeError("NOT_ALLOWED", text, { ...facts, problem: "stranger" });
    }
  }
}

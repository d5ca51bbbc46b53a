/** What every peer is at this moment: by the roster, and by certificates that were shown before the roster had their entry. */
import type { Terms } from "../../protocol/membership/entry.ts";
import type { Role } from "../../protocol/membership/roles.ts";
import type { RosterLog } from "../../protocol/membership/roster-log.ts";
import { roleOf } from "../../protocol/membership/roster-state.ts";
import { isWithin } from "../../protocol/membership/roster-view.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import type { Clock } from "../interface/clock.ts";
import type { Standing } from "../interface/membership.ts";
import type { MembershipLimits } from "./membership-limits.ts";

export interface Standings {
  roleOf(peer: PeerId): Role | undefined;
  standingOf(peer: PeerId): Standing;
  isMember(peer: PeerId): boolean;
  /** A certificate was accepted; it counts where the roster says nothing of its bearer. */
  remember(peer: PeerId, terms: Terms): void;
  /** Forget what the roster says itself by now. */
  tidy(): void;
  /** All terms that may begin or end. */
  terms(): readonly Terms[];
}

export function createStandings(
  { log, clock }: { readonly log: RosterLog; readonly clock: Pick<Clock, "now"> },
  { visitsRememberedMax }: Pick<MembershipLimits, "visitsRememberedMax">,
): Standings {
  /** Terms of who has shown a certificate that this roster does not hold yet, the oldest first. */
  const presented = new Map<PeerId, Terms>();
  const now = (): number => Math.floor(clock.now() / 1000);

  const roleNow = (peer: PeerId): Role | undefined => {
    const state = log.state();
    const role = roleOf(state, peer, now());
    if (role !== undefined) return role;
    const terms = presented.get(peer);
    const isUnheard = !state.members.has(peer) && !state.removed.has(peer) && !state.barred.has(peer);
    return terms !== undefined && isUnheard && isWithin(terms, now()) ? terms.role : undefined;
  };
  return {
    roleOf: roleNow,
    standingOf(peer) {
      const state = log.state();
      if (roleNow(peer) !== undefined) return "member";
      if (state.barred.has(peer) || state.removed.has(peer)) return "removed";
      const terms = state.members.get(peer) ?? presented.get(peer);
      if (terms === undefined) return "stranger";
      return now() > terms.notAfter ? "expired" : "early";
    },
    isMember: (peer) => roleNow(peer) !== undefined,
    remember(peer, terms) {
      presented.set(peer, terms);
      if (presented.size <= visitsRememberedMax) return;
      for (const oldest of presented.keys()) {
        presented.delete(oldest);
        break;
      }
    },
    tidy() {
      const { members, removed } = log.state();
      for (const peer of [...presented.keys()]) if (members.has(peer) || removed.has(peer)) presented.delete(peer);
    },
    terms: () => [...log.state().members.values(), ...presented.values()],
  };
}

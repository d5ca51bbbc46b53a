/** What has changed between two looks at a roster, in the words of operators. */
import { type RosterState, roleOf } from "../../protocol/membership/roster-state.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import type { RosterEvent } from "../interface/roster-event.ts";

/** A roster at a time (seconds since 1970), as one peer sees it. */
export interface RosterMoment {
  readonly self: PeerId;
  readonly state: RosterState;
  readonly seconds: number;
}

/** In the order of peer ids; the roster as a whole comes last. */
export function rosterEvents(before: RosterMoment, after: RosterMoment): readonly RosterEvent[] {
  const events: RosterEvent[] = [];
  const peers = new Set([...before.state.members.keys(), ...after.state.members.keys()]);
  for (const peer of [...peers].sort()) {
    const was = roleOf(before.state, peer, before.seconds);
    const is = roleOf(after.state, peer, after.seconds);
    if (was === undefined && is !== undefined) events.push({ type: "member", change: "admitted", peer, role: is });
    if (was !== undefined && is === undefined) {
      const { barred, removed } = after.state;
      const change = barred.has(peer) ? "barred" : removed.has(peer) ? "revoked" : "expired";
      events.push({ type: "member", change, peer, role: was });
    }
    const isRenewed = before.state.members.get(peer)?.grant !== after.state.members.get(peer)?.grant;
    if (was !== undefined && is !== undefined && isRenewed) {
      events.push({ type: "member", change: "renewed", peer, role: is });
    }
  }
  const isSame = before.state.digest === after.state.digest && events.length === 0;
  return isSame ? events : [...events, rosterEvent(after)];
}

/** The roster as a whole. */
export function rosterEvent({ self, state, seconds }: RosterMoment): RosterEvent {
  const members = [...state.members.keys()].filter((peer) => roleOf(state, peer, seconds) !== undefined).length;
  return {
    type: "roster",
    role: roleOf(state, self, seconds),
    members,
    entries: state.entryCount,
    digest: state.digest,
  };
}

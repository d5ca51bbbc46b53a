/** Events that name other peers, with what these call themselves. */
import { peerOfAddress } from "../exchange/dialer.ts";
import type { PeerEvent } from "../interface/peer-event.ts";
import type { PeerLabel } from "../interface/peer-names.ts";

/** The event with a label beside each peer that has one.  labelOf: what a peer called itself, where that is known. */
export function labelledEvent(event: PeerEvent, labelOf: (peer: string) => PeerLabel): PeerEvent {
  const labelled = <Named>(named: Named, peer: string | undefined): Named => {
    const label = peer === undefined ? undefined : labelOf(peer);
    return label === undefined ? named : { ...named, label };
  };
  const each = <Named extends { readonly peer: string }>(all: readonly Named[]): readonly Named[] =>
    all.map((one) => labelled(one, one.peer));
  switch (event.type) {
    case "company":
    case "declined":
    case "member":
    case "equivocation":
    case "clock":
      return labelled(event, event.peer);
    case "unreachable":
      return labelled(event, peerOfAddress(event.address));
    case "update":
      return labelled(event, event.from);
    case "mixed":
      return { ...event, neighbours: each(event.neighbours) };
    case "round":
      return event.scores === undefined ? event : { ...event, scores: each(event.scores) };
    default:
      return event;
  }
}

/**
 * Members that are in another network of this roster, and what that says about where this peer should be. What the roster has
 * agreed to nobody can make up, but when others have gone over only they can say: one of them alone is not believed while more
 * neighbours are still here.
 */

import type { NetworkId } from "../../protocol/network-id.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import type { Successions, SuccessorLink } from "./successions.ts";

export interface Elsewhere {
  /** A member greets under another network of this roster. */
  note(peer: PeerId, network: NetworkId): void;
  /** A member is past its handshake under this peer's own network. */
  joined(peer: PeerId): void;
  /** Somebody is not connected any more. */
  left(peer: PeerId): void;
  /**
   * What this peer should go through, in turn: up to the newest network that as many members greet under, or under a later one,
   * as neighbours are here. None when there is no such network.
   */
  followed(): readonly SuccessorLink[];
}

export function createElsewhere({
  successions,
  isMember,
}: {
  readonly successions: Pick<Successions, "ahead">;
  readonly isMember: (peer: PeerId) => boolean;
}): Elsewhere {
  /** Only members get in, so there are at most as many as the roster has. */
  const seen = new Map<PeerId, NetworkId>();
  const present = new Set<PeerId>();
  return {
    note(peer, network) {
      if (isMember(peer)) seen.set(peer, network);
    },
    joined(peer) {
      seen.delete(peer);
      present.add(peer);
    },
    left: (peer) => void present.delete(peer),
    followed() {
      const ahead = successions.ahead();
      const here = [...present].filter(isMember).length;
      const places = [...seen]
        .filter(([peer]) => isMember(peer))
        .map(([, network]) => ahead.findIndex((link) => link.network === network));
      for (let last = ahead.length - 1; last >= 0; last--) {
        const beyond = places.filter((place) => place >= last).length;
        if (beyond > 0 && beyond >= here) return ahead.slice(0, last + 1);
      }
      return [];
    },
  };
}

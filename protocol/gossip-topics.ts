/** The gossip topics: messages to everybody at once, sent by their author and passed on by every peer that accepts them. */
import { LIMITS } from "./limits.ts";
import type { NetworkId } from "./network-id.ts";

declare const brand: unique symbol;

/** The kind of a topic's message in the record of everything that leaves a peer. */
export type GossipKind = "announcement" | "relay" | "roster";

/** A topic that a function of this file has named. */
export interface GossipTopic {
  readonly [brand]: "GossipTopic";
  /** On the wire. */
  readonly name: string;
  /** The longest message. */
  readonly bytesMax: number;
  /** Kinds in the record of everything that leaves a peer: of the peer's own message, and of one that it passes on. */
  readonly egress: { readonly published: GossipKind; readonly relayed: GossipKind };
}

/** The topic of a network's announcements. */
export function announcementTopic(network: NetworkId): GossipTopic {
  return topic({
    name: `/weft/${network.slice(0, 16)}/announce/1`,
    bytesMax: LIMITS.announcementBytesMax,
    egress: { published: "announcement", relayed: "relay" },
  });
}

/** The topic of a roster; it stays the same when the network goes on under another manifest. */
export function rosterTopic(roster: NetworkId): GossipTopic {
  return topic({
    name: `/weft/${roster.slice(0, 16)}/roster/1`,
    bytesMax: LIMITS.rosterNoteBytesMax,
    egress: { published: "roster", relayed: "roster" },
  });
}

const topic = (fields: Omit<GossipTopic, typeof brand>): GossipTopic => fields as GossipTopic;

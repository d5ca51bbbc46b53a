/** Names under which peers meet: gossip topics and stream protocols. */
import type { NetworkId } from "./network-id.ts";

/** Version that two peers must share; raised with every incompatible change of the wire. */
export const PROTOCOL_VERSION = 1;

/** First message of a connection; the name carries no network, so that a mismatch can be explained. */
export const HANDSHAKE_PROTOCOL = "/weft/handshake/1";
/** Exchange of the newest announcements. */
export const HEADS_PROTOCOL = "/weft/heads/1";
/** Bytes by content id. */
export const BLOB_PROTOCOL = "/weft/blob/1";
/** What an author's data set is like, where the network weighs by it. */
export const SKETCH_PROTOCOL = "/weft/sketch/1";
/** The manifests that a roster's network has gone through, for who holds an invite. */
export const SUCCESSORS_PROTOCOL = "/weft/successors/1";
/** A neighbour's clock, and whether it gets through. */
export const CHECKUP_PROTOCOL = "/weft/checkup/1";
/** Where neighbours can be dialled. */
export const ADDRESSES_PROTOCOL = "/weft/addresses/1";

/** The gossip topic of a network's announcements. */
export function announcementTopic(network: NetworkId): string {
  return `/weft/${network.slice(0, 16)}/announce/1`;
}

/** Roster entries that a neighbour lacks, and what waits for signatures. */
export const ROSTER_PROTOCOL = "/weft/roster/1";
/** Asking for admission by an invite; answered to strangers. */
export const ADMISSION_PROTOCOL = "/weft/admission/1";
/** The genesis, for who holds an invite; and that of a network's successor, for members. */
export const GENESIS_PROTOCOL = "/weft/genesis/1";

/** The gossip topic of a roster; it stays the same when the network goes on under another manifest. */
export function rosterTopic(roster: NetworkId): string {
  return `/weft/${roster.slice(0, 16)}/roster/1`;
}

/** Whether a topic is that of a roster. */
export const isRosterTopic = (topic: string): boolean => /^\/weft\/[0-9a-f]{16}\/roster\/1$/.test(topic);

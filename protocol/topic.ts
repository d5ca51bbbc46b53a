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
/** A neighbour's clock, and whether it gets through. */
export const CHECKUP_PROTOCOL = "/weft/checkup/1";
/** Where neighbours can be dialled. */
export const ADDRESSES_PROTOCOL = "/weft/addresses/1";

/** The gossip topic of a network's announcements. */
export function announcementTopic(network: NetworkId): string {
  return `/weft/${network.slice(0, 16)}/announce/1`;
}

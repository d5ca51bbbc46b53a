/** The peers with which this one is connected and past the handshake, as every conversation sees them. */
import type { Feature } from "../../protocol/features.ts";
import type { Role } from "../../protocol/membership/roles.ts";
import type { PeerId } from "../../protocol/peer-id.ts";

/** Who is past the handshake, what each has and is, and who comes and goes. */
export interface Neighbours {
  /** This peer's own id; it is no neighbour of itself. */
  readonly self: PeerId;
  /** In the order of their ids. */
  all(): readonly PeerId[];
  has(peer: PeerId): boolean;
  /** Whether this peer and a neighbour both have a feature: what one of them lacks is not asked of the other. */
  shares(peer: PeerId, feature: Feature): boolean;
  /** What a peer is in the network, be it a neighbour, another one or this one; undefined: it is no member. */
  roleOf(peer: PeerId): Role | undefined;
  /** Hold it against a peer that what it sent had to be rejected; too often, and it is refused for a while. */
  blame(peer: PeerId): void;
  /** Whether a peer is refused for a while, for what it sent. */
  refuses(peer: PeerId): boolean;
  /** Called when a peer has become a neighbour; listeners stay, and are called in the order of their coming. */
  onAdmitted(listener: (peer: PeerId) => void): void;
  /** Called when a neighbour is none any more. */
  onLeft(listener: (peer: PeerId) => void): void;
}

/** The addresses that a peer tells others, as far as others can find out whether they lead to it. */
import type { PeerId } from "../../protocol/peer-id.ts";

/** An address that counts as public. */
export interface PublicAddress {
  /** A multiaddr that ends in `/p2p/<peer>`. */
  readonly address: string;
  /** Whether a person has it announced: then it is told, whatever others find. */
  readonly isAnnounced: boolean;
}

/** Public addresses of this peer itself, without those that lead through a relay. */
export interface ToldAddresses {
  /** All of them, whether others hear of them at the moment or not. */
  all(): readonly PublicAddress[];
  /** Have others hear of an address, or no longer. What is announced stays told. */
  tell(address: string, isTold: boolean): void;
  /**
   * Whether it says something where a connected peer does not get through to an address: it is elsewhere on the public
   * network, and uses addresses of that kind itself.
   */
  mayJudge(peer: PeerId, address: string): Promise<boolean>;
}

/** Of a transport that has no public addresses. */
export const NO_PUBLIC_ADDRESSES: ToldAddresses = { all: () => [], tell() {}, mayJudge: async () => false };

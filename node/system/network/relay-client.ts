/**
 * Being reached through relays, and dialling others through them. libp2p takes a place at whatever relay it meets, also at one
 * that only says that it relays, takes circuits of relays that it never asked, and tells others whatever addresses a relay names.
 */
import {
  type CircuitRelayTransportComponents,
  circuitRelayTransport,
  RELAY_V2_STOP_CODEC,
} from "@libp2p/circuit-relay-v2";
import type { Connection, PeerId as Libp2pPeerId, Transport } from "@libp2p/interface";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import type { Acquaintance } from "./acquaintance.ts";
import { askedFirst } from "./asked-services.ts";
import { isBelievable, rangeOf } from "./hearsay-range.ts";
import { originOf } from "./pending-inbound.ts";
import { isRelayed } from "./relayed-address.ts";

/** Relays at which a peer has a place at a time: one that does not carry keeps nobody away. */
export const RELAYS_MAX = 4;

/** Of them so many that came unasked from one address. */
const RELAYS_PER_ORIGIN_MAX = 2;

/** Addresses of one relay that are told to others. */
const RELAY_ADDRESSES_MAX = 8;

/** libp2p's record of the places that it has; only this much of it is used. */
interface Reservations {
  addRelay(peer: Libp2pPeerId, type: string): Promise<unknown>;
  hasReservation(peer: Libp2pPeerId): boolean;
  addEventListener(type: string, listener: (event: CustomEvent<Reserved>) => void): void;
}

interface Reserved {
  readonly relay: Libp2pPeerId;
  readonly details: { readonly reservation: { addrs: Uint8Array[] } };
}

/** Circuits through relays that this peer has admitted. */
export function circuits(acquaintance: Acquaintance) {
  return (components: CircuitRelayTransportComponents): Transport => {
    const { connectionManager } = components;
    const open = (peer: Libp2pPeerId): readonly Connection[] =>
      connectionManager.getConnections(peer).filter((one) => one.status === "open" && !isRelayed(one.remoteAddr));
    const takes = (protocol: string, _: unknown, connection: Connection): boolean =>
      protocol !== RELAY_V2_STOP_CODEC || reservations.hasReservation(connection.remotePeer);
    const transport = circuitRelayTransport({ reservationCompletionTimeout: RESERVATION_MS })(
      askedFirst(components, { takes }),
    );
    const { reservationStore: reservations } = transport as Transport & { readonly reservationStore: Reservations };
    chooseRelays(reservations, { acquaintance, open });
    reservations.addEventListener("relay:created-reservation", ({ detail: { relay, details } }) => {
      const [connection] = open(relay);
      details.reservation.addrs = believed(details.reservation.addrs, relay, connection?.remoteAddr);
    });
    return transport;
  };
}

/** A relay answers once it has admitted this peer. */
const RESERVATION_MS = 30_000;

/** Have places taken only at relays that are admitted, and at a few of one address. */
function chooseRelays(
  reservations: Reservations,
  {
    acquaintance,
    open,
  }: { readonly acquaintance: Acquaintance; readonly open: (peer: Libp2pPeerId) => readonly Connection[] },
): void {
  const origins = new Map<string, string>();
  const add = reservations.addRelay.bind(reservations);
  reservations.addEventListener("relay:removed", ({ detail }) => void origins.delete(detail.relay.toString()));
  reservations.addRelay = async (peer, type) => {
    // Without a connection there is nobody to admit; libp2p would dial it.
    if (!(await acquaintance.admits(peer, () => open(peer).length > 0))) throw new Error("the relay is not admitted");
    const [connection] = open(peer);
    const origin = connection === undefined ? "" : originOf(connection.remoteAddr);
    const own = [...origins].filter(([name, one]) => one === origin && name !== peer.toString()).length;
    const isGuest = acquaintance.standingOf(peer) !== "known";
    if (isGuest && own >= RELAYS_PER_ORIGIN_MAX) throw new Error("there are enough relays of its address");
    origins.set(peer.toString(), origin);
    try {
      return await add(peer, type);
    } catch (error) {
      if (!reservations.hasReservation(peer)) origins.delete(peer.toString());
      throw error;
    }
  };
}

/** Of addresses that a relay says it has those of itself that may be dialled on its word; that of the connection comes first. */
function believed(addresses: readonly Uint8Array[], relay: Libp2pPeerId, from: Multiaddr | undefined): Uint8Array[] {
  const teller = from && rangeOf(from);
  const isOwn = (address: Multiaddr): boolean => {
    const peers = address.getComponents().filter(({ name }) => name === "p2p");
    return !isRelayed(address) && peers.every(({ value }) => value === relay.toString());
  };
  return addresses
    .filter((bytes) => {
      const address = multiaddr(bytes);
      return isOwn(address) && isBelievable(address.toString(), teller === undefined ? [] : [teller]);
    })
    .slice(0, RELAY_ADDRESSES_MAX);
}

/** libp2p's relay and hole punches, for whom this peer has admitted. */
import {
  type CircuitRelayServerComponents,
  type CircuitRelayService,
  circuitRelayServer,
} from "@libp2p/circuit-relay-v2";
import { type DCUtRServiceComponents, dcutr } from "@libp2p/dcutr";
import type { ConnectionGater, Libp2pEvents, PeerId, TypedEventTarget } from "@libp2p/interface";
import type { Acquaintance } from "./acquaintance.ts";
import { askedFirst, withParts } from "./asked-services.ts";
import { originOf } from "./pending-inbound.ts";
import { RELAY_LIMITS, RelayPlaces } from "./relay-places.ts";
import { isRelayed } from "./relayed-address.ts";

/**
 * A relay's connections have no limit of time or bytes: a neighbour is to be carried as long as it trains. A place ends with the
 * connection of who has it; libp2p would keep it for two hours.
 */
export function relayService(acquaintance: Acquaintance, admits: (peer: PeerId) => boolean) {
  return (components: CircuitRelayServerComponents & { readonly events: TypedEventTarget<Libp2pEvents> }) => {
    const { connectionManager, events } = components;
    const places = new RelayPlaces({
      ...{ acquaintance, admits },
      connectionsOf: (peer) => connectionManager.getConnections(peer),
      places: () => [...service.reservations].map(([peer, { addr }]) => ({ peer, origin: originOf(addr) })),
    });
    const connectionGater: ConnectionGater = {
      denyInboundRelayReservation: async (source) => !(await places.mayReserve(source)),
      denyOutboundRelayedConnection: (_, destination) => !places.mayConnect(destination),
    };
    const asked = askedFirst(components, {
      takes: (_, stream, connection) => places.begin(stream, connection),
      around: (stream, run) => places.answer(stream, run),
    });
    const service: CircuitRelayService = circuitRelayServer({
      reservations: { maxReservations: RELAY_LIMITS.placesMax, applyDefaultLimit: false },
      maxInboundHopStreams: 2 * RELAY_LIMITS.circuitsPerPeerMax,
      maxOutboundHopStreams: 2 * RELAY_LIMITS.circuitsPerPeerMax,
      maxOutboundStopStreams: 2 * RELAY_LIMITS.placesMax,
    })(withParts(asked, { connectionGater }));
    events.addEventListener("connection:close", ({ detail: { id, remotePeer } }) => {
      const others = connectionManager.getConnections(remotePeer).filter((one) => one.id !== id);
      if (others.some(({ remoteAddr }) => !isRelayed(remoteAddr))) return;
      service.reservations.get(remotePeer)?.signal.clear();
      service.reservations.delete(remotePeer);
    });
    return service;
  };
}

/**
 * Hole punches for connections through relays with whom this peer has admitted. libp2p's dials what anybody asks it to, over any
 * connection.
 */
export function holePunching(acquaintance: Acquaintance) {
  return (components: DCUtRServiceComponents): unknown =>
    dcutr()(
      askedFirst(components, {
        takes: async (_, _stream, connection) =>
          isRelayed(connection.remoteAddr) &&
          (await acquaintance.admits(connection.remotePeer, () => connection.status === "open")),
        meets: (_, peer, connection) => acquaintance.admits(peer, () => connection.status === "open"),
      }),
    );
}

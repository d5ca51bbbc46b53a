/**
 * The ways by which peers of one network reach each other: TCP, QUIC and WebSocket, through a member that relays, and by
 * looking for each other on the local network or in a table that the members keep. Nothing here knows a public node.
 */
import type { PeerId as Libp2pPeerId } from "@libp2p/interface";
import { kadDHT } from "@libp2p/kad-dht";
import { mdns } from "@libp2p/mdns";
import { tcp } from "@libp2p/tcp";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import type { Libp2pOptions as NodeOptions } from "libp2p";
import type { Logger } from "../../interface/logger.ts";
import type { Acquaintance } from "./acquaintance.ts";
import type { HearsayDial } from "./hearsay-dial.ts";
import { holesThroughRouters } from "./punch/hole-punching.ts";
import { circuits, RELAYS_MAX } from "./relay-client.ts";
import { holePunching, relayService } from "./relay-service.ts";
import { STEADY_TIMEOUT } from "./steady-timeout.ts";
import { boundedWebSockets, type WebSocketLimits } from "./websocket-listener.ts";

/** How a peer is reached and finds others; all of it is off unless it is asked for. */
export interface ReachOptions {
  /** Names what this network keeps to itself: its table of members and its name on the local network. */
  readonly network: string;
  /** Multiaddrs to tell others instead of those that this peer listens on, such as those of a port forwarding. */
  readonly announce?: readonly string[];
  /** Carry the connections of members that cannot be dialled. */
  readonly relay?: boolean;
  /** Be reached through relaying members: for a peer that may only dial outwards. */
  readonly throughRelays?: boolean;
  /** Look for peers of this network on the local network (multicast DNS). */
  readonly mdns?: boolean;
  /** Keep a part of the members' table of addresses (Kademlia), and look for members in it. */
  readonly table?: boolean;
  /** Address ranges such as `10.0.0.0/8`: nothing else is dialled and no connection from elsewhere is taken. */
  readonly ranges?: readonly string[];
}

/** QUIC where its native binding loads; it is the only transport that has one. */
export async function quicTransport(): Promise<NonNullable<NodeOptions["transports"]>[number] | undefined> {
  try {
    const { quic } = await import("@chainsafe/libp2p-quic");
    return quic();
  } catch {
    // No binding for this machine; an address that asks for QUIC is refused by name when it is listened on.
    return undefined;
  }
}

/** The transports: TCP and WebSocket always, QUIC where its binding loads, circuits through relays for all. */
export async function transportsOf(
  { connectionsMax, pendingPerAddressMax }: Omit<WebSocketLimits, "upgradeMsMax">,
  acquaintance: Acquaintance,
): Promise<NonNullable<NodeOptions["transports"]>> {
  const quic = await quicTransport();
  // What connects and then says nothing takes a descriptor too; the system's limit is not to be reached by it.
  return [
    tcp({ maxConnections: connectionsMax }),
    ...(quic === undefined ? [] : [quic]),
    boundedWebSockets({ connectionsMax, pendingPerAddressMax }),
    circuits(acquaintance),
  ];
}

/** The services of libp2p by name. */
export function reachServices(
  { network, relay, mdns: local, table }: ReachOptions,
  {
    hearsay,
    acquaintance,
    admits,
    connectionsMax,
    logger,
  }: {
    readonly hearsay: HearsayDial;
    readonly acquaintance: Acquaintance;
    readonly admits: (peer: Libp2pPeerId) => boolean;
    readonly connectionsMax: number;
    readonly logger: Logger;
  },
) {
  return {
    ...(relay === true && { relay: relayService(acquaintance, admits) }),
    dcutr: holePunching(acquaintance),
    holes: holesThroughRouters({
      ...{ prefix: protocolPrefix(network), isWitness: relay === true },
      ...{ acquaintance, hearsay, connectionsMax, logger },
    }),
    ...(table === true && {
      table: kadDHT({
        protocol: `/${protocolPrefix(network)}/kad/1.0.0`,
        clientMode: false,
        // What a table says is hearsay: it is neither kept nor passed on where it is not believable.
        peerInfoMapper: (found) => ({ ...found, multiaddrs: found.multiaddrs.filter((one) => hearsay.mayTell(one)) }),
        allowQueryWithZeroPeers: true,
        querySelfInterval: TABLE_LOOK_MS,
        networkDialTimeout: STEADY_TIMEOUT,
        pingNewContactTimeout: STEADY_TIMEOUT,
        pingOldContactTimeout: STEADY_TIMEOUT,
      }),
    }),
    ...(local === true && { mdns: mdns({ serviceTag: `_weft-${network.slice(0, 16)}._udp.local` }) }),
  };
}

/**
 * How often a peer looks for those near it in the table. Libp2p's five minutes are for tables of thousands; here whoever finds its
 * first neighbour after the first look, a second after the start, would know no other until then.
 */
const TABLE_LOOK_MS = 20_000;

/** Longer than a peer runs. Unit: milliseconds. */
const ALWAYS_MS = 10 * 365 * 86_400_000;

/** The parts of libp2p that know and judge addresses. */
interface AddressComponents {
  readonly transportManager: { getAddrs(): Multiaddr[]; listen(addresses: Multiaddr[]): Promise<void> };
  readonly addressManager: {
    confirmObservedAddr(address: Multiaddr, options: { readonly type: "transport"; readonly ttl: number }): void;
    removeObservedAddr(address: Multiaddr, options: { readonly ttl: number }): void;
  };
}

/**
 * Believe in the addresses that this peer listens on: libp2p keeps public ones to itself until strangers have confirmed
 * them, and a small network has none. Whether neighbours get through is found out elsewhere (`exchange/address-watch.ts`).
 */
export function listenedAddresses({ transportManager, addressManager }: AddressComponents) {
  return {
    /** Where this peer listens, as addresses with a port. */
    places: (): readonly Multiaddr[] => transportManager.getAddrs(),
    /** Once the node listens, which is after its services have started. */
    believe(): void {
      for (const address of transportManager.getAddrs()) this.setTold(address, true);
    },
    /** Have others hear of one of these addresses, or no longer. */
    setTold(address: Multiaddr, isTold: boolean): void {
      if (isTold) addressManager.confirmObservedAddr(address, { type: "transport", ttl: ALWAYS_MS });
      else addressManager.removeObservedAddr(address, { ttl: ALWAYS_MS });
    },
    /** Be reached through several relays; of one address to listen on, libp2p makes one place. */
    async throughRelays(): Promise<void> {
      for (let n = 0; n < RELAYS_MAX; n++) await transportManager.listen([multiaddr("/p2p-circuit")]);
    },
  };
}

/** Protocols of one network have its id in their names, so that the tables of two networks never meet. */
const protocolPrefix = (network: string): string => `weft/${network.slice(0, 16)}`;

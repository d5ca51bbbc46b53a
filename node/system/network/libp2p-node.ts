/** The libp2p node of a peer: its identity, transports, encryption, gate and services. */
import { type GossipSub, gossipsub } from "@chainsafe/libp2p-gossipsub";
import { noise } from "@chainsafe/libp2p-noise";
import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import { identify, identifyPush } from "@libp2p/identify";
import type { Libp2p, PeerId as Libp2pPeerId, Metrics } from "@libp2p/interface";
import { ping } from "@libp2p/ping";
import { yamux } from "@libp2p/yamux";
import { createLibp2p, type Libp2pOptions as NodeOptions } from "libp2p";
import type { PeerId } from "../../../protocol/peer-id.ts";
import type { Logger } from "../../interface/logger.ts";
import type { Standing } from "../../interface/transport.ts";
import { connectionsWithin } from "../platform/descriptors.ts";
import { Acquaintance } from "./acquaintance.ts";
import { addressFilter } from "./address-range.ts";
import { BoundedDatastore, peerKey } from "./bounded-datastore.ts";
import type { HearsayDial } from "./hearsay-dial.ts";
import { isOfNetwork } from "./hearsay-range.ts";
import { gossipOptions } from "./libp2p-gossip.ts";
import { peerOf } from "./libp2p-peer.ts";
import { originOf, PendingInbound } from "./pending-inbound.ts";
import { listenedAddresses, type ReachOptions, reachServices, transportsOf } from "./reach.ts";
import { STEADY_TIMEOUT } from "./steady-timeout.ts";

/** Who is let in; for the transport's user to say. */
export interface Libp2pGate {
  /**
   * Asked for every connection once the other side's identity is proven; false closes it. Everybody when absent.
   * origin: where an inbound one comes from, as `Transport.originOf` tells it.
   */
  readonly admits?: (peer: PeerId, origin?: string) => boolean;
  /** Whether a connected peer is sent gossip and listened to; everybody when absent. Asked about once a second. */
  readonly mayGossip?: (peer: PeerId) => boolean;
  /** What a connected peer is to this one, for relays and hole punches; everybody is known when absent. */
  readonly standingOf?: (peer: PeerId) => Standing;
  /** What libp2p may dial by itself. */
  readonly hearsay: HearsayDial;
  readonly logger: Logger;
}

/** What a node is made from. */
export interface Libp2pOptions {
  /** Ed25519 seed, 32 bytes: the identity. */
  readonly seed: Uint8Array;
  /** Multiaddrs to listen on, such as `/ip4/127.0.0.1/tcp/0`; none: this peer only dials. */
  readonly listen: readonly string[];
  readonly connectionsMax: number;
  /** Between two pings of a connection; ten seconds when absent. */
  readonly pingMs?: number;
  /** Connections from one address that have shown no identity yet; an eighth of all when absent. */
  readonly pendingPerAddressMax?: number;
  /** Streams of one protocol that one connection may have open at a time, per direction. */
  readonly streamsPerProtocolMax: number;
  /** Largest gossip message; a larger one is refused here and rejected from others. */
  readonly gossipBytesMax: number;
  /** How it is reached and how it finds others; over what it listens on alone when absent. */
  readonly reach?: ReachOptions;
}

/** A node with what the transport uses of its services. */
export type WeftNode = Libp2p<{ gossip: GossipSub; listened: ReturnType<typeof listenedAddresses> }>;

/** A stopped node with the identity of `seed`.  metrics: sees what passes. */
export async function createNode(gate: Libp2pGate, options: Libp2pOptions, metrics: Metrics): Promise<WeftNode> {
  const { reach = { network: "" } } = options;
  const connectionsMax = connectionsWithin(options.connectionsMax);
  const { pendingPerAddressMax = Math.ceil(options.connectionsMax / 8) } = options;
  const acquaintance = new Acquaintance(gate.standingOf);
  const connections = new ConnectionsOfPeers();
  const datastore = new BoundedDatastore();
  const node = await createLibp2p({
    start: false,
    datastore,
    privateKey: await generateKeyPairFromSeed("Ed25519", options.seed),
    addresses: { listen: [...options.listen], announce: [...(reach.announce ?? [])] },
    transports: await transportsOf({ connectionsMax, pendingPerAddressMax }, acquaintance),
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ streamOptions: YAMUX_STREAMS })],
    metrics: () => metrics,
    connectionManager: {
      maxConnections: connectionsMax,
      maxIncomingPendingConnections: connectionsMax,
      // libp2p allows 5 a second from one host, which a testnet on one machine passes at its start.
      inboundConnectionThreshold: options.connectionsMax,
    },
    connectionMonitor: {
      pingInterval: options.pingMs ?? 10_000,
      pingTimeout: { minTimeout: 15_000, ...STEADY_TIMEOUT },
    },
    connectionGater: gaterOf(gate, reach, pendingPerAddressMax, connections),
    services: {
      identify: identify(),
      identifyPush: identifyPush(),
      // One at a time would end a connection where a ping takes longer than the pause between two, and not where its time is over.
      ping: ping({ maxInboundStreams: 4, maxOutboundStreams: 4 }),
      listened: listenedAddresses,
      gossip: gossipsub(gossipOptions(options.gossipBytesMax, passes(gate.mayGossip))),
      ...reachServices(reach, {
        hearsay: gate.hearsay,
        logger: gate.logger,
        ...{ acquaintance, connectionsMax },
        admits: passes(gate.admits),
      }),
    },
  });
  datastore.keep(() => [node.peerId, ...node.getPeers()].map(peerKey));
  connections.attach((peer) => node.getConnections(peer).length);
  node.addEventListener("stop", () => acquaintance.stop());
  return node;
}

/** Connections of one peer: a direct one, one through a relay, and both again where the two dial each other at once. */
const CONNECTIONS_PER_PEER_MAX = 4;

/** How many connections a peer has; the node is made after its gate. */
class ConnectionsOfPeers {
  #count: (peer: Libp2pPeerId) => number = () => 0;

  attach(count: (peer: Libp2pPeerId) => number): void {
    this.#count = count;
  }

  isFull(peer: Libp2pPeerId): boolean {
    return this.#count(peer) >= CONNECTIONS_PER_PEER_MAX;
  }
}

/** Window below the read buffer, so that a paused stream never overflows it. Units: bytes. */
const YAMUX_STREAMS = { maxStreamWindowSize: 2 ** 20, maxReadBufferLength: 2 ** 22, maxWriteBufferLength: 2 ** 22 };

/** Whether an identity is that of a peer, and one that a question says yes to. */
function passes(asks: (peer: PeerId, origin?: string) => boolean = () => true) {
  return (id: Pick<Libp2pPeerId, "toString">, origin?: string): boolean => {
    const peer = peerOf(id);
    return peer !== undefined && asks(peer, origin);
  };
}

function gaterOf(
  { admits, hearsay }: Libp2pGate,
  { ranges }: ReachOptions,
  perAddressMax: number,
  connections: ConnectionsOfPeers,
): NonNullable<NodeOptions["connectionGater"]> {
  const isWithin = addressFilter(ranges);
  const isAdmitted = passes(admits);
  const pending = new PendingInbound({ perAddressMax });
  return {
    denyDialPeer: (peer) => !isAdmitted(peer),
    denyDialMultiaddr: (address) => !isOfNetwork(address) || !isWithin(address) || !hearsay.permits(address),
    denyInboundConnection: (connection) => !isWithin(connection.remoteAddr) || !pending.begin(connection),
    denyInboundUpgradedConnection: (peer, connection) => {
      pending.known(connection);
      return connections.isFull(peer);
    },
    denyInboundEncryptedConnection: (peer, { remoteAddr }) => !isAdmitted(peer, originOf(remoteAddr)),
    denyOutboundEncryptedConnection: (peer) => !isAdmitted(peer),
  };
}

/**
 * The transport of production: libp2p, encrypted by Noise, multiplexed by yamux, with gossipsub. It dials only what it is
 * told to dial; it looks for others, and relays, only where its options say so (`reach.ts`).
 */
import { createServer } from "node:net";
import { type GossipSub, type GossipsubMessage, gossipsub, TopicValidatorResult } from "@chainsafe/libp2p-gossipsub";
import { noise } from "@chainsafe/libp2p-noise";
import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import { identify, identifyPush } from "@libp2p/identify";
import type { Connection, Libp2p, PeerId, Stream } from "@libp2p/interface";
import { peerIdFromString } from "@libp2p/peer-id";
import { ping } from "@libp2p/ping";
import { yamux } from "@libp2p/yamux";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { sha256 } from "@noble/hashes/sha2.js";
import { createLibp2p } from "libp2p";
import { NodeError } from "../../errors.ts";
import type { Logger } from "../../interface/logger.ts";
import type { GossipVerdict, PeerIdText, StreamHandler, Transport } from "../../interface/transport.ts";
import { addressFilter } from "./address-range.ts";
import { byteStreamOf } from "./libp2p-stream.ts";
import { listenedAddresses, listenOf, type ReachOptions, reachServices, transportsOf } from "./reach.ts";
import { createWireBytes, wireMetrics } from "./wire-bytes.ts";

export interface Libp2pDependencies {
  readonly logger: Logger;
  /** Asked for every connection once the other side's identity is proven; false closes it. Everybody when absent. */
  readonly admits?: (peer: PeerIdText) => boolean;
  /** Whether a connected peer is sent gossip and listened to; everybody when absent. Asked about once a second. */
  readonly mayGossip?: (peer: PeerIdText) => boolean;
}

export interface Libp2pOptions {
  /** Ed25519 seed, 32 bytes: the identity. */
  readonly seed: Uint8Array;
  /** Multiaddrs to listen on, such as `/ip4/127.0.0.1/tcp/0`; none: this peer only dials. */
  readonly listen: readonly string[];
  readonly connectionsMax: number;
  /** Streams of one protocol that one connection may have open at a time, per direction. */
  readonly streamsPerProtocolMax: number;
  /** Largest gossip message; a larger one is refused here and rejected from others. */
  readonly gossipBytesMax: number;
  /** How it is reached and how it finds others; over what it listens on alone when absent. */
  readonly reach?: ReachOptions;
}

/**
 * A stopped transport with the identity of `seed`.
 * Throws from start(): NodeError PORT_IN_USE, LISTEN_FAILED.
 */
export async function createLibp2pTransport(
  { logger, admits = () => true, mayGossip = () => true }: Libp2pDependencies,
  options: Libp2pOptions,
): Promise<Transport> {
  const bytes = createWireBytes();
  const { reach = { network: "" } } = options;
  const isWithin = addressFilter(reach.ranges);
  const node: WeftNode = await createLibp2p({
    start: false,
    privateKey: await generateKeyPairFromSeed("Ed25519", options.seed),
    addresses: { listen: listenOf(options.listen, reach), announce: [...(reach.announce ?? [])] },
    transports: await transportsOf(),
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ streamOptions: YAMUX_STREAMS })],
    metrics: () => wireMetrics(bytes),
    connectionManager: {
      maxConnections: options.connectionsMax,
      maxIncomingPendingConnections: options.connectionsMax,
      // libp2p allows 5 a second from one host, which a testnet on one machine passes at its start.
      inboundConnectionThreshold: options.connectionsMax,
    },
    connectionMonitor: { pingInterval: 10_000, pingTimeout: { minTimeout: 15_000 } },
    connectionGater: {
      denyDialPeer: (peer) => !admits(peer.toString()),
      denyDialMultiaddr: (address) => !isWithin(address),
      denyInboundConnection: ({ remoteAddr }) => !isWithin(remoteAddr),
      denyInboundRelayReservation: (source) => !admits(source.toString()),
      denyOutboundRelayedConnection: (source, destination) =>
        !admits(source.toString()) || !admits(destination.toString()),
      denyInboundEncryptedConnection: (peer) => !admits(peer.toString()),
      denyOutboundEncryptedConnection: (peer) => !admits(peer.toString()),
    },
    services: {
      identify: identify(),
      identifyPush: identifyPush(),
      ping: ping(),
      listened: listenedAddresses,
      gossip: gossipsub(gossipOptions(options.gossipBytesMax, mayGossip)),
      ...reachServices(reach),
    },
  });
  return new Libp2pTransport({ node, logger, wireBytes: () => bytes.total() }, options);
}

/** Window below the read buffer, so that a paused stream never overflows it. Units: bytes. */
const YAMUX_STREAMS = { maxStreamWindowSize: 2 ** 20, maxReadBufferLength: 2 ** 22, maxWriteBufferLength: 2 ** 22 };

/**
 * Small networks: every publish goes to all subscribed peers, and the mesh is as wide as eight peers can fill.
 * The colocation penalty is off, because a testnet has all its peers behind one address.
 */
function gossipOptions(
  gossipBytesMax: number,
  mayGossip: (peer: PeerIdText) => boolean,
): Parameters<typeof gossipsub>[0] {
  return {
    globalSignaturePolicy: "StrictSign",
    floodPublish: true,
    fallbackToFloodsub: false,
    allowPublishToZeroTopicPeers: true,
    ignoreDuplicatePublishError: true,
    emitSelf: false,
    doPX: false,
    D: 8,
    Dlo: 4,
    Dhi: 12,
    // The same bytes are the same message whoever sends them; what they say is signed inside.
    msgIdFn: (message) => sha256(message.data),
    scoreParams: {
      IPColocationFactorWeight: 0,
      // Far below every threshold: nothing is published to it, and what it sends is not read.
      appSpecificScore: (peer) => (mayGossip(peer) ? 0 : SHUNNED_SCORE),
      appSpecificWeight: 1,
    },
    maxOutboundBufferSize: 4 * 2 ** 20,
    // One RPC carries several messages and their control data (5,000 ids of 32 bytes at most).
    maxInboundDataLength: 256 * 1024 + 4 * gossipBytesMax,
    decodeRpcLimits: {
      maxSubscriptions: 64,
      maxMessages: 1024,
      maxIhaveMessageIDs: 5000,
      maxIwantMessageIDs: 5000,
      maxIdontwantMessageIDs: 512,
      maxControlMessages: 64,
      maxPeerInfos: 16,
    },
  };
}

/** gossipsub's thresholds are -10 to -80. */
const SHUNNED_SCORE = -1_000_000;

interface TopicHandlers {
  readonly validate: (bytes: Uint8Array, from: PeerIdText) => GossipVerdict;
  readonly deliver: (bytes: Uint8Array, from: PeerIdText) => void;
}

type WeftNode = Libp2p<{ gossip: GossipSub; listened: ReturnType<typeof listenedAddresses> }>;

class Libp2pTransport implements Transport {
  readonly peer: PeerIdText;
  readonly #node: WeftNode;
  readonly #logger: Logger;
  readonly #wireBytes: () => { readonly sent: number; readonly received: number };
  readonly #options: Libp2pOptions;
  readonly #topics = new Map<string, TopicHandlers>();
  readonly #running = new Set<Promise<void>>();
  #stopping: Promise<void> | undefined;

  constructor(
    dependencies: {
      readonly node: WeftNode;
      readonly logger: Logger;
      readonly wireBytes: () => { readonly sent: number; readonly received: number };
    },
    options: Libp2pOptions,
  ) {
    this.#node = dependencies.node;
    this.#logger = dependencies.logger;
    this.#wireBytes = dependencies.wireBytes;
    this.#options = options;
    this.peer = this.#node.peerId.toString();
    this.#node.services.gossip.addEventListener("gossipsub:message", (event) => this.#deliver(event.detail));
  }

  async start(): Promise<void> {
    if (this.#node.status === "started") return;
    try {
      await this.#node.start();
    } catch (error) {
      await this.#node.stop();
      throw await listenError(this.#options.listen, error);
    }
    this.#node.services.listened.believe();
    for (const topic of this.#topics.keys()) this.#node.services.gossip.subscribe(topic);
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  addresses(): readonly string[] {
    return this.#node.getMultiaddrs().map(String);
  }

  async dial(address: string, signal: AbortSignal): Promise<PeerIdText> {
    try {
      const connection = await this.#node.dial(multiaddr(address), { signal });
      return connection.remotePeer.toString();
    } catch (error) {
      throw new NodeError(
        "DIAL_FAILED",
        `cannot reach ${address}; check that a peer listens there`,
        { address },
        { cause: error },
      );
    }
  }

  async reaches(address: string, signal: AbortSignal): Promise<boolean> {
    try {
      // Told whom to dial, libp2p would try all addresses that it knows of the peer.
      const [, where = address, peer] = /^(.*)\/p2p\/([^/]+)$/.exec(address) ?? [];
      const target = multiaddr(where.endsWith("/p2p-circuit") ? address : where);
      const connection = await this.#node.dial(target, { signal, force: true });
      const isPeer = connection.remotePeer.toString() === peer;
      await connection.close({ signal });
      return isPeer;
    } catch (error) {
      this.#logger.debug("cannot reach an address that was asked for", { address, error });
      return false;
    }
  }

  connected(): readonly PeerIdText[] {
    return this.#node.getPeers().map(String);
  }

  async hangUp(peer: PeerIdText): Promise<void> {
    await this.#node.hangUp(peerIdFromString(peer));
  }

  async handle(protocol: string, handler: StreamHandler): Promise<void> {
    await this.#node.handle(protocol, (stream, connection) => this.#answer({ protocol, handler, stream, connection }), {
      maxInboundStreams: this.#options.streamsPerProtocolMax,
      maxOutboundStreams: this.#options.streamsPerProtocolMax,
    });
  }

  async open(peer: PeerIdText, protocol: string, signal: AbortSignal) {
    try {
      const open = this.#node.getConnections(peerIdFromString(peer)).filter(({ status }) => status === "open");
      const connection = open.find(({ remoteAddr }) => !isRelayed(remoteAddr)) ?? open[0];
      if (connection === undefined) throw new Error("not connected");
      const stream = await connection.newStream(protocol, {
        signal,
        maxOutboundStreams: this.#options.streamsPerProtocolMax,
      });
      // The other side may have refused between its yes to the protocol and now.
      if (stream.status !== "open") throw new Error(`the other side closed the stream (${stream.status})`);
      return byteStreamOf(stream);
    } catch (error) {
      throw new NodeError("STREAM_FAILED", `cannot open ${protocol} to ${peer}`, { peer, protocol }, { cause: error });
    }
  }

  subscribe(topic: string, handlers: TopicHandlers): void {
    const gossip = this.#node.services.gossip;
    this.#topics.set(topic, handlers);
    gossip.topicValidators.set(topic, (from, message) => this.#validate(handlers, message.data, from));
    // Before the start gossipsub takes no subscriptions; start() hands them in.
    if (this.#node.status === "started") gossip.subscribe(topic);
  }

  async publish(topic: string, bytes: Uint8Array): Promise<void> {
    if (bytes.byteLength > this.#options.gossipBytesMax) {
      throw new RangeError(`a gossip message of ${bytes.byteLength} bytes exceeds ${this.#options.gossipBytesMax}`);
    }
    await this.#node.services.gossip.publish(topic, bytes);
  }

  onConnect(listener: (peer: PeerIdText) => void): void {
    this.#node.addEventListener("peer:connect", (event) =>
      this.#contain("connect", () => listener(event.detail.toString())),
    );
  }

  onDisconnect(listener: (peer: PeerIdText) => void): void {
    this.#node.addEventListener("peer:disconnect", (event) =>
      this.#contain("disconnect", () => listener(event.detail.toString())),
    );
  }

  onIdentified(listener: (peer: PeerIdText) => void): void {
    this.#node.addEventListener("peer:identify", (event) =>
      this.#contain("identify", () => listener(event.detail.peerId.toString())),
    );
  }

  onDiscovered(listener: (addresses: readonly string[]) => void): void {
    this.#node.addEventListener("peer:discovery", ({ detail: { id, multiaddrs } }) =>
      this.#contain("discovery", () =>
        listener(
          multiaddrs.slice(0, DISCOVERED_ADDRESSES_MAX).map((address) => withPeer(address.toString(), id.toString())),
        ),
      ),
    );
  }

  async addressesOf(peer: PeerIdText): Promise<readonly string[]> {
    try {
      const { addresses } = await this.#node.peerStore.get(peerIdFromString(peer));
      return addresses.map((address) => withPeer(address.multiaddr.toString(), peer));
    } catch (error) {
      // The peer store throws for a peer that it does not know.
      if (error instanceof Error && error.name === "NotFoundError") return [];
      throw error;
    }
  }

  bytes(): { readonly sent: number; readonly received: number } {
    return this.#wireBytes();
  }

  async #stop(): Promise<void> {
    await this.#node.stop();
    await Promise.allSettled(this.#running);
  }

  #answer(call: { protocol: string; handler: StreamHandler; stream: Stream; connection: Connection }): void {
    const { protocol, handler, stream, connection } = call;
    const from = connection.remotePeer.toString();
    const run = async (): Promise<void> => {
      try {
        await handler(byteStreamOf(stream), from);
        await stream.close();
        // A handler reads its stream to the end; whoever still writes has more to say than the protocol knows.
        if (stream.remoteWriteStatus !== "closed") stream.abort(new Error("the handler is done"));
      } catch (error) {
        stream.abort(error instanceof Error ? error : new Error(String(error)));
        this.#logger.debug("stream handler failed", { protocol, peer: from, error });
      }
    };
    const running = run().finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  #validate(handlers: TopicHandlers, bytes: Uint8Array, from: PeerId): TopicValidatorResult {
    if (bytes.byteLength > this.#options.gossipBytesMax) return TopicValidatorResult.Reject;
    try {
      return VERDICTS[handlers.validate(bytes, from.toString())];
    } catch (error) {
      // Our own fault, not the sender's.
      this.#logger.error("gossip validator failed", { error });
      return TopicValidatorResult.Ignore;
    }
  }

  #deliver({ msg, propagationSource }: GossipsubMessage): void {
    const handlers = this.#topics.get(msg.topic);
    if (handlers !== undefined) {
      this.#contain("gossip", () => handlers.deliver(msg.data, propagationSource.toString()));
    }
  }

  #contain(what: string, callback: () => void): void {
    try {
      callback();
    } catch (error) {
      this.#logger.error("network callback failed", { what, error });
    }
  }
}

/** Addresses of one peer that are taken from what found it. */
const DISCOVERED_ADDRESSES_MAX = 4;

const isRelayed = (address: Multiaddr): boolean => address.getComponents().some(({ name }) => name === "p2p-circuit");

/** An address that ends in the peer that it leads to. */
const withPeer = (address: string, peer: PeerIdText): string =>
  address.endsWith(`/p2p/${peer}`) ? address : `${address}/p2p/${peer}`;

const VERDICTS: Readonly<Record<GossipVerdict, TopicValidatorResult>> = {
  accept: TopicValidatorResult.Accept,
  ignore: TopicValidatorResult.Ignore,
  reject: TopicValidatorResult.Reject,
};

/** libp2p tells only in prose why it could not listen; ask the operating system again, address by address. */
async function listenError(addresses: readonly string[], cause: unknown): Promise<NodeError> {
  for (const address of addresses) {
    const { host, port } = /^\/ip[46]\/(?<host>[^/]+)\/tcp\/(?<port>\d+)/.exec(address)?.groups ?? {};
    if (host === undefined || port === undefined) continue;
    const code = await bindCode(host, Number(port));
    if (code === "EADDRINUSE") {
      const text = `${address} is in use by another process; choose another port, or 0 for any free one`;
      return new NodeError("PORT_IN_USE", text, { address }, { cause });
    }
    if (code !== undefined) {
      const text = `cannot listen on ${address} (${code}); choose an address of this machine and a port you may use`;
      return new NodeError("LISTEN_FAILED", text, { address, code }, { cause });
    }
  }
  const text = `cannot listen on ${addresses.join(", ")}; use addresses such as /ip4/127.0.0.1/tcp/0`;
  return new NodeError("LISTEN_FAILED", text, { addresses }, { cause });
}

function bindCode(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "unknown"));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

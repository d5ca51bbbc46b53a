/**
 * The transport of production: libp2p, encrypted by Noise, multiplexed by yamux, with gossipsub. It dials only what it is
 * told to dial; it looks for others, and relays, only where its options say so (`reach.ts`).
 */
import type { Connection, Stream } from "@libp2p/interface";
import { peerIdFromString } from "@libp2p/peer-id";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import type { GossipTopic } from "../../../protocol/gossip-topics.ts";
import { type PeerId, parsePeerId } from "../../../protocol/peer-id.ts";
import type { StreamProtocol } from "../../../protocol/stream-protocols.ts";
import { NodeError } from "../../errors.ts";
import type { LoopMarks } from "../../interface/event-loop.ts";
import type { Logger } from "../../interface/logger.ts";
import type { ToldAddresses } from "../../interface/told-addresses.ts";
import type { ByteStream, GossipHandlers, Link, StreamHandler, Transport } from "../../interface/transport.ts";
import { dialReason } from "./dial-reason.ts";
import { HearsayDial, type LookUp } from "./hearsay-dial.ts";
import type { AddressRange } from "./hearsay-range.ts";
import { Libp2pGossip } from "./libp2p-gossip.ts";
import { Libp2pFigures } from "./libp2p-metrics.ts";
import { createNode, type Libp2pGate, type Libp2pOptions, type WeftNode } from "./libp2p-node.ts";
import { peerOf } from "./libp2p-peer.ts";
import { byteStreamOf } from "./libp2p-stream.ts";
import { listenError, portInUse } from "./listen-error.ts";
import { originOf } from "./pending-inbound.ts";
import { isRelayed } from "./relayed-address.ts";
import { plausibleRoundTripMs } from "./steady-timeout.ts";
import { ToldPublic } from "./told-public.ts";
import { createWireBytes, type WireBytes, wireMetrics } from "./wire-bytes.ts";

export type { Libp2pOptions } from "./libp2p-node.ts";

/** The log, the watch over the event loop, and who is let in. */
export interface Libp2pDependencies extends Omit<Libp2pGate, "hearsay"> {
  readonly logger: Logger;
  /** Told which stream, topic or connection has the event loop; nobody when absent. */
  readonly loop?: LoopMarks;
  /** How names of hearsay are looked up; the system's own way when absent. */
  readonly lookUp?: LookUp;
}

const NOBODY: LoopMarks = { entered: () => {}, during: (_, run) => run() };

/**
 * A stopped transport with the identity of `seed`.
 * Throws from start(): NodeError PORT_IN_USE, LISTEN_FAILED.
 */
export async function createLibp2pTransport(
  { logger, loop = NOBODY, lookUp, ...gate }: Libp2pDependencies,
  options: Libp2pOptions,
): Promise<Transport> {
  const wireBytes = createWireBytes();
  const figures = new Libp2pFigures();
  const hearsay = new HearsayDial(lookUp);
  const node = await createNode(
    { ...gate, hearsay, logger },
    options,
    wireMetrics({ bytes: wireBytes, register: figures.register }, () => loop.entered("connection")),
  );
  hearsay.attach(() => ({
    connections: node.getConnections().map(({ remoteAddr }) => remoteAddr),
    own: node.getMultiaddrs(),
  }));
  node.addEventListener("peer:identify", ({ detail: { peerId, listenAddrs } }) =>
    hearsay.listens(peerId.toString(), listenAddrs),
  );
  node.addEventListener("peer:disconnect", ({ detail }) => hearsay.left(detail.toString()));
  return new Libp2pTransport({ node, logger, loop, wireBytes, figures, hearsay }, options);
}

class Libp2pTransport implements Transport {
  readonly peer: PeerId;
  readonly told: ToldAddresses;
  readonly #node: WeftNode;
  readonly #logger: Logger;
  readonly #loop: LoopMarks;
  readonly #wireBytes: WireBytes;
  readonly #figures: Libp2pFigures;
  readonly #hearsay: HearsayDial;
  readonly #options: Libp2pOptions;
  readonly #gossip: Libp2pGossip;
  readonly #running = new Set<Promise<void>>();
  #stopping: Promise<void> | undefined;

  constructor(
    dependencies: Required<Pick<Libp2pDependencies, "logger" | "loop">> & {
      readonly node: WeftNode;
      readonly wireBytes: WireBytes;
      readonly figures: Libp2pFigures;
      readonly hearsay: HearsayDial;
    },
    options: Libp2pOptions,
  ) {
    this.#node = dependencies.node;
    this.#logger = dependencies.logger;
    this.#loop = dependencies.loop;
    this.#wireBytes = dependencies.wireBytes;
    this.#figures = dependencies.figures;
    this.#hearsay = dependencies.hearsay;
    this.#options = options;
    this.peer = parsePeerId(this.#node.peerId.toString());
    const { listened } = this.#node.services;
    this.told = new ToldPublic({
      self: this.peer,
      isAnnounced: (options.reach?.announce ?? []).length > 0,
      told: () => this.#node.getMultiaddrs(),
      places: () => listened.places(),
      setTold: (address, isTold) => listened.setTold(address, isTold),
      links: () => this.links(),
      addressesOf: (peer) => this.addressesOf(peer),
    });
    const gossip = { gossip: this.#node.services.gossip, logger: this.#logger, loop: this.#loop };
    this.#gossip = new Libp2pGossip(gossip, { bytesMax: options.gossipBytesMax });
    this.#node.addEventListener("connection:close", ({ detail: { remotePeer } }) =>
      this.#gossip.goOn(remotePeer, () => this.#open(remotePeer)),
    );
  }

  async start(): Promise<void> {
    if (this.#node.status === "started") return;
    try {
      await this.#node.start();
    } catch (error) {
      await this.#node.stop();
      throw await listenError(this.#options.listen, error);
    }
    await this.#refuseHalf();
    this.#node.services.listened.believe();
    if (this.#options.reach?.throughRelays === true) await this.#node.services.listened.throughRelays();
    this.#gossip.begin();
  }

  /** Where libp2p listens over IPv4 alone, it takes the machine for one without IPv6; another program may have the port there. */
  async #refuseHalf(): Promise<void> {
    const isOfIp6 = (address: string): boolean => address.startsWith("/ip6/");
    const wanted = this.#options.listen.filter(isOfIp6);
    if (wanted.length === 0 || this.#node.services.listened.places().map(String).some(isOfIp6)) return;
    const error = await portInUse(wanted);
    if (error === undefined) return;
    await this.#node.stop();
    throw error;
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  addresses(): readonly string[] {
    return this.#node.getMultiaddrs().map(String);
  }

  async dial(address: string, signal: AbortSignal, { isHearsay } = { isHearsay: false }): Promise<PeerId> {
    try {
      const targets = isHearsay ? await this.#targets(address) : [multiaddr(address)];
      const dial = () => this.#node.dial([...targets], { signal });
      const { remotePeer } = await this.#hearsay.decided(targets, dial);
      // The gate lets nobody else in.
      return parsePeerId(remotePeer.toString());
    } catch (cause) {
      const reason = dialReason(cause);
      throw new NodeError("DIAL_FAILED", `cannot reach ${address}: ${reason}`, { address, reason }, { cause });
    }
  }

  async reaches(address: string, signal: AbortSignal): Promise<boolean> {
    try {
      // Told whom to dial, libp2p would try all addresses that it knows of the peer.
      const [, where = address, peer] = /^(.*)\/p2p\/([^/]+)$/.exec(address) ?? [];
      const targets = await this.#targets(where.endsWith("/p2p-circuit") ? address : where);
      const dial = () => this.#node.dial([...targets], { signal, force: true });
      const connection = await this.#hearsay.decided(targets, dial);
      const isPeer = connection.remotePeer.toString() === peer;
      await connection.close({ signal });
      return isPeer;
    } catch (error) {
      this.#logger.debug("cannot reach an address that was asked for", { address, error });
      return false;
    }
  }

  believable(addresses: readonly string[], from: PeerId): readonly string[] {
    const connections = this.#node.getConnections(peerIdFromString(from));
    const tellers = connections.flatMap(({ remoteAddr }) => this.#hearsay.tellerOf(remoteAddr) ?? []);
    return this.#hearsay.believable(addresses, tellers);
  }

  connected(): readonly PeerId[] {
    return this.#node.getPeers().flatMap((id) => peerOf(id) ?? []);
  }

  originOf(peer: PeerId): string | undefined {
    const [connection] = this.#node.getConnections(peerIdFromString(peer));
    return connection && originOf(connection.remoteAddr);
  }

  links(): readonly Link[] {
    const open = this.#node.getConnections().filter(({ status }) => status === "open");
    return open.flatMap((connection) => {
      const peer = peerOf(connection.remotePeer);
      const { remoteAddr, direction, rtt, timeline } = connection;
      const roundTripMs = plausibleRoundTripMs(rtt);
      const link = { address: remoteAddr.toString(), direction, isRelayed: isRelayed(remoteAddr), roundTripMs };
      return peer === undefined ? [] : { peer, ...link, openedAtMs: timeline.open };
    });
  }

  async hangUp(peer: PeerId): Promise<void> {
    await this.#node.hangUp(peerIdFromString(peer));
  }

  async handle(protocol: StreamProtocol, handler: StreamHandler): Promise<void> {
    const answer = (stream: Stream, connection: Connection) => this.#answer({ protocol, handler, stream, connection });
    await this.#node.handle(protocol.name, answer, {
      maxInboundStreams: this.#options.streamsPerProtocolMax,
      maxOutboundStreams: this.#options.streamsPerProtocolMax,
    });
  }

  async open(peer: PeerId, { name }: StreamProtocol, signal: AbortSignal): Promise<ByteStream> {
    try {
      const [connection] = this.#open(peerIdFromString(peer));
      if (connection === undefined) throw new Error("not connected");
      const stream = await connection.newStream(name, {
        signal,
        maxOutboundStreams: this.#options.streamsPerProtocolMax,
      });
      // The other side may have refused between its yes to the protocol and now.
      if (stream.status !== "open") throw new Error(`the other side closed the stream (${stream.status})`);
      return this.#byteStream(stream, `${name}, opened`);
    } catch (error) {
      const details = { peer, protocol: name };
      throw new NodeError("STREAM_FAILED", `cannot open ${name} to ${peer}`, details, { cause: error });
    }
  }

  subscribe<Message>(topic: GossipTopic, handlers: GossipHandlers<Message>): void {
    this.#gossip.subscribe(topic, handlers);
  }

  publish(topic: GossipTopic, bytes: Uint8Array): Promise<void> {
    return this.#gossip.publish(topic, bytes);
  }

  onConnect(listener: (peer: PeerId) => void): void {
    this.#node.addEventListener("peer:connect", ({ detail }) => this.#tell("connect", detail, listener));
  }

  onDisconnect(listener: (peer: PeerId) => void): void {
    this.#node.addEventListener("peer:disconnect", ({ detail }) => this.#tell("disconnect", detail, listener));
  }

  onIdentified(listener: (peer: PeerId) => void): void {
    this.#node.addEventListener("peer:identify", ({ detail }) => this.#tell("identify", detail.peerId, listener));
  }

  onDiscovered(listener: (addresses: readonly string[]) => void): void {
    this.#node.addEventListener("peer:discovery", ({ detail: { id, multiaddrs } }) =>
      this.#contain("discovery", () =>
        listener(
          this.#hearsay.believable(
            multiaddrs.slice(0, DISCOVERED_ADDRESSES_MAX).map((address) => withPeer(address.toString(), id.toString())),
            this.#discoverers(),
          ),
        ),
      ),
    );
  }

  async addressesOf(peer: PeerId): Promise<readonly string[]> {
    try {
      const { addresses } = await this.#node.peerStore.get(peerIdFromString(peer));
      const said = addresses.map((address) => withPeer(address.multiaddr.toString(), peer));
      return this.believable(said, peer);
    } catch (error) {
      // The peer store throws for a peer that it does not know.
      if (error instanceof Error && error.name === "NotFoundError") return [];
      throw error;
    }
  }

  bytes(): { readonly sent: number; readonly received: number } {
    return this.#wireBytes.total();
  }

  figures(): Promise<string> {
    return this.#figures.text();
  }

  /** Nobody in particular tells of what was discovered: somebody who is connected, or on the same local network. */
  #discoverers(): readonly AddressRange[] {
    const isLocal = this.#options.reach?.mdns === true;
    return [...this.#hearsay.tellersNow(), ...(isLocal ? this.#hearsay.nearby() : [])];
  }

  /** What to dial at an address that somebody told of.  Throws: Error where nobody may have this peer dial it. */
  async #targets(address: string): Promise<readonly Multiaddr[]> {
    const targets = await this.#hearsay.targets(address);
    if (targets.length > 0) return targets;
    throw new Error("it leads to this machine or a private network, on the word of somebody who is not there");
  }

  async #stop(): Promise<void> {
    await this.#node.stop();
    await Promise.allSettled(this.#running);
  }

  #answer(call: {
    readonly protocol: StreamProtocol;
    readonly handler: StreamHandler;
    readonly stream: Stream;
    readonly connection: Connection;
  }): void {
    const { protocol, handler, stream, connection } = call;
    const run = async (): Promise<void> => {
      try {
        await handler(
          this.#byteStream(stream, `${protocol.name}, answered`),
          parsePeerId(connection.remotePeer.toString()),
        );
        await stream.close();
        // A handler reads its stream to the end; whoever still writes has more to say than the protocol knows.
        if (stream.remoteWriteStatus !== "closed") stream.abort(new Error("the handler is done"));
      } catch (error) {
        stream.abort(error instanceof Error ? error : new Error(String(error)));
        const peer = connection.remotePeer.toString();
        this.#logger.debug("stream handler failed", { protocol: protocol.name, peer, error });
      }
    };
    const running = run().finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Its user names itself to the loop's watch: now, and whenever it goes on. */
  #byteStream(stream: Stream, handler: string): ByteStream {
    const mark = (): void => this.#loop.entered(handler);
    mark();
    return byteStreamOf(stream, mark);
  }

  /** Open connections with a peer, those first that lead through no relay. */
  #open(peer: Connection["remotePeer"]): readonly Connection[] {
    const open = this.#node.getConnections(peer).filter(({ status }) => status === "open");
    return open.sort((a, b) => Number(isRelayed(a.remoteAddr)) - Number(isRelayed(b.remoteAddr)));
  }

  #tell(what: string, id: { toString(): string }, listener: (peer: PeerId) => void): void {
    const peer = peerOf(id);
    if (peer !== undefined) this.#contain(what, () => listener(peer));
  }

  #contain(what: string, callback: () => void): void {
    try {
      this.#loop.during(what, callback);
    } catch (error) {
      this.#logger.error("network callback failed", { what, error });
    }
  }
}

/** Addresses of one peer that are taken from what found it. */
const DISCOVERED_ADDRESSES_MAX = 4;

/** An address that ends in the peer that it leads to. */
const withPeer = (address: string, peer: string): string =>
  address.endsWith(`/p2p/${peer}`) ? address : `${address}/p2p/${peer}`;

/**
 * The transport of tests and of the simulation: peers of one hub reach each other without a network, by the same
 * contract as libp2p. Deterministic: what happens next depends only on what was called before, never on time.
 */

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import type { GossipTopic } from "../../../protocol/gossip-topics.ts";
import type { PeerId } from "../../../protocol/peer-id.ts";
import type { StreamProtocol } from "../../../protocol/stream-protocols.ts";
import { NodeError } from "../../errors.ts";
import type { Logger } from "../../interface/logger.ts";
import { NO_PUBLIC_ADDRESSES } from "../../interface/told-addresses.ts";
import type { ByteStream, GossipHandlers, Link, StreamHandler, Transport } from "../../interface/transport.ts";
import { type BoundHandlers, boundHandlers } from "./bound-handlers.ts";
import { type MemoryStream, memoryStreamPair } from "./memory-stream.ts";

/** A network in memory, whose transports can reach each other. */
export interface MemoryHub {
  /** A stopped transport of this hub.  Throws: RangeError when the hub has the peer already. */
  create(dependencies: { readonly logger: Logger }, options: MemoryTransportOptions): Transport;
  /** Break the link between two peers, and refuse new ones until it is mended. */
  cut(a: PeerId, b: PeerId): void;
  mend(a: PeerId, b: PeerId): void;
}

/** Who a transport is, and its bounds. */
export interface MemoryTransportOptions {
  /** Asked before a connection to or from somebody is made; everybody when absent. `origin`: where an inbound one comes from. */
  readonly admits?: (peer: PeerId, origin?: string) => boolean;
  /** Where its connections come from, as others see it; nowhere in particular when absent. */
  readonly origin?: string;
  readonly peer: PeerId;
  /** Streams of one protocol that one connection may have open at a time, per direction. */
  readonly streamsPerProtocolMax: number;
  /** Largest gossip message; a larger one is refused here and rejected from others. */
  readonly gossipBytesMax: number;
}

/** How a hub runs what arrives. */
export interface MemoryHubOptions {
  /** Runs what arrives at a peer, first come first served; a simulation with latency brings its own. */
  readonly schedule?: (task: () => void) => void;
}

/** Messages that a peer remembers in order to pass each on once; the oldest are forgotten first. */
const SEEN_MESSAGES_MAX = 10_000;

interface Hub {
  readonly schedule: (task: () => void) => void;
  readonly started: Map<PeerId, MemoryTransport>;
  isCut(a: PeerId, b: PeerId): boolean;
}

/** A hub without peers. */
export function createMemoryHub({ schedule = queueMicrotask }: MemoryHubOptions = {}): MemoryHub {
  const known = new Map<PeerId, MemoryTransport>();
  // A peer that comes back keeps its address.
  const numbers = new Map<PeerId, number>();
  const cuts = new Set<string>();
  const pair = (a: PeerId, b: PeerId): string => [a, b].sort().join(" ");
  const hub: Hub = { schedule, started: new Map(), isCut: (a, b) => cuts.has(pair(a, b)) };
  return {
    create({ logger }, options) {
      if (hub.started.has(options.peer)) throw new RangeError(`${options.peer} is already part of this hub`);
      if (!numbers.has(options.peer)) numbers.set(options.peer, numbers.size);
      const transport = new MemoryTransport({ hub, logger, number: numbers.get(options.peer) ?? 0 }, options);
      known.set(options.peer, transport);
      return transport;
    },
    cut(a, b) {
      cuts.add(pair(a, b));
      known.get(a)?.disconnect(b, new Error("the link was cut"));
    },
    mend(a, b) {
      cuts.delete(pair(a, b));
    },
  };
}

class MemoryTransport implements Transport {
  readonly told = NO_PUBLIC_ADDRESSES;
  readonly peer: PeerId;
  readonly #hub: Hub;
  readonly #logger: Logger;
  readonly #address: string;
  readonly #options: MemoryTransportOptions;
  readonly #links = new Map<PeerId, MemoryTransport>();
  readonly #streams = new Map<PeerId, Set<{ readonly protocol: StreamProtocol; readonly stream: MemoryStream }>>();
  readonly #handlers = new Map<StreamProtocol, StreamHandler>();
  readonly #topics = new Map<string, BoundHandlers>();
  readonly #seen = new Set<string>();
  readonly #running = new Set<Promise<void>>();
  readonly #onConnect: ((peer: PeerId) => void)[] = [];
  readonly #onDisconnect: ((peer: PeerId) => void)[] = [];
  #sent = 0;
  #received = 0;

  constructor(
    { hub, logger, number }: { readonly hub: Hub; readonly logger: Logger; readonly number: number },
    options: MemoryTransportOptions,
  ) {
    this.#hub = hub;
    this.#logger = logger;
    this.#options = options;
    this.#address = `/memory/${number}/p2p/${options.peer}`;
    this.peer = options.peer;
  }

  async start(): Promise<void> {
    this.#hub.started.set(this.peer, this);
  }

  async stop(): Promise<void> {
    if (this.#hub.started.get(this.peer) === this) this.#hub.started.delete(this.peer);
    for (const peer of [...this.#links.keys()]) this.disconnect(peer, new Error("the peer stopped"));
    await Promise.allSettled(this.#running);
  }

  addresses(): readonly string[] {
    return this.#hub.started.get(this.peer) === this ? [this.#address] : [];
  }

  async dial(address: string, signal: AbortSignal): Promise<PeerId> {
    const other = this.#reachableAt(address);
    const isAdmitted =
      other !== undefined &&
      (this.#links.has(other.peer) || (this.#admits(other.peer) && other.#admits(this.peer, this.#options.origin)));
    if (!isAdmitted || signal.aborted) {
      throw new NodeError("DIAL_FAILED", `cannot reach ${address}: nobody listens there`, {
        address,
        reason: "nobody listens there",
      });
    }
    if (!this.#links.has(other.peer)) {
      this.#links.set(other.peer, other);
      other.#links.set(this.peer, this);
      this.#tell(this.#onConnect, other.peer);
      other.#tell(other.#onConnect, this.peer);
    }
    return other.peer;
  }

  async reaches(address: string, signal: AbortSignal): Promise<boolean> {
    return this.#reachableAt(address) !== undefined && !signal.aborted;
  }

  connected(): readonly PeerId[] {
    return [...this.#links.keys()];
  }

  originOf(peer: PeerId): string | undefined {
    const other = this.#links.get(peer);
    return other === undefined ? undefined : other.#options.origin;
  }

  links(): readonly Link[] {
    return [...this.#links].map(([peer, other]) => ({
      peer,
      address: other.#address,
      direction: "outbound",
      isRelayed: false,
      roundTripMs: 0,
      openedAtMs: 0,
    }));
  }

  async hangUp(peer: PeerId): Promise<void> {
    this.disconnect(peer, new Error("the connection was closed"));
  }

  async handle(protocol: StreamProtocol, handler: StreamHandler): Promise<void> {
    this.#handlers.set(protocol, handler);
  }

  async open(peer: PeerId, protocol: StreamProtocol, signal: AbortSignal): Promise<ByteStream> {
    const other = this.#links.get(peer);
    const handler = other === undefined ? undefined : other.#handlers.get(protocol);
    if (other === undefined || handler === undefined || signal.aborted) throw openError(peer, protocol);
    if (this.#openStreams(peer, protocol) >= this.#options.streamsPerProtocolMax) throw openError(peer, protocol);
    const [near, far] = memoryStreamPair({
      onBytes: [(count) => this.#count(other, count), (count) => other.#count(this, count)],
      onClosed: () => {
        this.#streams.get(peer)?.delete(nearEntry);
        other.#streams.get(this.peer)?.delete(farEntry);
      },
    });
    const nearEntry = { protocol, stream: near };
    const farEntry = { protocol, stream: far };
    this.#remember(peer, nearEntry);
    other.#remember(this.peer, farEntry);
    this.#hub.schedule(() => other.#answer({ handler, protocol, stream: far, from: this.peer }));
    return near;
  }

  subscribe<Message>(topic: GossipTopic, handlers: GossipHandlers<Message>): void {
    this.#topics.set(topic.name, boundHandlers(handlers));
  }

  async publish({ name }: GossipTopic, bytes: Uint8Array): Promise<void> {
    if (bytes.byteLength > this.#options.gossipBytesMax) {
      throw new RangeError(`a gossip message of ${bytes.byteLength} bytes exceeds ${this.#options.gossipBytesMax}`);
    }
    if (this.#isNew(name, bytes)) this.#spread(name, bytes.slice());
  }

  onConnect(listener: (peer: PeerId) => void): void {
    this.#onConnect.push(listener);
  }

  onDisconnect(listener: (peer: PeerId) => void): void {
    this.#onDisconnect.push(listener);
  }

  onIdentified(listener: (peer: PeerId) => void): void {
    this.#onConnect.push(listener);
  }

  /** There is nothing but the hub to dial. */
  believable(addresses: readonly string[]): readonly string[] {
    return addresses;
  }

  /** Peers of a hub find nobody by themselves. */
  onDiscovered(): void {}

  async addressesOf(peer: PeerId): Promise<readonly string[]> {
    return this.#links.get(peer)?.addresses() ?? [];
  }

  bytes(): { readonly sent: number; readonly received: number } {
    return { sent: this.#sent, received: this.#received };
  }

  async figures(): Promise<string> {
    return "";
  }

  /** Take the link down on both sides at once. */
  disconnect(peer: PeerId, reason: Error): void {
    const other = this.#links.get(peer);
    if (other === undefined) return;
    this.#links.delete(peer);
    other.#links.delete(this.peer);
    for (const { stream } of [...(this.#streams.get(peer) ?? [])]) stream.abort(reason);
    this.#streams.delete(peer);
    other.#streams.delete(this.peer);
    this.#tell(this.#onDisconnect, peer);
    other.#tell(other.#onDisconnect, this.peer);
  }

  #reachableAt(address: string): MemoryTransport | undefined {
    const other = [...this.#hub.started.values()].find((transport) => transport.#address === address);
    const isOther = other !== undefined && other !== this && this.#isStarted();
    return isOther && !this.#hub.isCut(this.peer, other.peer) ? other : undefined;
  }

  #admits(peer: PeerId, origin?: string): boolean {
    return this.#options.admits?.(peer, origin) !== false;
  }

  #isStarted(): boolean {
    return this.#hub.started.get(this.peer) === this;
  }

  #count(to: MemoryTransport, count: number): void {
    this.#sent += count;
    to.#received += count;
  }

  #openStreams(peer: PeerId, protocol: StreamProtocol): number {
    return [...(this.#streams.get(peer) ?? [])].filter((entry) => entry.protocol === protocol).length;
  }

  #remember(peer: PeerId, entry: { readonly protocol: StreamProtocol; readonly stream: MemoryStream }): void {
    const entries = this.#streams.get(peer);
    if (entries === undefined) this.#streams.set(peer, new Set([entry]));
    else entries.add(entry);
  }

  #tell(listeners: readonly ((peer: PeerId) => void)[], peer: PeerId): void {
    this.#hub.schedule(() => {
      for (const listener of listeners) this.#contain("connection", () => listener(peer));
    });
  }

  #answer(call: { handler: StreamHandler; protocol: StreamProtocol; stream: MemoryStream; from: PeerId }): void {
    const { handler, protocol, stream, from } = call;
    const run = async (): Promise<void> => {
      try {
        await handler(stream, from);
        stream.closeAfterHandler();
      } catch (error) {
        stream.abort(error instanceof Error ? error : new Error(String(error)));
        this.#logger.debug("stream handler failed", { protocol: protocol.name, peer: from, error });
      }
    };
    const running = run().finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** True once for each message of a topic. */
  #isNew(topic: string, bytes: Uint8Array): boolean {
    const id = `${topic} ${bytesToHex(sha256(bytes))}`;
    if (this.#seen.has(id)) return false;
    this.#seen.add(id);
    if (this.#seen.size > SEEN_MESSAGES_MAX) {
      for (const oldest of this.#seen) {
        this.#seen.delete(oldest);
        break;
      }
    }
    return true;
  }

  #spread(topic: string, bytes: Uint8Array, except?: PeerId): void {
    for (const other of this.#links.values()) {
      if (other.peer === except || !other.#topics.has(topic)) continue;
      this.#count(other, bytes.byteLength);
      this.#hub.schedule(() => other.#arrive(topic, bytes, this.peer));
    }
  }

  #arrive(topic: string, bytes: Uint8Array, from: PeerId): void {
    const handlers = this.#topics.get(topic);
    if (handlers === undefined || !this.#links.has(from) || !this.#isNew(topic, bytes)) return;
    if (bytes.byteLength > this.#options.gossipBytesMax) return;
    // A validator that fails says nothing against the message, which is ignored.
    this.#contain("gossip validator", () => {
      const { verdict, deliver } = handlers(bytes, from);
      if (verdict !== "accept") return;
      this.#contain("gossip", () => deliver?.());
      this.#spread(topic, bytes, from);
    });
  }

  #contain(what: string, callback: () => void): void {
    try {
      callback();
    } catch (error) {
      this.#logger.error("network callback failed", { what, error });
    }
  }
}

function openError(peer: PeerId, { name }: StreamProtocol): NodeError {
  return new NodeError("STREAM_FAILED", `cannot open ${name} to ${peer}`, { peer, protocol: name });
}

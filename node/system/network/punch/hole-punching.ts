/**
 * Two peers that a relay carries try for a direct way. Each asks the relay where datagrams of a fresh UDP socket come from. Over
 * the relayed connection they tell each other and agree on a moment; then both knock, and QUIC goes through the hole. The peer
 * with the lower id begins and dials. What comes of it is a connection as any other; where nothing comes of it, all stays as it
 * was.
 */
import type {
  Connection,
  ConnectionGater,
  PeerId,
  Startable,
  Stream,
  StreamHandler,
  Topology,
  Transport,
  Upgrader,
} from "@libp2p/interface";
import type { Multiaddr } from "@multiformats/multiaddr";
import type { Logger } from "../../../interface/logger.ts";
import type { Acquaintance } from "../acquaintance.ts";
import { askedFirst } from "../asked-services.ts";
import type { HearsayDial } from "../hearsay-dial.ts";
import { isRelayed, relayOf } from "../relayed-address.ts";
import { openDatagramSocket } from "./datagram-socket.ts";
import { type Endpoint, hostOf } from "./endpoint.ts";
import { Hole } from "./hole.ts";
import { PUNCH_LIMITS, PunchBudget } from "./punch-budget.ts";
import { hearWhen, mayTell, type Offer, sayWhen, tell, told } from "./punch-talk.ts";
import { PunchedQuic } from "./punched-quic.ts";
import { SmallMessages } from "./small-messages.ts";
import { askWitness, directOf, Witness } from "./witness.ts";

/** Tries of one relayed connection, and the pause before each: who can simply be dialled is dialled in the first. */
const TRIES_MAX = 3;
const PAUSE_MS = 400;
/** All of one try: questions, knocks and the handshake of QUIC. */
const TRY_MS_MAX = 8_000;
/** Streams of a relayed connection have so long to end before it is closed. */
const DRAIN_MS_MAX = 10_000;

/** The parts of libp2p that it uses. */
export interface PunchComponents {
  readonly peerId: PeerId;
  readonly registrar: {
    handle(protocol: string, handler: StreamHandler, options?: object): Promise<void>;
    unhandle(protocol: string): Promise<void>;
    register(protocol: string, topology: Topology): Promise<string>;
    unregister(id: string): void;
  };
  readonly connectionManager: { getConnections(peer?: PeerId): Connection[] };
  readonly connectionGater: ConnectionGater;
  readonly transportManager: { getTransports(): Transport[]; getAddrs(): Multiaddr[] };
  readonly addressManager: { getListenAddrs(): Multiaddr[] };
  readonly upgrader: Upgrader;
}

/** How it is used. */
export interface PunchOptions {
  /** Begins the names of its protocols, so that networks never meet. */
  readonly prefix: string;
  readonly acquaintance: Acquaintance;
  /** Judges what the other side tells of itself. */
  readonly hearsay: HearsayDial;
  /** Of the whole peer; a part of them may lead through holes. */
  readonly connectionsMax: number;
  /** Whether this peer tells others where their datagrams come from, which is for one that relays. */
  readonly isWitness: boolean;
  readonly logger: Logger;
}

/** A service of libp2p. */
export function holesThroughRouters(options: PunchOptions) {
  return (components: PunchComponents): Startable => new HolePunching(components, options);
}

class HolePunching implements Startable {
  readonly #components: PunchComponents;
  readonly #options: PunchOptions;
  readonly #names: { readonly punch: string; readonly witness: string };
  readonly #quic: PunchedQuic;
  readonly #witness: Witness;
  readonly #budget: PunchBudget;
  readonly #stopping = new AbortController();
  #topology: string | undefined;

  constructor(components: PunchComponents, options: PunchOptions) {
    const { acquaintance, connectionsMax, prefix } = options;
    const openMax = Math.min(PUNCH_LIMITS.openMax, Math.floor(connectionsMax / 4));
    this.#budget = new PunchBudget({ ...PUNCH_LIMITS, openMax });
    const isHere = ({ status }: Connection) => status === "open";
    this.#components = askedFirst(components, {
      takes: async (protocol, _, connection) =>
        isRelayed(connection.remoteAddr) === (protocol === this.#names.punch) &&
        (await acquaintance.admits(connection.remotePeer, () => isHere(connection))),
      meets: (_, peer, connection) => acquaintance.admits(peer, () => isHere(connection)),
    });
    this.#options = options;
    this.#names = { punch: `/${prefix}/punch/1`, witness: `/${prefix}/witness/1` };
    this.#quic = new PunchedQuic(() => this.#quicTransport(), components.upgrader);
    const isGuest = (peer: PeerId): boolean => acquaintance.standingOf(peer) !== "known";
    this.#witness = new Witness(() => this.#places(), { isGuest });
  }

  async start(): Promise<void> {
    const { registrar } = this.#components;
    const { isWitness } = this.#options;
    if (isWitness) await registrar.handle(this.#names.witness, this.#witness.answer, { maxInboundStreams: 2 });
    if (this.#quicTransport() === undefined) return;
    const answer: StreamHandler = (stream, connection) => this.#answer(stream, connection);
    await registrar.handle(this.#names.punch, answer, { maxInboundStreams: 1, maxOutboundStreams: 1 });
    this.#topology = await registrar.register(this.#names.punch, {
      onConnect: (_, connection) => void this.#approach(connection),
    });
  }

  async stop(): Promise<void> {
    const { registrar } = this.#components;
    this.#stopping.abort();
    if (this.#topology !== undefined) registrar.unregister(this.#topology);
    for (const name of Object.values(this.#names)) await registrar.unhandle(name);
    await this.#witness.close();
    await this.#quic.stop();
  }

  /** Try for a direct way to the other end of a relayed connection, if it is this side's turn. */
  async #approach(relayed: Connection): Promise<void> {
    const { remotePeer: peer } = relayed;
    if (!isRelayed(relayed.remoteAddr) || this.#components.peerId.toString() >= peer.toString()) return;
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS).unref());
      if (relayed.status !== "open" || this.#isDirect(peer) || this.#stopping.signal.aborted) return;
      const isDone = await this.#tried(peer, () => this.#begin(relayed));
      if (isDone) return await this.#retire(relayed);
    }
  }

  /** Tell, ask, knock and dial. */
  async #begin(relayed: Connection): Promise<void> {
    const signal = AbortSignal.any([AbortSignal.timeout(TRY_MS_MAX), this.#stopping.signal]);
    const { hole, seen } = await this.#hole(relayed, signal);
    let stream: Stream | undefined;
    try {
      stream = await relayed.newStream(this.#names.punch, { signal });
      const messages = new SmallMessages(stream, signal);
      tell(messages, hole, seen);
      const offer = await this.#told(messages, relayed);
      await sayWhen(messages);
      await hole.knock(offer, signal);
      if (this.#isDirect(relayed.remotePeer)) throw new Error("another direct way was found in the meantime");
      await this.#quic.dial(hole, relayed.remotePeer, signal);
      await messages.end();
    } catch (error) {
      hole.close();
      stream?.abort(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
  }

  /** The other side of it. */
  async #answer(stream: Stream, relayed: Connection): Promise<void> {
    const { remotePeer: peer } = relayed;
    const isItsTurn = peer.toString() < this.#components.peerId.toString();
    const isDone = isItsTurn && (await this.#tried(peer, () => this.#join(stream, relayed)));
    if (!isDone) stream.abort(new Error("no hole was punched"));
  }

  async #join(stream: Stream, relayed: Connection): Promise<void> {
    const signal = AbortSignal.any([AbortSignal.timeout(TRY_MS_MAX), this.#stopping.signal]);
    const messages = new SmallMessages(stream, signal);
    const offer = await this.#told(messages, relayed);
    const { hole, seen } = await this.#hole(relayed, signal);
    const expected = await this.#quic.expect(hole, relayed.remotePeer).catch((error: unknown) => {
      hole.close();
      throw error;
    });
    try {
      tell(messages, hole, seen);
      await hearWhen(messages);
      await hole.knock(offer, signal);
      await expected.come(signal);
      await messages.end();
    } catch (error) {
      expected.give();
      throw error;
    }
  }

  /** Whether something that a peer may have this one try has gone well. */
  async #tried(peer: PeerId, act: () => Promise<void>): Promise<boolean> {
    const { acquaintance, logger } = this.#options;
    const name = peer.toString();
    if (!this.#budget.begin(name, acquaintance.standingOf(peer), this.#quic.open)) return false;
    try {
      await act();
      logger.debug("a hole leads to a peer that a relay carried", { peer: name });
      return true;
    } catch (error) {
      logger.debug("no hole leads to a peer that a relay carries", { peer: name, error });
      return false;
    } finally {
      this.#budget.end(name);
    }
  }

  /** A fresh socket, and where the relay of a connection sees it. */
  async #hole(relayed: Connection, signal: AbortSignal): Promise<{ readonly hole: Hole; readonly seen: Endpoint }> {
    const relay = directOf(this.#components.connectionManager.getConnections(), relayOf(relayed.remoteAddr) ?? "");
    const host = relay && hostOf(relay.remoteAddr);
    if (relay === undefined || host === undefined) throw new Error("the relay has no address to send datagrams to");
    const stream = await relay.newStream(this.#names.witness, { signal });
    const socket = await openDatagramSocket(host.includes(":") ? "::" : "0.0.0.0");
    try {
      return { hole: new Hole(socket), seen: await askWitness({ stream, host }, socket, signal) };
    } catch (error) {
      socket.close();
      throw error;
    }
  }

  /** What the other side tells.  Throws: Error where it is not for it to tell. */
  async #told(messages: SmallMessages, relayed: Connection): Promise<Offer> {
    const offer = await told(messages);
    if (await mayTell(offer.told, this.#options.hearsay.tellerOf(relayed.remoteAddr), this.#components.connectionGater))
      return offer;
    throw new Error("the other side tells an address that is not for it to tell");
  }

  /** Close a relayed connection that is needed no more, once what is said over it has been said. */
  async #retire(relayed: Connection): Promise<void> {
    const isTalking = (): boolean => relayed.streams.some(({ protocol }) => /^\/weft\/[a-z]+\/\d+$/.test(protocol));
    for (const end = performance.now() + DRAIN_MS_MAX; performance.now() < end && isTalking(); ) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS).unref());
    }
    await relayed.close().catch((error: Error) => relayed.abort(error));
  }

  #isDirect(peer: PeerId): boolean {
    return directOf(this.#components.connectionManager.getConnections(peer), peer.toString()) !== undefined;
  }

  #quicTransport(): Transport | undefined {
    return this.#components.transportManager.getTransports().find((one) => one[Symbol.toStringTag] === "quic");
  }

  /** Where this peer listens: a witness takes datagrams at the same addresses. */
  #places(): readonly Endpoint[] {
    const { addressManager, transportManager } = this.#components;
    const portOf = (address: Multiaddr): number =>
      Number(address.getComponents().find(({ name }) => name === "tcp" || name === "udp")?.value ?? 0);
    const ports = transportManager.getAddrs().map(portOf);
    return addressManager.getListenAddrs().flatMap((address) => {
      const host = hostOf(address);
      const port = portOf(address) || (ports.find((one) => one > 0) ?? 0);
      return host === undefined || port === 0 ? [] : [{ host, port }];
    });
  }
}

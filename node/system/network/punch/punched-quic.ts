/**
 * QUIC over holes. The binding of QUIC opens its own UDP sockets, so that it dials from another port than the one that a hole
 * leads to. Here it speaks with a socket on this machine, and what it says goes through the hole and back. Connections have
 * the address of the other side, not of that socket: by it they are counted, and held to ranges.
 */
import type { Connection, Listener, MultiaddrConnection, PeerId, Transport, Upgrader } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { withParts } from "../asked-services.ts";
import { type DatagramSocket, openDatagramSocket } from "./datagram-socket.ts";
import { addressOf, type Endpoint } from "./endpoint.ts";
import type { Hole } from "./hole.ts";

const INSIDE = "127.0.0.1";
/** After the end of a connection the last words of it still go through the hole. */
const LINGER_MS = 300;

/** A hole with the socket on this machine that QUIC speaks with. */
interface Passage {
  readonly hole: Hole;
  readonly inside: DatagramSocket;
  /** Whether the connection that was awaited is there: then what comes out of the hole begins no other one. */
  hasCome: boolean;
}

/** Packets with a long header begin connections and have no other use once one has begun (RFC 9000, 17.2). */
const isBeginning = (packet: Uint8Array): boolean => ((packet[0] ?? 0) & 0x80) !== 0;

/** What is awaited from a hole. */
interface Expected {
  readonly passage: Passage;
  readonly peer: PeerId;
  readonly come: () => void;
}

/** The holes of one node that QUIC speaks through. */
export class PunchedQuic {
  readonly #quic: () => Transport | undefined;
  readonly #upgrader: Upgrader;
  readonly #passages = new Set<Passage>();
  /** By the port of the socket that QUIC hears them from. */
  readonly #expected = new Map<number, Expected>();
  #listener: Promise<{ readonly listener: Listener; readonly port: number }> | undefined;

  constructor(quic: () => Transport | undefined, upgrader: Upgrader) {
    this.#quic = quic;
    this.#upgrader = upgrader;
  }

  /** Holes that are in use. */
  get open(): number {
    return this.#passages.size;
  }

  /** Dial through a hole that is open.  Throws: Error when another peer, or nobody, answers. */
  async dial(hole: Hole, peer: PeerId, signal: AbortSignal): Promise<Connection> {
    const passage = await this.#passage(hole);
    const { inside } = passage;
    let quic: Endpoint | undefined;
    inside.receive((bytes, from) => {
      quic ??= from;
      if (from.port === quic.port) hole.send(bytes);
    });
    hole.onward((bytes) => {
      if (quic !== undefined) inside.send(bytes, quic);
    });
    const upgrader = withParts(this.#upgrader, {
      upgradeOutbound: async (connection: MultiaddrConnection, options: Parameters<Upgrader["upgradeOutbound"]>[1]) => {
        signal.throwIfAborted();
        connection.addEventListener("close", () => this.#leave(passage));
        connection.remoteAddr = addressThrough(hole, peer);
        return await this.#upgrader.upgradeOutbound(connection, options);
      },
    });
    try {
      const address = multiaddr(`/ip4/${INSIDE}/udp/${inside.port}/quic-v1/p2p/${peer}`);
      return await Promise.race([this.#transport().dial(address, { upgrader, signal }), aborted(signal)]);
    } catch (error) {
      this.#leave(passage);
      throw error;
    }
  }

  /**
   * Take one connection of a peer out of a hole, which may still have to open.  Resolves with how to wait for it; that throws
   * Error when it does not come.
   */
  async expect(hole: Hole, peer: PeerId): Promise<{ come(signal: AbortSignal): Promise<void>; give(): void }> {
    const { port } = await this.#listening();
    const passage = await this.#passage(hole);
    const { inside } = passage;
    const come = Promise.withResolvers<void>();
    this.#expected.set(inside.port, { passage, peer, come: come.resolve });
    inside.receive((bytes, from) => {
      if (from.port === port) hole.send(bytes);
    });
    hole.onward((bytes) => {
      if (!passage.hasCome || !isBeginning(bytes)) inside.send(bytes, { host: INSIDE, port });
    });
    const give = (): void => {
      this.#expected.delete(inside.port);
      this.#leave(passage);
    };
    return { come: (signal) => Promise.race([come.promise, aborted(signal)]), give };
  }

  /** Close all holes and listen no more. */
  async stop(): Promise<void> {
    const listening = await this.#listener?.catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, this.#passages.size > 0 ? LINGER_MS : 0));
    for (const passage of this.#passages) this.#close(passage);
    await listening?.listener.close();
    this.#listener = undefined;
  }

  #transport(): Transport {
    const quic = this.#quic();
    if (quic === undefined) throw new Error("there is no QUIC on this machine");
    return quic;
  }

  async #passage(hole: Hole): Promise<Passage> {
    const passage = { hole, inside: await openDatagramSocket(INSIDE), hasCome: false };
    this.#passages.add(passage);
    return passage;
  }

  /** One listener for all holes, on this machine alone; nobody is told of it. */
  #listening(): Promise<{ readonly listener: Listener; readonly port: number }> {
    const listening = this.#listener ?? this.#listen();
    this.#listener = listening;
    // What failed once, for want of descriptors, is tried anew for the next hole.
    listening.catch(() => {
      this.#listener = undefined;
    });
    return listening;
  }

  async #listen(): Promise<{ readonly listener: Listener; readonly port: number }> {
    const upgrader = withParts(this.#upgrader, {
      upgradeInbound: (connection: MultiaddrConnection, options: InboundOptions) => this.#come(connection, options),
    });
    const listener = this.#transport().createListener({ upgrader });
    await listener.listen(multiaddr(`/ip4/${INSIDE}/udp/0/quic-v1`));
    const port = portOf(listener.getAddrs()[0]?.getComponents() ?? []);
    return { listener, port };
  }

  /** Somebody has connected: out of a hole, or another program of this machine, which has no business here. */
  async #come(connection: MultiaddrConnection, options: InboundOptions): Promise<void> {
    const port = portOf(connection.remoteAddr.getComponents());
    const expected = this.#expected.get(port);
    const isPeer = options.remotePeer?.toString() === expected?.peer.toString();
    if (expected === undefined || !isPeer) throw new Error("nobody is expected from there");
    this.#expected.delete(port);
    const { passage, peer, come } = expected;
    connection.addEventListener("close", () => this.#leave(passage));
    connection.remoteAddr = addressThrough(passage.hole, peer);
    await this.#upgrader.upgradeInbound(connection, options);
    passage.hasCome = true;
    come();
  }

  #leave(passage: Passage): void {
    setTimeout(() => this.#close(passage), LINGER_MS).unref();
  }

  #close(passage: Passage): void {
    this.#passages.delete(passage);
    passage.inside.close();
    passage.hole.close();
  }
}

type InboundOptions = Parameters<Upgrader["upgradeInbound"]>[1] & { readonly remotePeer?: PeerId };

function addressThrough({ remote }: Hole, peer: PeerId) {
  if (remote === undefined) throw new Error("the hole is not open");
  return multiaddr(`${addressOf(remote)}/quic-v1/p2p/${peer}`);
}

const portOf = (components: readonly { readonly name: string; readonly value?: string }[]): number =>
  Number(components.find(({ name }) => name === "udp")?.value ?? 0);

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const end = (): void => reject(signal.reason);
    if (signal.aborted) end();
    else signal.addEventListener("abort", end, { once: true });
  });
}

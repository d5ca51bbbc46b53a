/**
 * Addresses over `/weft/addresses/1`: each side tells its neighbours where it and its other neighbours can be dialled, so
 * that two peers that met through a third stay together when that one is gone. A peer tells a neighbour once it is admitted,
 * and again when there is something new, not too often. The addresses it hears are only hearsay and go to the dialer.
 */

import { pipe } from "it-pipe";
import { decodeAddresses, encodeAddresses, peerIdOfAddress } from "../../protocol/addresses.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { encodeFrame } from "../../protocol/frame.ts";
import { LIMITS } from "../../protocol/limits.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { STREAM_PROTOCOLS } from "../../protocol/stream-protocols.ts";
import { NodeError } from "../errors.ts";
import type { Conversation } from "../interface/conversation.ts";
import type { ByteStream, Transport } from "../interface/transport.ts";
import { bounded, cut, oneFrame } from "./byte-pipeline.ts";
import { answerNeighbours, type ConversationDependencies } from "./conversation.ts";
import { withStream } from "./deadline.ts";

/** The needs of these conversations, and the listener for addresses. */
export interface AddressExchangeDependencies extends ConversationDependencies {
  /** The addresses that a neighbour tells; each is an address by README.md 7.8, and nothing else is known of it. */
  readonly onAddresses: (addresses: readonly string[], from: PeerId) => void;
}

/** How often addresses are told and heard. */
export interface AddressExchangeOptions {
  readonly timeoutMs: number;
  /** Shortest time between two messages to one neighbour. */
  readonly intervalMs: number;
  /** Messages of one neighbour that are read within `windowMs`. */
  readonly perWindowMax: number;
  readonly windowMs: number;
}

/** Messages in a row that a neighbour did not take; after so many it is told again only when there is something new. */
const FAILURES_MAX = 5;

/** The addresses told between this peer and one neighbour; forgotten when it disconnects. */
interface Exchanged {
  /** The addresses of the last message that it took, or may be taking. */
  told: readonly string[] | undefined;
  failures: number;
  toldAtMs: number;
  /** Whether a message to it is due. */
  isDue: boolean;
  /** Cancels the wait for its time. */
  cancel: () => void;
  windowSinceMs: number;
  readInWindow: number;
  /** Where it said it can be dialled, and whether it then said something else altogether: two processes with one identity. */
  listens: readonly string[];
  isTwice: boolean;
}

const nothingYet = (): Exchanged => ({
  told: undefined,
  failures: 0,
  toldAtMs: Number.NEGATIVE_INFINITY,
  isDue: false,
  cancel: () => {},
  windowSinceMs: Number.NEGATIVE_INFINITY,
  readInWindow: 0,
  listens: [],
  isTwice: false,
});

/** Tells neighbours of new addresses, and hears theirs. */
export class AddressExchange implements Conversation {
  readonly protocol = STREAM_PROTOCOLS.addresses;
  readonly #dependencies: AddressExchangeDependencies;
  readonly #options: AddressExchangeOptions;
  readonly #exchanged = new Map<PeerId, Exchanged>();

  constructor(dependencies: AddressExchangeDependencies, options: AddressExchangeOptions) {
    this.#dependencies = dependencies;
    this.#options = options;
  }

  async start(): Promise<void> {
    const { transport, neighbours } = this.#dependencies;
    transport.onIdentified((peer) => {
      if (neighbours.has(peer)) this.#tellOthersOf(peer);
      void this.#dependencies.background.run("noticing addresses", () => this.#notice(peer));
    });
    transport.onDisconnect((peer) => this.#forget(peer));
    const calls = { protocol: this.protocol, timeoutMs: this.#options.timeoutMs, did: "sent addresses" };
    await answerNeighbours(this.#dependencies, calls, (stream, from) => this.#hear(stream, from));
    // It is told of the others, and the others of it.
    neighbours.onAdmitted((peer) => {
      this.#tell(peer);
      this.#tellOthersOf(peer);
    });
  }

  async stop(): Promise<void> {
    for (const { cancel } of this.#exchanged.values()) cancel();
    this.#exchanged.clear();
  }

  #with(peer: PeerId): Exchanged {
    const known = this.#exchanged.get(peer);
    if (known !== undefined) return known;
    const fresh = nothingYet();
    this.#exchanged.set(peer, fresh);
    return fresh;
  }

  /** One who says that it listens elsewhere altogether, while it is connected, is another process with the same key. */
  async #notice(peer: PeerId): Promise<void> {
    const { transport, neighbours } = this.#dependencies;
    const said = (await knownAddresses(transport, [peer])).slice(0, LIMITS.addressesPerPeerMax);
    if (said.length === 0 || !transport.connected().includes(peer)) return;
    const exchanged = this.#with(peer);
    const { listens } = exchanged;
    const isElsewhere = listens.length > 0 && said.every((address) => !listens.includes(address));
    exchanged.listens = isElsewhere ? [...said, ...listens].slice(0, LIMITS.addressesPerPeerMax) : said;
    if (!isElsewhere) return;
    exchanged.isTwice = true;
    if (neighbours.has(peer)) this.#tell(peer);
  }

  #forget(peer: PeerId): void {
    this.#exchanged.get(peer)?.cancel();
    this.#exchanged.delete(peer);
    // Should it come back, that is news, also where it was before.
    for (const other of this.#exchanged.values()) {
      other.told = other.told?.filter((address) => peerIdOfAddress(address) !== peer);
    }
  }

  #tellOthersOf(peer: PeerId): void {
    for (const other of this.#dependencies.neighbours.all()) if (other !== peer) this.#tell(other);
  }

  /** Tell a neighbour the news, now or when its time has come. */
  #tell(peer: PeerId): void {
    const { neighbours, background, clock } = this.#dependencies;
    if (!neighbours.shares(peer, "addresses")) return;
    const exchanged = this.#with(peer);
    if (exchanged.isDue || background.signal.aborted) return;
    exchanged.isDue = true;
    const send = (): void =>
      void background.run("telling addresses", (signal) => this.#tellNow(peer, exchanged, signal));
    const waitMs = exchanged.toldAtMs + this.#options.intervalMs - clock.now();
    if (waitMs > 0) exchanged.cancel = clock.after(waitMs, send);
    else send();
  }

  async #tellNow(peer: PeerId, exchanged: Exchanged, signal: AbortSignal): Promise<void> {
    const { transport, neighbours, clock } = this.#dependencies;
    exchanged.isDue = false;
    const others = neighbours.all().filter((other) => other !== peer);
    const ofOthers = await knownAddresses(transport, [transport.peer, ...others]);
    // Either of two with its identity learns where the other one is.
    const room = LIMITS.addressesCountMax - exchanged.listens.length;
    const addresses = exchanged.isTwice ? [...ofOthers.slice(0, room), ...exchanged.listens] : ofOthers;
    if (!neighbours.has(peer) || this.#exchanged.get(peer) !== exchanged) return;
    const { told } = exchanged;
    if (told !== undefined && addresses.every((address) => told.includes(address))) return;
    exchanged.told = addresses;
    exchanged.toldAtMs = clock.now();
    const call = { peer, protocol: this.protocol, timeoutMs: this.#options.timeoutMs, signal };
    try {
      await withStream(this.#dependencies, call, async ({ source, sink }) => {
        await pipe([encodeFrame(encodeAddresses(addresses))], cut, sink);
        // Nothing is answered; the end shows that it was read.
        for await (const _ of bounded(this.protocol.bytesMax.answered)(source));
      });
      exchanged.failures = 0;
    } catch (error) {
      // The neighbour may not have come to the end of its handshake yet, or be too busy: unread addresses are told again.
      exchanged.told = told;
      if (this.#exchanged.get(peer) === exchanged && ++exchanged.failures < FAILURES_MAX) this.#tell(peer);
      throw error;
    }
  }

  async #hear(stream: ByteStream, from: PeerId): Promise<void> {
    this.#count(from);
    try {
      const message = await pipe(stream.source, oneFrame(this.protocol.bytesMax.opened));
      const { transport, onAddresses } = this.#dependencies;
      onAddresses(transport.believable(decodeAddresses(message), from), from);
    } catch (error) {
      if (error instanceof ProtocolError) this.#dependencies.neighbours.blame(from);
      throw error;
    }
  }

  /** Throws: NodeError TOO_OFTEN. */
  #count(from: PeerId): void {
    const { windowMs, perWindowMax } = this.#options;
    const exchanged = this.#with(from);
    const nowMs = this.#dependencies.clock.now();
    if (nowMs - exchanged.windowSinceMs >= windowMs) {
      exchanged.windowSinceMs = nowMs;
      exchanged.readInWindow = 0;
    }
    if (++exchanged.readInWindow > perWindowMax) {
      throw new NodeError("TOO_OFTEN", `${from} sends addresses more often than every ${windowMs / perWindowMax} ms`);
    }
  }
}

/**
 * Where peers can be dialled: the first address of each, then the second of each, and so on within the limits, so that
 * none is left out for another's many. Loopback addresses come last of a peer's, because they help on one machine only.
 */
async function knownAddresses(transport: Transport, peers: readonly PeerId[]): Promise<readonly string[]> {
  const { addressesCountMax, addressesPerPeerMax } = LIMITS;
  const lists = await Promise.all(
    peers.map(async (peer) => {
      const said = peer === transport.peer ? transport.addresses() : await transport.addressesOf(peer);
      const valid = [...new Set(said)].filter((address) => peerIdOfAddress(address) === peer);
      return [...valid.filter((address) => !isLoopback(address)), ...valid.filter(isLoopback)];
    }),
  );
  const turns = Array.from({ length: addressesPerPeerMax }, (_, turn) => lists.flatMap((list) => list[turn] ?? []));
  return turns.flat().slice(0, addressesCountMax);
}

function isLoopback(address: string): boolean {
  return /^\/ip4\/127\.|^\/ip6\/::1\//.test(address);
}

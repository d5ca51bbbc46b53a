/**
 * Keeps a peer connected: dials the bootstrap addresses and those of peers that were neighbours before, again and again
 * with growing pauses, because any of them may come back at any moment; and tries, a few times, the addresses that
 * neighbours tell of. Of the latter only those that led to a neighbour are kept in the store with the others, so that a
 * restarted peer finds its way back without the bootstrap peers and strangers write nothing to the disk.
 */
import { LIMITS } from "../../protocol/limits.ts";
import { asPeerId, type PeerId } from "../../protocol/peer-id.ts";
import { NodeError } from "../errors.ts";
import type { Clock } from "../interface/clock.ts";
import type { Logger } from "../interface/logger.ts";
import type { Store } from "../interface/store.ts";
import type { Transport } from "../interface/transport.ts";
import { type AddressBook, type AddressOrigin, createAddressBook } from "./address-book.ts";
import { type Background, createBackground } from "./background.ts";
import type { Rate } from "./exchange-limits.ts";
import { RateLimiter } from "./rate-limiter.ts";

/** Bounds on dialled and remembered addresses, and pauses. */
export interface DialerLimits {
  /** Addresses in the book, the oldest forgotten first; four for every peer of a network of 64. */
  readonly addressesMax: number;
  /** Among them those that neighbours told of and nobody was met at yet. */
  readonly heardMax: number;
  /** Of the dials of hearsay that are under way, those on one teller's word. */
  readonly heardTryingPerTellerMax: number;
  /** Addresses of one peer that are kept, of those that it says it has. */
  readonly addressesPerPeerMax: number;
  /** How often what one peer says of its addresses is looked at. */
  readonly newsOfPeer: Rate;
  /** Such an address is given up after so many failures; with the pauses below, a minute and a half. */
  readonly heardTriesMax: number;
  /** No more is dialled while so many are connected, from either side. */
  readonly connectedEnough: number;
  readonly dialTimeoutMs: number;
  /** First pause after a failure; it doubles up to `pauseMaxMs`. */
  readonly pauseMinMs: number;
  readonly pauseMaxMs: number;
}

/** For networks of up to 64 peers. */
export const DIALER_DEFAULTS: DialerLimits = {
  addressesMax: 256,
  heardMax: 128,
  heardTryingPerTellerMax: 4,
  addressesPerPeerMax: LIMITS.addressesPerPeerMax,
  newsOfPeer: { burst: 8, perPeriod: 1, periodMs: 10_000 },
  heardTriesMax: 8,
  connectedEnough: 16,
  dialTimeoutMs: 10_000,
  pauseMinMs: 500,
  pauseMaxMs: 30_000,
};

/** Dials addresses that it was given, that it met and that it hears of. */
export interface Dialer {
  /** Load the address book and dial everything in it once; resolves when each was tried. */
  start(): Promise<void>;
  /** A peer was admitted: where it can be dialled is kept, and dialled again when it goes. */
  meet(peer: PeerId): void;
  /**
   * Try addresses that somebody told of; each ends in `/p2p/` and a peer. They are given up when nobody is met there.
   * teller: whoever it was, where that is known.
   */
  hear(addresses: readonly string[], teller?: string): void;
  /** Whether one of the bootstrap addresses names this peer, or has led to it. */
  isGiven(peer: PeerId): boolean;
  /** How many addresses are dialled again and again. */
  addressCount(): number;
  /** Somebody may be shut out by now: dial them no more. */
  review(): void;
  /** Idempotent. */
  stop(): Promise<void>;
}

/** The needs of a dialer: a transport, and a place for addresses. */
export interface DialerDependencies {
  /** Started. */
  readonly transport: Transport;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** An address at which nobody was reached. */
export interface DialFailure {
  readonly address: string;
  /** Whether it is one of the bootstrap addresses. */
  readonly isGiven: boolean;
  /** A clause for a person. */
  readonly reason: string;
}

/** What is dialled, and who is told of failures. */
export type DialerOptions = {
  /** Addresses that are always dialled. */
  readonly bootstrap: readonly string[];
  /** Whether a peer is shut out for good, as one that the roster has removed: it is dialled no more, and its addresses forgotten. */
  readonly isShutOut?: (peer: PeerId) => boolean;
  /** Why a peer that was reached did not become a neighbour, in a clause. */
  readonly refusalOf?: (peer: PeerId) => string | undefined;
  /** Told of every failure, but not of those at addresses that were only heard of. Must not throw. */
  readonly onFailure?: (failure: DialFailure) => void;
} & Partial<DialerLimits>;

const PREFIX = "address/";

const ENDED_EARLY = "the connection ended before both sides had agreed to exchange updates";

/** The peer that an address ends in, when it names one. */
export function peerOfAddress(address: string): PeerId | undefined {
  const text = /\/p2p\/([^/]+)$/.exec(address)?.[1];
  return text === undefined ? undefined : asPeerId(text);
}

/** A dialer that waits to be started. */
export function createDialer(dependencies: DialerDependencies, options: DialerOptions): Dialer {
  return new AddressDialer(dependencies, options);
}

class AddressDialer implements Dialer {
  readonly #dependencies: DialerDependencies;
  readonly #limits: DialerLimits;
  readonly #background: Background;
  readonly #book: AddressBook;
  readonly #given: readonly string[];
  readonly #onFailure: (failure: DialFailure) => void;
  readonly #isShutOut: (peer: PeerId) => boolean;
  readonly #refusalOf: (peer: PeerId) => string | undefined;
  readonly #timers = new Map<string, () => void>();
  /** Peers reached at addresses, which may not name them. */
  readonly #reached = new Map<string, PeerId>();
  /** Admitted since they connected. */
  readonly #neighbours = new Set<PeerId>();
  /** Addresses of hearsay are dialled one at a time for each peer, of each teller in its turn. */
  readonly #trying = new Map<PeerId, { readonly address: string; readonly teller: string | undefined }>();
  readonly #news: RateLimiter;

  constructor(dependencies: DialerDependencies, options: DialerOptions) {
    this.#dependencies = dependencies;
    this.#limits = { ...DIALER_DEFAULTS, ...options };
    this.#background = createBackground(dependencies);
    this.#book = createAddressBook(this.#limits);
    this.#news = new RateLimiter(dependencies, { ...this.#limits.newsOfPeer, peersMax: this.#limits.addressesMax });
    this.#onFailure = options.onFailure ?? (() => undefined);
    this.#isShutOut = options.isShutOut ?? (() => false);
    this.#refusalOf = options.refusalOf ?? (() => undefined);
    this.#given = options.bootstrap;
    for (const address of options.bootstrap) this.#book.note(address, "given");
  }

  async start(): Promise<void> {
    const { store, transport } = this.#dependencies;
    for await (const [key] of store.entries(PREFIX)) {
      const address = key.slice(PREFIX.length);
      if (this.#book.addresses().length < this.#limits.addressesMax) this.#book.note(address, "met");
    }
    // A connection may come before the peer says where it can be dialled.
    transport.onIdentified((peer) => {
      if (this.#neighbours.has(peer) && this.#news.take(peer)) void this.#remember(peer);
    });
    transport.onDisconnect((peer) => {
      const wasNeighbour = this.#neighbours.delete(peer);
      this.#leaveAlone(peer);
      for (const address of this.#addressesOf(peer)) {
        if (wasNeighbour) this.#later(address, this.#limits.pauseMinMs);
        else this.#failed(address, this.#refusalOf(peer) ?? ENDED_EARLY);
      }
    });
    await Promise.all(this.#book.addresses().map((address) => this.#dialOnce(address)));
  }

  meet(peer: PeerId): void {
    this.#neighbours.add(peer);
    for (const address of this.#addressesOf(peer)) {
      const entry = this.#book.get(address);
      if (entry !== undefined) entry.pauseMs = this.#limits.pauseMinMs;
    }
    void this.#remember(peer);
  }

  hear(addresses: readonly string[], teller?: string): void {
    for (const address of addresses) {
      const peer = peerOfAddress(address);
      if (peer === undefined || this.#isConnected(peer) || this.#book.get(address) !== undefined) continue;
      if (this.#isShutOut(peer)) continue;
      for (const forgotten of this.#book.note(address, "heard", teller)) this.#forget(forgotten);
      void this.#dialOnce(address);
    }
  }

  isGiven(peer: PeerId): boolean {
    return this.#given.some((address) => this.#peerAt(address) === peer);
  }

  addressCount(): number {
    return this.#book.addresses().length;
  }

  review(): void {
    for (const peer of new Set(this.#book.addresses().map(peerOfAddress))) this.#leaveAlone(peer);
  }

  async stop(): Promise<void> {
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
    await this.#background.stop();
  }

  #peerAt(address: string): PeerId | undefined {
    return peerOfAddress(address) ?? this.#reached.get(address);
  }

  #addressesOf(peer: PeerId): readonly string[] {
    return this.#book.addresses().filter((address) => this.#peerAt(address) === peer);
  }

  #isConnected(peer: PeerId | undefined): boolean {
    const { transport } = this.#dependencies;
    return peer !== undefined && (peer === transport.peer || transport.connected().includes(peer));
  }

  /** Who counts: whoever comes by itself keeps this peer from no address that it was given. */
  #connectedBeside(origin: AddressOrigin): number {
    const connected = this.#dependencies.transport.connected();
    return (origin === "given" ? connected.filter((peer) => this.isGiven(peer)) : connected).length;
  }

  #later(address: string, pauseMs: number): void {
    this.#timers.get(address)?.();
    if (this.#background.signal.aborted) return;
    const cancel = this.#dependencies.clock.after(pauseMs, () => void this.#dialOnce(address));
    this.#timers.set(address, cancel);
  }

  #forget(address: string): void {
    this.#book.forget(address);
    this.#timers.get(address)?.();
    this.#timers.delete(address);
    this.#reached.delete(address);
  }

  /** Nobody answered, or a peer that was not admitted. */
  #failed(address: string, reason: string): void {
    const entry = this.#book.get(address);
    if (entry === undefined) return;
    entry.failures++;
    if (entry.origin !== "heard") this.#onFailure({ address, isGiven: entry.origin === "given", reason });
    if (entry.origin === "heard" && entry.failures >= this.#limits.heardTriesMax) {
      this.#forget(address);
      return;
    }
    this.#later(address, entry.pauseMs);
    entry.pauseMs = Math.min(2 * entry.pauseMs, this.#limits.pauseMaxMs);
  }

  /** Dial one address, unless its peer is there; a peer that is there is dialled again when it goes. */
  #dialOnce(address: string): Promise<void> {
    return this.#background.run("dialling", async (signal) => {
      const { connectedEnough, pauseMinMs, pauseMaxMs } = this.#limits;
      this.#leaveAlone(peerOfAddress(address));
      const entry = this.#book.get(address);
      const peer = this.#peerAt(address);
      if (entry === undefined || this.#isConnected(peer)) return;
      const connected = this.#connectedBeside(entry.origin);
      if (connected >= connectedEnough) return this.#later(address, pauseMaxMs);
      const hearsay = entry.origin === "heard" ? peer : undefined;
      if (hearsay !== undefined) {
        const { teller } = entry;
        const hasPlace = !this.#trying.has(hearsay) && this.#hasPlaceFor(teller, connected);
        if (!hasPlace || !this.#isTurnOf(teller, hearsay)) return this.#later(address, pauseMinMs);
        this.#trying.set(hearsay, { address, teller });
      }
      await this.#dial(address, { hearsay, signal });
    });
  }

  /** Forget the addresses that name a peer that is shut out, also on the disk. At others somebody else may answer. */
  #leaveAlone(peer: PeerId | undefined): void {
    if (peer === undefined || !this.#isShutOut(peer)) return;
    const { store, logger } = this.#dependencies;
    const addresses = this.#book.addresses().filter((address) => peerOfAddress(address) === peer);
    if (addresses.length === 0) return;
    for (const address of addresses) this.#forget(address);
    logger.info("a peer is dialled no more, because it is no member for good", { peer, addresses: addresses.length });
    void this.#background.run("forgetting addresses", () =>
      store.batch(addresses.map((address) => ({ delete: PREFIX + address }))),
    );
  }

  /** Whoever tells of many addresses that lead nowhere has a few of them tried at a time, and leaves some of the free places to others. */
  #hasPlaceFor(teller: string | undefined, connected: number): boolean {
    const { connectedEnough, heardTryingPerTellerMax } = this.#limits;
    const free = connectedEnough - connected;
    if (this.#trying.size >= free) return false;
    const own = [...this.#trying.values()].filter((one) => one.teller === teller).length;
    const half = Math.ceil(free / 2);
    // What a table of members tells may come from many.
    return own < (teller === undefined ? Math.max(2, half) : Math.min(half, heardTryingPerTellerMax));
  }

  /** Whether nobody else has told of addresses of a peer of which fewer tries have failed: those go first. */
  #isTurnOf(teller: string | undefined, peer: PeerId): boolean {
    const failures = new Map<string | undefined, number>();
    for (const address of this.#book.addresses()) {
      const entry = address.endsWith(`/p2p/${peer}`) ? this.#book.get(address) : undefined;
      if (entry?.origin !== "heard") continue;
      failures.set(entry.teller, (failures.get(entry.teller) ?? 0) + entry.failures);
    }
    return (failures.get(teller) ?? 0) <= Math.min(...failures.values());
  }

  /** `hearsay`: the peer of an address that was only heard of. */
  async #dial(
    address: string,
    { hearsay, signal }: { readonly hearsay: PeerId | undefined; readonly signal: AbortSignal },
  ): Promise<void> {
    const { transport, clock, logger } = this.#dependencies;
    const { ended, cancel } = within(clock, this.#limits.dialTimeoutMs, signal);
    try {
      const isHearsay = this.#book.get(address)?.origin !== "given";
      const answered = await transport.dial(address, ended, { isHearsay });
      if (this.#book.get(address) !== undefined) this.#reached.set(address, answered);
    } catch (error) {
      if (signal.aborted) return;
      logger.debug("cannot reach a known address", { address, error });
      this.#failed(address, reasonOf(error, this.#limits.dialTimeoutMs));
    } finally {
      cancel();
      if (hearsay !== undefined) this.#trying.delete(hearsay);
    }
  }

  /** Of the addresses at which a peer was met the oldest, where it has more than may be kept with these. */
  #spareOf(peer: PeerId, fresh: readonly string[]): readonly string[] {
    const met = this.#addressesOf(peer).filter((address) => this.#book.get(address)?.origin === "met");
    const kept = met.filter((address) => !fresh.includes(address));
    return kept.slice(0, Math.max(0, kept.length + fresh.length - this.#limits.addressesPerPeerMax));
  }

  /** Note where a neighbour can be dialled: the addresses that it tells itself, and the one that led to it. */
  #remember(peer: PeerId): Promise<void> {
    return this.#background.run("noting an address", async () => {
      const { store, transport } = this.#dependencies;
      const heard = this.#addressesOf(peer).filter((address) => this.#book.get(address)?.origin === "heard");
      const proven = heard.filter(
        (address) => this.#reached.has(address) || this.#trying.get(peer)?.address === address,
      );
      for (const address of heard) if (!proven.includes(address)) this.#forget(address);
      const told = (await transport.addressesOf(peer)).slice(0, this.#limits.addressesPerPeerMax);
      const addresses = [...proven, ...told];
      const isNew = (address: string): boolean => (this.#book.get(address)?.origin ?? "heard") === "heard";
      const fresh = [...new Set(addresses)].filter(isNew);
      if (fresh.length === 0) return;
      const replaced = this.#spareOf(peer, fresh);
      const forgotten = [...replaced, ...fresh.flatMap((address) => this.#book.note(address, "met"))];
      for (const address of forgotten) this.#forget(address);
      await store.batch([
        ...fresh.map((address) => ({ put: PREFIX + address, value: new Uint8Array(0) })),
        ...forgotten.map((address) => ({ delete: PREFIX + address })),
      ]);
    });
  }
}

function reasonOf(error: unknown, timeoutMs: number): string {
  if (error instanceof NodeError && typeof error.facts.reason === "string") return error.facts.reason;
  return `no connection within ${timeoutMs / 1000} s`;
}

/** A signal that aborts with `signal`, or after the time. */
function within(clock: Clock, timeoutMs: number, signal: AbortSignal): { ended: AbortSignal; cancel: () => void } {
  const controller = new AbortController();
  const cancel = clock.after(timeoutMs, () => controller.abort(new Error(`no connection within ${timeoutMs} ms`)));
  return { ended: AbortSignal.any([controller.signal, signal]), cancel };
}

/**
 * Keeps a peer connected: dials the bootstrap addresses and those of peers that were neighbours before, again and again
 * with growing pauses, because any of them may come back at any moment; and tries, a few times, the addresses that
 * neighbours tell of. Of the latter only those that led to a neighbour are kept in the store with the others, so that a
 * restarted peer finds its way back without the bootstrap peers and strangers write nothing to the disk.
 */
import { asPeerId, type PeerId } from "../../protocol/peer-id.ts";
import type { Clock } from "../interface/clock.ts";
import type { Logger } from "../interface/logger.ts";
import type { Store } from "../interface/store.ts";
import type { Transport } from "../interface/transport.ts";
import { createAddressBook } from "./address-book.ts";
import { createBackground } from "./background.ts";

export interface DialerLimits {
  /** Addresses in the book, the oldest forgotten first; four for every peer of a network of 64. */
  readonly addressesMax: number;
  /** Among them those that neighbours told of and nobody was met at yet. */
  readonly heardMax: number;
  /** Such an address is given up after so many failures; with the pauses below, a minute and a half. */
  readonly heardTriesMax: number;
  /** No more is dialled while so many are connected, whoever dialled them. */
  readonly connectedEnough: number;
  readonly dialTimeoutMs: number;
  /** First pause after a failure; it doubles up to `pauseMaxMs`. */
  readonly pauseMinMs: number;
  readonly pauseMaxMs: number;
}

export const DIALER_DEFAULTS: DialerLimits = {
  addressesMax: 256,
  heardMax: 128,
  heardTriesMax: 8,
  connectedEnough: 16,
  dialTimeoutMs: 10_000,
  pauseMinMs: 500,
  pauseMaxMs: 30_000,
};

export interface Dialer {
  /** Load the address book and dial everything in it once; resolves when each was tried. */
  start(): Promise<void>;
  /** A peer was admitted: where it can be dialled is kept, and dialled again when it goes. */
  meet(peer: PeerId): void;
  /** Try addresses that somebody told of; each ends in `/p2p/` and a peer. They are given up when nobody is met there. */
  hear(addresses: readonly string[]): void;
  /** Idempotent. */
  stop(): Promise<void>;
}

export interface DialerDependencies {
  /** Started. */
  readonly transport: Transport;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
}

const PREFIX = "address/";

/** The peer that an address ends in, when it names one. */
export function peerOfAddress(address: string): PeerId | undefined {
  const text = /\/p2p\/([^/]+)$/.exec(address)?.[1];
  return text === undefined ? undefined : asPeerId(text);
}

export function createDialer(
  { transport, store, clock, logger }: DialerDependencies,
  options: { readonly bootstrap: readonly string[] } & Partial<DialerLimits>,
): Dialer {
  const limits = { ...DIALER_DEFAULTS, ...options };
  const background = createBackground({ logger });
  const book = createAddressBook(limits);
  for (const address of options.bootstrap) book.note(address, "given");
  const timers = new Map<string, () => void>();
  /** Peers reached at addresses, which may not name them. */
  const reached = new Map<string, PeerId>();
  /** Admitted since they connected. */
  const neighbours = new Set<PeerId>();
  /** What was heard of is dialled at one address of a peer at a time. */
  const trying = new Map<PeerId, string>();

  const peerAt = (address: string): PeerId | undefined => peerOfAddress(address) ?? reached.get(address);
  const addressesOf = (peer: PeerId): readonly string[] =>
    book.addresses().filter((address) => peerAt(address) === peer);
  const isConnected = (peer: PeerId | undefined): boolean =>
    peer !== undefined && (peer === transport.peer || transport.connected().includes(peer));

  const later = (address: string, pauseMs: number): void => {
    timers.get(address)?.();
    if (background.signal.aborted) return;
    timers.set(
      address,
      clock.after(pauseMs, () => void dialOnce(address)),
    );
  };
  const forget = (address: string): void => {
    book.forget(address);
    timers.get(address)?.();
    timers.delete(address);
    reached.delete(address);
  };
  /** Nobody answered, or somebody who was not admitted. */
  const failed = (address: string): void => {
    const entry = book.get(address);
    if (entry === undefined) return;
    entry.failures++;
    if (entry.origin === "heard" && entry.failures >= limits.heardTriesMax) {
      forget(address);
      return;
    }
    later(address, entry.pauseMs);
    entry.pauseMs = Math.min(2 * entry.pauseMs, limits.pauseMaxMs);
  };
  /** Dial one address, unless its peer is there; a peer that is there is dialled again when it goes. */
  const dialOnce = (address: string): Promise<void> =>
    background.run("dialling", async (signal) => {
      const entry = book.get(address);
      const peer = peerAt(address);
      if (entry === undefined || isConnected(peer)) return;
      if (transport.connected().length >= limits.connectedEnough) return later(address, limits.pauseMaxMs);
      const isHearsay = entry.origin === "heard" && peer !== undefined;
      if (isHearsay) {
        const isTurn = !trying.has(peer) && transport.connected().length + trying.size < limits.connectedEnough;
        if (!isTurn) return later(address, limits.pauseMinMs);
        trying.set(peer, address);
      }
      const { ended, cancel } = within(clock, limits.dialTimeoutMs, signal);
      try {
        const answered = await transport.dial(address, ended);
        if (book.get(address) !== undefined) reached.set(address, answered);
      } catch (error) {
        if (signal.aborted) return;
        logger.debug("cannot reach a known address", { address, error });
        failed(address);
      } finally {
        cancel();
        if (isHearsay) trying.delete(peer);
      }
    });

  /** Note where a neighbour can be dialled: what it says itself, and what led to it. */
  const remember = (peer: PeerId): Promise<void> =>
    background.run("noting an address", async () => {
      const heard = addressesOf(peer).filter((address) => book.get(address)?.origin === "heard");
      const proven = heard.filter((address) => reached.has(address) || trying.get(peer) === address);
      for (const address of heard) if (!proven.includes(address)) forget(address);
      const addresses = [...proven, ...(await transport.addressesOf(peer))];
      const fresh = [...new Set(addresses)].filter((address) => (book.get(address)?.origin ?? "heard") === "heard");
      if (fresh.length === 0) return;
      const forgotten = fresh.flatMap((address) => book.note(address, "met"));
      for (const address of forgotten) forget(address);
      await store.batch([
        ...fresh.map((address) => ({ put: PREFIX + address, value: new Uint8Array(0) })),
        ...forgotten.map((address) => ({ delete: PREFIX + address })),
      ]);
    });

  return {
    start: async () => {
      for await (const [key] of store.entries(PREFIX)) {
        const address = key.slice(PREFIX.length);
        if (book.addresses().length < limits.addressesMax) book.note(address, "met");
      }
      // A connection may come before the peer says where it can be dialled.
      transport.onIdentified((peer) => {
        if (neighbours.has(peer)) void remember(peer);
      });
      transport.onDisconnect((peer) => {
        const wasNeighbour = neighbours.delete(peer);
        for (const address of addressesOf(peer)) {
          if (wasNeighbour) later(address, limits.pauseMinMs);
          else failed(address);
        }
      });
      await Promise.all(book.addresses().map(dialOnce));
    },
    meet(peer) {
      neighbours.add(peer);
      for (const address of addressesOf(peer)) {
        const entry = book.get(address);
        if (entry !== undefined) entry.pauseMs = limits.pauseMinMs;
      }
      void remember(peer);
    },
    hear(addresses) {
      for (const address of addresses) {
        const peer = peerOfAddress(address);
        if (peer === undefined || isConnected(peer) || book.get(address) !== undefined) continue;
        for (const forgotten of book.note(address, "heard")) forget(forgotten);
        void dialOnce(address);
      }
    },
    stop: async () => {
      for (const cancel of timers.values()) cancel();
      timers.clear();
      await background.stop();
    },
  };
}

/** A signal that aborts with `signal`, or after the time. */
function within(clock: Clock, timeoutMs: number, signal: AbortSignal): { ended: AbortSignal; cancel: () => void } {
  const controller = new AbortController();
  const cancel = clock.after(timeoutMs, () => controller.abort(new Error(`no connection within ${timeoutMs} ms`)));
  return { ended: AbortSignal.any([controller.signal, signal]), cancel };
}

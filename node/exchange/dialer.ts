/**
 * Keeps a peer connected: dials the bootstrap addresses and the addresses at which neighbours were reached before,
 * again and again with growing pauses, because any of them may come back at any moment. The address book is kept in
 * the store, so that a restarted peer finds its way back without the bootstrap peers.
 */
import type { Clock } from "../interface/clock.ts";
import type { Logger } from "../interface/logger.ts";
import type { Store } from "../interface/store.ts";
import type { PeerIdText, Transport } from "../interface/transport.ts";
import { createBackground } from "./background.ts";

export interface DialerLimits {
  /** Addresses in the book, the oldest forgotten first; four for every peer of a network of 64. */
  readonly addressesMax: number;
  /** No more is dialled while so many are connected, whoever dialled them. */
  readonly connectedEnough: number;
  readonly dialTimeoutMs: number;
  /** First pause after a failure; it doubles up to `pauseMaxMs`. */
  readonly pauseMinMs: number;
  readonly pauseMaxMs: number;
}

export const DIALER_DEFAULTS: DialerLimits = {
  addressesMax: 256,
  connectedEnough: 16,
  dialTimeoutMs: 10_000,
  pauseMinMs: 500,
  pauseMaxMs: 30_000,
};

export interface Dialer {
  /** Load the address book and dial everything in it once; resolves when each was tried. */
  start(): Promise<void>;
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
export function peerOfAddress(address: string): PeerIdText | undefined {
  return /\/p2p\/([^/]+)$/.exec(address)?.[1];
}

export function createDialer(
  { transport, store, clock, logger }: DialerDependencies,
  options: { readonly bootstrap: readonly string[] } & Partial<DialerLimits>,
): Dialer {
  const limits = { ...DIALER_DEFAULTS, ...options };
  const background = createBackground({ logger });
  /** Address -> the pause after its next failure, in ms. In the order of learning, newest last. */
  const pauses = new Map<string, number>(options.bootstrap.map((address) => [address, limits.pauseMinMs]));
  const timers = new Map<string, () => void>();
  /** Peers reached at addresses that do not name them. */
  const reached = new Map<string, PeerIdText>();
  const isBootstrap = new Set(options.bootstrap);

  const isConnected = (address: string): boolean => {
    const peer = peerOfAddress(address) ?? reached.get(address);
    return peer !== undefined && (peer === transport.peer || transport.connected().includes(peer));
  };
  /** Dial one address, unless its peer is there; a peer that is there is dialled again when it goes. */
  const dialOnce = (address: string): Promise<void> =>
    background.run("dialling", async (signal) => {
      if (!pauses.has(address) || isConnected(address)) return;
      if (transport.connected().length >= limits.connectedEnough) return later(address, limits.pauseMaxMs);
      const { ended, cancel } = within(clock, limits.dialTimeoutMs, signal);
      try {
        reached.set(address, await transport.dial(address, ended));
        pauses.set(address, limits.pauseMinMs);
      } catch (error) {
        if (signal.aborted) return;
        logger.debug("cannot reach a known address", { address, error });
        const pause = pauses.get(address) ?? limits.pauseMinMs;
        pauses.set(address, Math.min(2 * pause, limits.pauseMaxMs));
        later(address, pause);
      } finally {
        cancel();
      }
    });
  const later = (address: string, pauseMs: number): void => {
    timers.get(address)?.();
    if (background.signal.aborted) return;
    timers.set(
      address,
      clock.after(pauseMs, () => void dialOnce(address)),
    );
  };

  /** Note where a neighbour can be dialled. */
  const remember = (peer: PeerIdText): Promise<void> =>
    background.run("noting an address", async () => {
      const addresses = await transport.addressesOf(peer);
      const fresh = addresses.filter((address) => !pauses.has(address));
      if (fresh.length === 0) return;
      for (const address of fresh) {
        pauses.set(address, limits.pauseMinMs);
      }
      const forgotten = [...pauses.keys()]
        .filter((address) => !isBootstrap.has(address))
        .slice(0, Math.max(0, pauses.size - limits.addressesMax));
      for (const address of forgotten) {
        pauses.delete(address);
        timers.get(address)?.();
        timers.delete(address);
      }
      await store.batch([
        ...fresh.map((address) => ({ put: PREFIX + address, value: new Uint8Array(0) })),
        ...forgotten.map((address) => ({ delete: PREFIX + address })),
      ]);
    });

  return {
    start: async () => {
      for await (const [key] of store.entries(PREFIX)) {
        const address = key.slice(PREFIX.length);
        if (!pauses.has(address) && pauses.size < limits.addressesMax) pauses.set(address, limits.pauseMinMs);
      }
      transport.onIdentified((peer) => void remember(peer));
      transport.onDisconnect((peer) => {
        for (const address of pauses.keys()) {
          if ((peerOfAddress(address) ?? reached.get(address)) === peer) later(address, limits.pauseMinMs);
        }
      });
      await Promise.all([...pauses.keys()].map(dialOnce));
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

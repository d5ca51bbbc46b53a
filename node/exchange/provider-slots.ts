/** Who is asked for bytes at the moment, and who was asked and kept this peer waiting: the latter go to the end. */
import type { PeerId } from "../../protocol/peer-id.ts";

/** Bounds of what is asked and remembered. */
export interface ProviderSlotsOptions {
  /** Requests to one provider that are under way at the same time. */
  readonly perProviderMax: number;
  /** Peers that are remembered as late; the one that was late first is forgotten first. */
  readonly lateMax: number;
}

/** Requests under way by provider, and who is late. */
export class ProviderSlots {
  readonly #options: ProviderSlotsOptions;
  readonly #busy = new Map<PeerId, number>();
  readonly #late = new Set<PeerId>();
  readonly #listeners = new Set<() => void>();

  constructor(options: ProviderSlotsOptions) {
    this.#options = options;
  }

  hasRoom(provider: PeerId): boolean {
    return (this.#busy.get(provider) ?? 0) < this.#options.perProviderMax;
  }

  /** Take a slot of a provider that has room; the returned function gives it back, once. */
  take(provider: PeerId): () => void {
    this.#busy.set(provider, (this.#busy.get(provider) ?? 0) + 1);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      const left = (this.#busy.get(provider) ?? 1) - 1;
      if (left === 0) this.#busy.delete(provider);
      else this.#busy.set(provider, left);
      for (const listener of [...this.#listeners]) listener();
    };
  }

  /** Call whenever a slot is given back; the returned function ends that. */
  onFree(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** It was asked and kept this peer waiting, or nobody could be found who hands its update out in time. */
  noteLate(peer: PeerId): void {
    this.#late.add(peer);
    const [first] = this.#late;
    if (this.#late.size > this.#options.lateMax && first !== undefined) this.#late.delete(first);
  }

  /** It handed out what it was asked for, or its update came. */
  noteServed(peer: PeerId): void {
    this.#late.delete(peer);
  }

  isLate(peer: PeerId): boolean {
    return this.#late.has(peer);
  }

  /** In the same order, but those that are late last. */
  ordered(peers: readonly PeerId[]): readonly PeerId[] {
    return [...peers.filter((peer) => !this.isLate(peer)), ...peers.filter((peer) => this.isLate(peer))];
  }
}

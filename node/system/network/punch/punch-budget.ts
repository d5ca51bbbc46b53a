/** How often a peer punches holes on a neighbour's word, and with how many at a time. */
import type { Standing } from "../../../interface/transport.ts";

/** How much there is. */
export interface PunchLimits {
  /** Within the window: of one peer, of all guests together, whose keys are free, and peers that are remembered. */
  readonly windowMs: number;
  readonly perPeerMax: number;
  readonly guestsMax: number;
  readonly peersMax: number;
  /** At a time, and so many of them with guests. */
  readonly underWayMax: number;
  readonly guestsUnderWayMax: number;
  /** Connections over holes at a time, each of which takes two sockets; beyond half of them none is begun with a guest. */
  readonly openMax: number;
}

/** Of one peer: a neighbour has two rounds of three tries in five minutes. */
export const PUNCH_LIMITS: PunchLimits = {
  windowMs: 300_000,
  perPeerMax: 6,
  guestsMax: 64,
  peersMax: 1024,
  underWayMax: 8,
  guestsUnderWayMax: 4,
  openMax: 32,
};

/** Counts tries. */
export class PunchBudget {
  readonly #limits: PunchLimits;
  readonly #now: () => number;
  /** By peer, when it was tried; the newest peer last. */
  readonly #tries = new Map<string, { readonly isGuest: boolean; readonly at: readonly number[] }>();
  readonly #underWay = new Set<string>();

  constructor(limits: PunchLimits = PUNCH_LIMITS, now: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#now = now;
  }

  /**
   * Whether there may be one more try with a peer, which is under way until `end`.  open: connections over holes now.
   */
  begin(peer: string, standing: Standing, open: number): boolean {
    const { windowMs, perPeerMax, guestsMax, peersMax, underWayMax, guestsUnderWayMax, openMax } = this.#limits;
    const isGuest = standing === "guest";
    if (standing === "nobody" || this.#underWay.has(peer)) return false;
    const places = isGuest ? Math.floor(openMax / 2) : openMax;
    if (this.#underWay.size >= (isGuest ? guestsUnderWayMax : underWayMax) || open >= places) return false;
    const since = this.#now() - windowMs;
    for (const [name, { isGuest, at }] of this.#tries) {
      const left = at.filter((time) => time > since);
      if (left.length === 0) this.#tries.delete(name);
      else this.#tries.set(name, { isGuest, at: left });
    }
    const own = this.#tries.get(peer)?.at ?? [];
    if (own.length >= perPeerMax || (own.length === 0 && this.#tries.size >= peersMax)) return false;
    const ofGuests = [...this.#tries.values()].reduce((sum, one) => sum + (one.isGuest ? one.at.length : 0), 0);
    if (isGuest && ofGuests >= guestsMax) return false;
    this.#tries.set(peer, { isGuest, at: [...own, this.#now()] });
    this.#underWay.add(peer);
    return true;
  }

  /** The try with a peer is over. */
  end(peer: string): void {
    this.#underWay.delete(peer);
  }
}

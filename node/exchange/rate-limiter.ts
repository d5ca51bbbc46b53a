/** How often each peer may do something that costs this one work or bytes. */
import type { PeerId } from "../../protocol/peer-id.ts";
import { NodeError } from "../errors.ts";
import type { Clock } from "../interface/clock.ts";

/** A bucket of tokens for each peer: one is taken for each thing that it does, and they come back with time. */
export interface RateLimits {
  /** Tokens in a full bucket: so many things at once. */
  readonly burst: number;
  /** Tokens that come back within `periodMs`, spread evenly. */
  readonly perPeriod: number;
  readonly periodMs: number;
  /** Peers whose buckets are remembered; the bucket that was used least recently is forgotten first. */
  readonly peersMax: number;
}

/** One kind of thing that peers may do so often each. */
export class RateLimiter {
  readonly #clock: Pick<Clock, "now">;
  readonly #limits: RateLimits;
  /** The least recently used first. */
  readonly #buckets = new Map<PeerId, { readonly tokens: number; readonly atMs: number }>();

  constructor({ clock }: { readonly clock: Pick<Clock, "now"> }, limits: RateLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Whether a peer may do one more thing now; asking takes nothing. */
  permits(peer: PeerId): boolean {
    return this.#tokensOf(peer) >= 1;
  }

  /** Take a token for one thing; false: there was none, so it should not be done. */
  take(peer: PeerId): boolean {
    const tokens = this.#tokensOf(peer);
    this.#buckets.delete(peer);
    this.#buckets.set(peer, { tokens: tokens >= 1 ? tokens - 1 : tokens, atMs: this.#clock.now() });
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size > this.#limits.peersMax && oldest !== undefined) this.#buckets.delete(oldest);
    return tokens >= 1;
  }

  /** Empty a bucket: this act happened regardless of the limit, and the next one waits as if it had been allowed. */
  drain(peer: PeerId): void {
    this.take(peer);
    this.#buckets.set(peer, { tokens: 0, atMs: this.#clock.now() });
  }

  /** Take a token for one question; `what`: the wanted thing, in the words of the refusal.  Throws: NodeError TOO_OFTEN. */
  require(peer: PeerId, what: string): void {
    if (!this.take(peer)) throw new NodeError("TOO_OFTEN", `${peer} asks for ${what} too often`, { peer });
  }

  #tokensOf(peer: PeerId): number {
    const { burst, perPeriod, periodMs } = this.#limits;
    const bucket = this.#buckets.get(peer);
    if (bucket === undefined) return burst;
    return Math.min(burst, bucket.tokens + ((this.#clock.now() - bucket.atMs) * perPeriod) / periodMs);
  }
}

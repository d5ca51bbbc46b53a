/**
 * Fetches of sketches, by the rules of fetches of updates: seconds to the first byte and a pace after it, a slot for each
 * provider, the next provider beside one that keeps this peer waiting, and whoever hangs goes last.
 */
import { pipe } from "it-pipe";
import { encodeFrame } from "../../protocol/frame.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { encodeSketchRequest } from "../../protocol/sketch.ts";
import { STREAM_PROTOCOLS } from "../../protocol/stream-protocols.ts";
import { NodeError } from "../errors.ts";
import { cut, oneFrame } from "./byte-pipeline.ts";
import type { ConversationDependencies } from "./conversation.ts";
import { withStream } from "./deadline.ts";
import type { ExchangeLimits } from "./exchange-limits.ts";
import { createFetchQueue, type FetchQueue } from "./fetch-queue.ts";
import { type PaceLimits, PaceWatch } from "./pace-watch.ts";
import { type AskProvider, raceProviders } from "./provider-race.ts";
import { ProviderSlots } from "./provider-slots.ts";

/** Bounds of fetches. */
export interface SketchFetchLimits
  extends PaceLimits,
    Pick<
      ExchangeLimits,
      | "authorsMax"
      | "providersMax"
      | "nextProviderAfterMs"
      | "slowProviderAfterMs"
      | "providerWaitMs"
      | "fetchesPerProviderMax"
    > {
  /** Authors whose sketches are asked for at the same time, and among them those that were waited for in vain. */
  readonly fetchesMax: number;
  readonly lateFetchesMax: number;
  /** Of one request. */
  readonly timeoutMs: number;
}

/** The needs of fetches. */
export interface SketchFetcherDependencies extends ConversationDependencies {
  /** Judge what a provider sent as the sketch of an author and keep it; whether it is kept.  Throws: NodeError of the store. */
  readonly take: (bytes: Uint8Array, whose: { readonly author: PeerId; readonly from: PeerId }) => Promise<boolean>;
}

/** Asks neighbours for sketches, of each author one at a time. */
export class SketchFetcher {
  readonly #dependencies: SketchFetcherDependencies;
  readonly #limits: SketchFetchLimits;
  readonly #queue: FetchQueue<PeerId>;
  readonly #slots: ProviderSlots;

  constructor(dependencies: SketchFetcherDependencies, limits: SketchFetchLimits) {
    const { background } = dependencies;
    const { fetchesMax: concurrentMax, lateFetchesMax: lateMax, authorsMax, fetchesPerProviderMax } = limits;
    this.#dependencies = dependencies;
    this.#limits = limits;
    this.#slots = new ProviderSlots({ perProviderMax: fetchesPerProviderMax, lateMax: authorsMax });
    this.#queue = createFetchQueue<PeerId>(
      {
        fetch: (author) => background.run("fetching a sketch", (signal) => this.#fetch(author, signal)),
        canStart: (author) => this.#canStart(author),
        isLate: (author) => this.#slots.isLate(author),
      },
      { concurrentMax, lateMax, authorsMax },
    );
  }

  /** Ask for the sketch of an author, unless that is going on. */
  want(author: PeerId): void {
    if (!this.#queue.has(author)) this.#queue.offer(author, author);
  }

  #canStart(author: PeerId): boolean {
    const providers = this.#providersOf(author);
    return providers.length === 0 || providers.some((peer) => this.#slots.hasRoom(peer));
  }

  #providersOf(author: PeerId): readonly PeerId[] {
    const { neighbours } = this.#dependencies;
    const others = neighbours.all().filter((peer) => peer !== author);
    const asked = [...(neighbours.has(author) ? [author] : []), ...others];
    const able = asked.filter((peer) => neighbours.shares(peer, "sketch"));
    return this.#slots.ordered(able).slice(0, this.#limits.providersMax);
  }

  async #fetch(author: PeerId, signal: AbortSignal): Promise<void> {
    const { logger } = this.#dependencies;
    const { nextProviderAfterMs: nextAfterMs, slowProviderAfterMs: slowAfterMs } = this.#limits;
    const { providerWaitMs: slotWaitMs } = this.#limits;
    const providers = this.#providersOf(author);
    const ask: AskProvider = async (from, { signal: ended, onBegun }) => {
      try {
        const bytes = await this.#ask(author, from, { signal: ended, onBegun });
        if (ended.aborted || bytes.byteLength === 0) return undefined;
        return (await this.#dependencies.take(bytes, { author, from })) ? bytes : undefined;
      } catch (error) {
        if (ended.aborted) return undefined;
        if (error instanceof NodeError && error.code === "TIMEOUT") this.#slots.noteLate(from);
        logger.debug("a sketch did not come", { author, from, error });
        return undefined;
      }
    };
    const race = { ...this.#dependencies, slots: this.#slots, ask };
    const found = await raceProviders(race, {
      providers,
      nextAfterMs,
      slowAfterMs,
      trusted: author,
      slotWaitMs,
      signal,
    });
    if (found !== undefined) this.#slots.noteServed(author);
    else if (providers.some((peer) => this.#slots.isLate(peer))) this.#slots.noteLate(author);
  }

  /** The answer of one provider; empty where it has none. */
  async #ask(
    author: PeerId,
    peer: PeerId,
    { signal, onBegun }: { readonly signal: AbortSignal; readonly onBegun: () => void },
  ): Promise<Uint8Array> {
    const protocol = STREAM_PROTOCOLS.sketch;
    const watch = new PaceWatch(this.#dependencies, { signal, pace: this.#limits });
    const call = { peer, protocol, timeoutMs: this.#limits.timeoutMs, signal: watch.signal };
    try {
      return await withStream(this.#dependencies, call, async (stream) => {
        await pipe([encodeFrame(encodeSketchRequest(author))], cut, stream.sink);
        return await pipe(stream.source, watch.paced, noting(onBegun), oneFrame(protocol.bytesMax.answered));
      });
    } finally {
      watch.stop();
    }
  }
}

/** What passes is unchanged; the first bytes are told. */
function noting(onBegun: () => void) {
  return async function* (source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let hasBegun = false;
    for await (const piece of source) {
      if (!hasBegun) onBegun();
      hasBegun = true;
      yield piece;
    }
  };
}

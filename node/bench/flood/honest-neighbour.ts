/** Honest traffic beside a flood: a neighbour that asks for heads a few times a second, and counts the answers. */
import { setTimeout as pause } from "node:timers/promises";
import { encodeHeads } from "../../../protocol/heads.ts";
import type { NetworkManifest } from "../../../protocol/network-manifest.ts";
import { STREAM_PROTOCOLS } from "../../../protocol/stream-protocols.ts";
import { Neighbour } from "./neighbour.ts";

/** Below what a neighbour may ask for as long as it likes: one that asks faster uses up its burst, and is turned away with no flood. */
export const PAUSE_MS = 1_200;
/** What is not answered by then is not served. */
const ANSWER_MS = 5_000;

/** How a neighbour was served in a time. */
export interface Service {
  readonly asked: number;
  readonly served: number;
  /** Of the answers, the longest one. */
  readonly longestMs: number;
}

/** Asks until it is stopped. */
export class HonestNeighbour {
  readonly #neighbour: Neighbour;
  readonly #address: string;
  readonly #end = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #service: Service = { asked: 0, served: 0, longestMs: 0 };

  private constructor(neighbour: Neighbour, address: string) {
    this.#neighbour = neighbour;
    this.#address = address;
  }

  /** Connect, greet and begin to ask. */
  static async start(
    who: { readonly manifest: NetworkManifest; readonly seed: Uint8Array },
    address: string,
  ): Promise<HonestNeighbour> {
    const neighbour = await Neighbour.start(who);
    const honest = new HonestNeighbour(neighbour, address);
    await neighbour.enter(address, AbortSignal.timeout(60_000));
    honest.#running = honest.#run();
    return honest;
  }

  /** What happened since the last call. */
  take(): Service {
    const service = this.#service;
    this.#service = { asked: 0, served: 0, longestMs: 0 };
    return service;
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#running;
    await this.#neighbour.stop();
  }

  async #run(): Promise<void> {
    const { signal } = this.#end;
    while (!signal.aborted) {
      const began = performance.now();
      const isServed = await this.#ask(AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]));
      if (signal.aborted) return;
      const { asked, served, longestMs } = this.#service;
      const tookMs = performance.now() - began;
      this.#service = {
        asked: asked + 1,
        served: served + (isServed ? 1 : 0),
        longestMs: isServed ? Math.max(longestMs, tookMs) : longestMs,
      };
      await pause(PAUSE_MS, undefined, { signal }).catch(() => {});
    }
  }

  async #ask(signal: AbortSignal): Promise<boolean> {
    try {
      // Whoever lost its connection dials again, as every peer does.
      if (!this.#neighbour.isConnected()) await this.#neighbour.enter(this.#address, signal);
      const message = encodeHeads([]);
      return (await this.#neighbour.ask({ protocol: STREAM_PROTOCOLS.heads, message, signal })).byteLength > 0;
    } catch {
      return false;
    }
  }
}

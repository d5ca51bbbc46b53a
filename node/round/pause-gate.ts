/** Where the rounds of a peer stand still while a person wants them to. */
import type { PeerEvent } from "../interface/peer-event.ts";
import { untilAborted } from "../until-aborted.ts";

/** Open at first. */
export class PauseGate {
  readonly #emit: (event: PeerEvent) => void;
  #closed: PromiseWithResolvers<void> | undefined;

  /** emit: told `paused` when the work reaches the closed gate, and `resumed` when it goes on. */
  constructor({ emit }: { readonly emit: (event: PeerEvent) => void }) {
    this.#emit = emit;
  }

  /** Let nothing pass from now on. Idempotent. */
  close(): void {
    this.#closed ??= Promise.withResolvers<void>();
  }

  /** Let everything pass. Idempotent. */
  open(): void {
    this.#closed?.resolve();
    this.#closed = undefined;
  }

  /** Resolves once the gate is open.  Throws: the signal's reason when it is aborted before. */
  async pass(signal: AbortSignal): Promise<void> {
    if (this.#closed === undefined) return;
    this.#emit({ type: "paused", reason: PAUSED_ON_REQUEST });
    while (this.#closed !== undefined) await untilAborted(this.#closed.promise, signal);
    this.#emit({ type: "resumed" });
  }
}

/** The reason of a pause that somebody asked for. */
export const PAUSED_ON_REQUEST = "somebody asked for it";

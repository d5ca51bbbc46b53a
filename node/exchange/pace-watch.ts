/** Whether bytes come soon and fast enough: a time for the first one, then so many within each window. */
import { NodeError } from "../errors.ts";
import type { Clock } from "../interface/clock.ts";
import type { ByteSource } from "./byte-pipeline.ts";

/** What is expected of who sends. */
export interface PaceLimits {
  readonly firstByteTimeoutMs: number;
  /** Bytes within each window after the first byte. */
  readonly paceBytesMin: number;
  readonly paceWindowMs: number;
}

/** Watches one transfer; `signal` aborts with NodeError TIMEOUT when it is too slow, or when the caller's does. */
export class PaceWatch {
  readonly #clock: Pick<Clock, "after">;
  readonly #pace: PaceLimits | undefined;
  readonly #controller = new AbortController();
  readonly signal: AbortSignal;
  #bytes = 0;
  #cancel: () => void = () => {};

  constructor(
    { clock }: { readonly clock: Pick<Clock, "after"> },
    { signal, pace }: { readonly signal: AbortSignal; readonly pace: PaceLimits | undefined },
  ) {
    this.#clock = clock;
    this.#pace = pace;
    this.signal = AbortSignal.any([signal, this.#controller.signal]);
    if (pace !== undefined) {
      const { firstByteTimeoutMs: timeoutMs } = pace;
      this.#cancel = clock.after(timeoutMs, () => this.#end(`the first byte took more than ${timeoutMs} ms`));
    }
  }

  /** What passes is counted. */
  readonly paced = (source: ByteSource): AsyncGenerator<Uint8Array> => this.#counted(source);

  /** Watch no longer; idempotent. */
  stop(): void {
    this.#cancel();
  }

  async *#counted(source: ByteSource): AsyncGenerator<Uint8Array> {
    let isFirst = true;
    for await (const bytes of source) {
      this.#bytes += bytes.byteLength;
      if (isFirst && bytes.byteLength > 0) {
        isFirst = false;
        this.#nextWindow();
      }
      yield bytes;
    }
  }

  #nextWindow(): void {
    this.#cancel();
    const pace = this.#pace;
    if (pace === undefined) return;
    this.#bytes = 0;
    this.#cancel = this.#clock.after(pace.paceWindowMs, () => {
      if (this.#bytes >= pace.paceBytesMin) this.#nextWindow();
      else this.#end(`fewer than ${pace.paceBytesMin} bytes came within ${pace.paceWindowMs} ms`);
    });
  }

  #end(text: string): void {
    this.#controller.abort(new NodeError("TIMEOUT", text));
  }
}

/** A libp2p stream as a few small messages in each direction: a byte with the length, and so many bytes. */
import type { Stream } from "@libp2p/interface";

const LENGTH_MAX = 255;
/** Bytes that may wait for their reader; who sends more does not speak the protocol. */
const UNREAD_BYTES_MAX = 1024;

/** Reads from the moment it is made. */
export class SmallMessages {
  readonly #stream: Stream;
  readonly #signal: AbortSignal;
  #unread: Uint8Array = new Uint8Array();
  #failure: Error | undefined;
  #wake: () => void = () => {};

  /** signal: ends every wait, and the stream with it. */
  constructor(stream: Stream, signal: AbortSignal) {
    this.#stream = stream;
    this.#signal = signal;
    stream.addEventListener("message", ({ data }) => this.#add(data.subarray()));
    for (const end of ["close", "remoteCloseWrite"] as const) {
      stream.addEventListener(end, () => this.#fail(new Error("the other side ended the conversation")));
    }
    signal.addEventListener("abort", () => this.#fail(new Error("the other side took too long")));
    if (stream.status !== "open" || signal.aborted) this.#fail(new Error("the conversation is over"));
  }

  /** Throws: RangeError when it is too long, or what the stream says. */
  write(...parts: readonly Uint8Array[]): void {
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    if (length > LENGTH_MAX) throw new RangeError(`a message of ${length} bytes is too long`);
    const bytes = new Uint8Array(1 + length);
    bytes[0] = length;
    let at = 1;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    this.#signal.throwIfAborted();
    this.#stream.send(bytes);
  }

  /** The next one.  Throws: Error when there will be none. */
  async read(): Promise<Uint8Array> {
    for (;;) {
      const [length] = this.#unread;
      if (length !== undefined && this.#unread.length > length) {
        const message = this.#unread.slice(1, 1 + length);
        this.#unread = this.#unread.slice(1 + length);
        return message;
      }
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Nothing more is said from here. */
  async end(): Promise<void> {
    await this.#stream.close({ signal: AbortSignal.timeout(1_000) }).catch((error: Error) => this.#stream.abort(error));
  }

  #add(bytes: Uint8Array): void {
    if (this.#unread.length + bytes.length > UNREAD_BYTES_MAX) {
      const error = new Error("the other side says more than the conversation has");
      this.#fail(error);
      this.#stream.abort(error);
      return;
    }
    this.#unread = Uint8Array.from([...this.#unread, ...bytes]);
    this.#wake();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#wake();
  }
}

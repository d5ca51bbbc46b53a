/** Two ends of a byte stream in memory: bounded buffers, half close, and abort that both ends see. */
import { NodeError } from "../../errors.ts";
import type { ByteStream } from "../../interface/transport.ts";

/** Bytes that one direction holds before its writer waits: yamux's first window. */
const BUFFER_BYTES_MAX = 256 * 1024;

/** One end of a stream in memory. */
export interface MemoryStream extends ByteStream {
  /** What a transport does when a handler is done: close the writing side; abort when the other end still writes. */
  closeAfterHandler(): void;
}

/**
 * A connected pair.
 * onBytes: told how many bytes the first and the second end wrote. onClosed: told once, when nothing can flow any more.
 */
export function memoryStreamPair(observers: {
  readonly onBytes: readonly [(count: number) => void, (count: number) => void];
  readonly onClosed: () => void;
}): readonly [MemoryStream, MemoryStream] {
  let closed = false;
  const settle = (): void => {
    if (closed || !there.isClosed() || !back.isClosed()) return;
    closed = true;
    observers.onClosed();
  };
  const there = createChannel({ onBytes: observers.onBytes[0], onClosed: settle });
  const back = createChannel({ onBytes: observers.onBytes[1], onClosed: settle });
  const abort = (reason: Error): void => {
    there.abort(reason);
    back.abort(reason);
  };
  const end = (outgoing: Channel, incoming: Channel): MemoryStream => ({
    source: incoming.source,
    sink: async (source) => {
      try {
        for await (const chunk of source) await outgoing.write(chunk);
        outgoing.close();
      } catch (error) {
        const reason = error instanceof Error ? error : new Error(String(error));
        abort(reason);
        if (error instanceof NodeError) throw error;
        throw new NodeError("STREAM_FAILED", "the stream broke while it was written to", {}, { cause: reason });
      }
    },
    abort,
    closeAfterHandler: () => {
      outgoing.close();
      if (!incoming.isClosed()) abort(new Error("the handler is done"));
    },
  });
  return [end(there, back), end(back, there)];
}

interface Channel {
  readonly source: AsyncIterable<Uint8Array>;
  write(chunk: Uint8Array): Promise<void>;
  close(): void;
  abort(reason: Error): void;
  isClosed(): boolean;
}

function createChannel(observers: { onBytes: (count: number) => void; onClosed: () => void }): Channel {
  const chunks: Uint8Array[] = [];
  let buffered = 0;
  let state: "open" | "closed" | "aborted" = "open";
  let failure: Error | undefined;
  const waiting = new Set<() => void>();
  const changed = (): Promise<void> =>
    new Promise((resolve) => {
      waiting.add(resolve);
    });
  const notify = (): void => {
    for (const resolve of waiting) resolve();
    waiting.clear();
  };

  async function* read(): AsyncGenerator<Uint8Array> {
    for (;;) {
      if (failure !== undefined) throw failure;
      const chunk = chunks.shift();
      if (chunk !== undefined) {
        buffered -= chunk.byteLength;
        notify();
        yield chunk;
      } else if (state === "closed") {
        return;
      } else {
        await changed();
      }
    }
  }
  const reader = read();

  return {
    source: { [Symbol.asyncIterator]: () => reader },
    isClosed: () => state !== "open",
    async write(chunk) {
      while (state === "open" && buffered > BUFFER_BYTES_MAX) await changed();
      if (state !== "open") throw failure ?? new Error("the stream is closed");
      if (chunk.byteLength === 0) return;
      // A copy: the writer may reuse its buffer, as with a real wire.
      chunks.push(chunk.slice());
      buffered += chunk.byteLength;
      observers.onBytes(chunk.byteLength);
      notify();
    },
    close() {
      if (state !== "open") return;
      state = "closed";
      notify();
      observers.onClosed();
    },
    abort(reason) {
      if (state === "aborted" || (state === "closed" && chunks.length === 0)) return;
      state = "aborted";
      failure = reason;
      chunks.length = 0;
      notify();
      observers.onClosed();
    },
  };
}

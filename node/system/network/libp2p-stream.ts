/**
 * A libp2p 3 stream (an event target with `send()`) as a source and a sink, with back pressure in both directions.
 * libp2p's own async iterator never pauses its stream, and its `onDrain()` promise is not renewed after the first
 * drain, so both are written here on the plain events.
 */
import type { Stream, StreamCloseEvent, StreamMessageEvent } from "@libp2p/interface";
import { NodeError } from "../../errors.ts";
import type { ByteStream } from "../../interface/transport.ts";

/** Largest piece handed to one `send()`: a quarter of yamux's first window, so that no write waits in memory for long. */
const SEND_BYTES_MAX = 64 * 1024;
/** Received bytes that may wait for a slow reader before the stream is paused. */
const UNREAD_BYTES_MAX = 256 * 1024;

/** A libp2p stream as the transport gives it to its user.  onResume: called when its reader goes on after a wait. */
export function byteStreamOf(stream: Stream, onResume: () => void = () => {}): ByteStream {
  const reader = createReader(stream, onResume);
  return {
    source: { [Symbol.asyncIterator]: () => reader },
    sink: (source) => writeAll(stream, source),
    abort: (reason) => stream.abort(reason),
  };
}

/** Reads from the moment it is made; pauses the stream while more than UNREAD_BYTES_MAX wait. */
function createReader(stream: Stream, onResume: () => void): AsyncGenerator<Uint8Array> {
  const unread: Uint8Array[] = [];
  let unreadBytes = 0;
  let ended = false;
  let failure: Error | undefined;
  let wake: (() => void) | undefined;

  const notify = (): void => {
    wake?.();
    wake = undefined;
  };
  const onMessage = (event: StreamMessageEvent): void => {
    const bytes = event.data.subarray();
    unread.push(bytes);
    unreadBytes += bytes.byteLength;
    if (unreadBytes > UNREAD_BYTES_MAX && stream.readStatus === "readable") stream.pause();
    notify();
  };
  const onEnd = (): void => {
    // A reset also ends the reading side; the close event that follows says why.
    if (stream.status === "reset" || stream.status === "aborted") return;
    ended = true;
    notify();
  };
  const onClose = (event: StreamCloseEvent): void => {
    if (!ended) failure = event.error;
    if (stream.readBufferLength === 0) ended = true;
    notify();
  };
  stream.addEventListener("message", onMessage);
  stream.addEventListener("end", onEnd);
  stream.addEventListener("close", onClose);
  if (stream.readableEnded || stream.readStatus === "closed") ended = true;
  if (stream.status === "aborted" || stream.status === "reset") failure = new Error(`the stream was ${stream.status}`);

  async function* read(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        if (failure !== undefined) throw failure;
        const chunk = unread.shift();
        if (chunk !== undefined) {
          unreadBytes -= chunk.byteLength;
          yield chunk;
        } else if (ended) {
          return;
        } else {
          resume(stream);
          if (unread.length === 0 && !ended && failure === undefined) {
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
            onResume();
          }
        }
      }
    } finally {
      stream.removeEventListener("message", onMessage);
      stream.removeEventListener("end", onEnd);
      stream.removeEventListener("close", onClose);
    }
  }
  return read();
}

/** Ask for more. The window update may find the connection gone; the close event tells the reader so. */
function resume(stream: Stream): void {
  if (stream.readStatus !== "paused") return;
  try {
    stream.resume();
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error(String(error)));
  }
}

async function writeAll(stream: Stream, source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
  try {
    for await (const chunk of source) {
      for (let offset = 0; offset < chunk.byteLength; offset += SEND_BYTES_MAX) {
        await drained(stream);
        stream.send(chunk.subarray(offset, offset + SEND_BYTES_MAX));
      }
    }
    await drained(stream);
    await stream.close();
  } catch (error) {
    const reason = error instanceof Error ? error : new Error(String(error));
    stream.abort(reason);
    if (error instanceof NodeError) throw error;
    throw new NodeError("STREAM_FAILED", "the stream broke while it was written to", {}, { cause: reason });
  }
}

function drained(stream: Stream): Promise<void> {
  if (!stream.writableNeedsDrain) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const onDrain = (): void => finish(resolve);
    const onClose = (event: StreamCloseEvent): void =>
      finish(() => reject(event.error ?? new Error("the stream closed before everything was written")));
    const finish = (settle: () => void): void => {
      stream.removeEventListener("drain", onDrain);
      stream.removeEventListener("close", onClose);
      settle();
    };
    stream.addEventListener("drain", onDrain);
    stream.addEventListener("close", onClose);
    if (stream.status !== "open" && stream.status !== "closing")
      finish(() => reject(new Error("the stream is closed")));
  });
}

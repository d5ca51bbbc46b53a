/** Streams that nobody waits for longer than agreed. */
import type { PeerId } from "../../protocol/peer-id.ts";
import type { StreamProtocol } from "../../protocol/stream-protocols.ts";
import { NodeError } from "../errors.ts";
import type { Clock } from "../interface/clock.ts";
import type { ByteStream, Transport } from "../interface/transport.ts";

/** A stream that is to be opened, and when it ends at the latest. */
export interface Call {
  readonly peer: PeerId;
  readonly protocol: StreamProtocol;
  readonly timeoutMs: number;
  /** Ends the call early. */
  readonly signal: AbortSignal;
}

/**
 * Open a stream, use it, and let go of it: when `use` fails, the time is over or the signal aborts, the stream is
 * aborted, which ends every wait inside `use`.
 * Throws: NodeError STREAM_FAILED when it cannot be opened, TIMEOUT, and every error of `use`.
 */
export async function withStream<T>(
  { transport, clock }: { readonly transport: Transport; readonly clock: Clock },
  { peer, protocol, timeoutMs, signal }: Call,
  use: (stream: ByteStream) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const stop = (): void => controller.abort(signal.reason);
  const cancel = clock.after(timeoutMs, () => controller.abort(timeoutError(protocol, timeoutMs)));
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop);
  try {
    const stream = await transport.open(peer, protocol, controller.signal);
    return await abortable(stream, controller.signal, use);
  } catch (error) {
    throw controller.signal.aborted ? controller.signal.reason : error;
  } finally {
    cancel();
    signal.removeEventListener("abort", stop);
  }
}

/** Answer on a stream that another peer opened, within the time.  Throws: NodeError TIMEOUT, and every error of `use`. */
export async function answerWithin<T>(
  clock: Clock,
  {
    stream,
    timeoutMs,
    protocol,
  }: { readonly stream: ByteStream; readonly timeoutMs: number; readonly protocol: StreamProtocol },
  use: (stream: ByteStream) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const cancel = clock.after(timeoutMs, () => controller.abort(timeoutError(protocol, timeoutMs)));
  try {
    return await abortable(stream, controller.signal, use);
  } catch (error) {
    throw controller.signal.aborted ? controller.signal.reason : error;
  } finally {
    cancel();
  }
}

async function abortable<T>(
  stream: ByteStream,
  signal: AbortSignal,
  use: (stream: ByteStream) => Promise<T>,
): Promise<T> {
  const abort = (): void => stream.abort(asError(signal.reason));
  signal.addEventListener("abort", abort);
  try {
    if (signal.aborted) throw signal.reason;
    return await use(stream);
  } catch (error) {
    stream.abort(asError(error));
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

function timeoutError({ name: protocol }: StreamProtocol, timeoutMs: number): NodeError {
  return new NodeError("TIMEOUT", `${protocol} took more than ${timeoutMs} ms`, { protocol, timeoutMs });
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}

/** The links that byte pipelines (it-pipe) are made of: cut into pieces, bound, read one frame. */
import { decodeFrame, FRAME_HEADER_BYTES } from "../../protocol/frame.ts";
import { NodeError } from "../errors.ts";

/** Bytes in pieces of any size. */
export type ByteSource = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** Bytes of one piece: large enough to keep a connection busy, small enough for others to get their turn. */
export const PIECE_BYTES_MAX = 64 * 1024;

/** Cut passing bytes into pieces of at most PIECE_BYTES_MAX. */
export async function* cut(source: ByteSource): AsyncGenerator<Uint8Array> {
  for await (const bytes of source) {
    for (let offset = 0; offset < bytes.byteLength; offset += PIECE_BYTES_MAX) {
      yield bytes.subarray(offset, offset + PIECE_BYTES_MAX);
    }
  }
}

/** Let at most `bytesMax` pass.  Throws: NodeError FRAME_INVALID at the first byte more. */
export function bounded(bytesMax: number): (source: ByteSource) => AsyncGenerator<Uint8Array> {
  return async function* (source) {
    let total = 0;
    for await (const bytes of source) {
      total += bytes.byteLength;
      if (total > bytesMax) throw new NodeError("FRAME_INVALID", `more than ${bytesMax} bytes arrived`, { bytesMax });
      yield bytes;
    }
  };
}

/** A sink for a stream that carries one frame and nothing else.  Throws: NodeError FRAME_INVALID, ProtocolError TOO_LARGE. */
export function oneFrame(bytesMax: number): (source: ByteSource) => Promise<Uint8Array> {
  return async (source) => {
    const reader = createFrameReader(bytesMax);
    for await (const bytes of source) {
      if (reader.push(bytes).byteLength > 0) throw new NodeError("FRAME_INVALID", "bytes arrived after the message");
    }
    return reader.message();
  };
}

/** One frame that is being read. */
export interface FrameReader {
  /** Take the bytes that belong to the frame; returns the bytes after it. */
  push(bytes: Uint8Array): Uint8Array;
  isComplete(): boolean;
  /** The frame's message.  Throws: NodeError FRAME_INVALID when it is not complete. */
  message(): Uint8Array;
}

/**
 * Puts a frame together from pieces of any size. Memory is one buffer of the announced length, made once that length is
 * known to be within `bytesMax`.  push throws: ProtocolError TOO_LARGE.
 */
export function createFrameReader(bytesMax: number): FrameReader {
  let frame = new Uint8Array(FRAME_HEADER_BYTES);
  let filled = 0;
  let lengthKnown = false;
  const isComplete = (): boolean => lengthKnown && filled === frame.byteLength;
  const take = (bytes: Uint8Array): Uint8Array => {
    const taken = bytes.subarray(0, frame.byteLength - filled);
    frame.set(taken, filled);
    filled += taken.byteLength;
    return bytes.subarray(taken.byteLength);
  };
  return {
    isComplete,
    push(bytes) {
      let rest = take(bytes);
      if (!lengthKnown && filled === FRAME_HEADER_BYTES) {
        decodeFrame(frame, bytesMax);
        const length = new DataView(frame.buffer).getUint32(0);
        const whole = new Uint8Array(FRAME_HEADER_BYTES + length);
        whole.set(frame);
        frame = whole;
        lengthKnown = true;
        rest = take(rest);
      }
      return rest;
    },
    message() {
      if (!isComplete()) throw new NodeError("FRAME_INVALID", "the stream ended before the message did");
      return frame.subarray(FRAME_HEADER_BYTES);
    },
  };
}

/**
 * The messages of a stream, one after the other, until it ends.
 * Throws: NodeError FRAME_INVALID when there are more, one is longer, or the stream ends within one.
 */
export async function* frames(
  source: ByteSource,
  { bytesMax, countMax }: { readonly bytesMax: number; readonly countMax: number },
): AsyncGenerator<Uint8Array> {
  let reader = createFrameReader(bytesMax);
  let count = 0;
  let isWithin = false;
  for await (const bytes of source) {
    for (let rest = bytes; rest.byteLength > 0; ) {
      isWithin = true;
      rest = reader.push(rest);
      if (!reader.isComplete()) break;
      if (++count > countMax) throw new NodeError("FRAME_INVALID", `more than ${countMax} messages came`);
      yield reader.message();
      reader = createFrameReader(bytesMax);
      isWithin = false;
    }
  }
  if (isWithin) throw new NodeError("FRAME_INVALID", "the stream ended before the message did");
}

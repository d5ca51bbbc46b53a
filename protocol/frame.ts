/** A message on a stream: its length as four bytes, big endian, then the message. */
import { ProtocolError } from "./errors.ts";

/** Bytes of the length that goes before every message. */
export const FRAME_HEADER_BYTES = 4;

/** A message with its length before it. */
export function encodeFrame(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(FRAME_HEADER_BYTES + message.length);
  new DataView(frame.buffer).setUint32(0, message.length);
  frame.set(message, FRAME_HEADER_BYTES);
  return frame;
}

/**
 * The first message of the bytes that have arrived so far, and the bytes after it; undefined while it is incomplete.
 * Throws: TOO_LARGE as soon as the length is known to be above `bytesMax`, so that nobody buffers more than that.
 */
export function decodeFrame(
  bytes: Uint8Array,
  bytesMax: number,
): { readonly message: Uint8Array; readonly rest: Uint8Array } | undefined {
  if (bytes.length < FRAME_HEADER_BYTES) return undefined;
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  if (length > bytesMax) {
    throw new ProtocolError("TOO_LARGE", `frame: ${length} bytes, at most ${bytesMax} are allowed`, {
      bytes: length,
      bytesMax,
    });
  }
  const end = FRAME_HEADER_BYTES + length;
  if (bytes.length < end) return undefined;
  return { message: bytes.subarray(FRAME_HEADER_BYTES, end), rest: bytes.subarray(end) };
}

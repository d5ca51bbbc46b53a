/** What the public twin and the peer itself were when a round began, as bytes for the store. */

export interface RoundStart {
  /** Of `before`; -1 before the first. */
  readonly round: number;
  /** f32[P], public. */
  readonly twin: Float32Array;
  /** f32[P], the peer's own. */
  readonly before: Float32Array;
}

const HEADER_BYTES = 8;

/** i32 round, u32 P, then both vectors, little-endian. */
export function encodeRoundStart({ round, twin, before }: RoundStart): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + 4 * (twin.length + before.length));
  const view = new DataView(bytes.buffer);
  view.setInt32(0, round, true);
  view.setUint32(4, twin.length, true);
  for (let i = 0; i < twin.length; i++) {
    view.setFloat32(HEADER_BYTES + 4 * i, twin[i]!, true);
    view.setFloat32(HEADER_BYTES + 4 * (twin.length + i), before[i]!, true);
  }
  return bytes;
}

/** undefined for bytes of another length or number of values. */
export function decodeRoundStart(bytes: Uint8Array, length: number): RoundStart | undefined {
  if (bytes.byteLength !== HEADER_BYTES + 8 * length) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(4, true) !== length) return undefined;
  const values = (from: number): Float32Array =>
    Float32Array.from({ length }, (_, i) => view.getFloat32(HEADER_BYTES + 4 * (from + i), true));
  return { round: view.getInt32(0, true), twin: values(0), before: values(length) };
}

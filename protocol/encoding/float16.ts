/** IEEE 754 binary16, two bytes a value, little endian, for runtimes that have no such type. */

/** The largest finite binary16. */
export const FLOAT16_MAX = 65_504;
/** Bits of infinity without a sign; equal or larger bits are infinite or NaN. */
const INFINITE = 0x7c00;

/**
 * Nearest binary16, ties to even; a value beyond the largest one becomes the largest one.
 * Error: at most max(2^-11 |x|, 2^-25) for |x| up to 65504.  Shapes: f32[n] of finite values -> 2 n bytes.
 */
export function encodeFloat16(values: Float32Array): Uint8Array {
  const bytes = new Uint8Array(2 * values.length);
  const out = new DataView(bytes.buffer);
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < values.length; i++) out.setUint16(2 * i, halfBits(bits[i]!, values[i]!), true);
  return bytes;
}

/**
 * The values of binary16 bytes; undefined at the first that is NaN or infinite.  Shapes: 2 n bytes -> f32[n].
 */
export function decodeFloat16(bytes: Uint8Array): Float32Array | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = new Float32Array(bytes.length / 2);
  for (let i = 0; i < values.length; i++) {
    const half = view.getUint16(2 * i, true);
    const magnitude = half & 0x7fff;
    if (magnitude >= INFINITE) return undefined;
    const exponent = magnitude >> 10;
    const fraction = magnitude & 0x3ff;
    const size = exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25);
    values[i] = half & 0x8000 ? -size : size;
  }
  return values;
}

/** bits: of the float32 x. */
function halfBits(bits: number, x: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = Math.abs(x);
  // Below 2^-14 they are multiples of 2^-24; the product is exact.
  if (magnitude < 2 ** -14) return sign | roundedToEven(magnitude * 2 ** 24);
  if (magnitude >= FLOAT16_MAX) return sign | (INFINITE - 1);
  const kept = (((bits >>> 23) & 0xff) - 112) * 1024 + ((bits >>> 13) & 0x3ff);
  const rest = bits & 0x1fff;
  const up = rest > 0x1000 || (rest === 0x1000 && (kept & 1) === 1);
  // A carry runs on into the exponent, as it should, but not into infinity.
  return sign | Math.min(up ? kept + 1 : kept, INFINITE - 1);
}

function roundedToEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}

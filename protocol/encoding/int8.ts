/**
 * Eight bits a value with one scale per row: s = max |x| / 127, x' = s q, and q is x / s rounded to one of the two
 * integers beside it. The probability of rounding up is the fraction. The mean of x' over the random numbers is x.
 * Source: stochastic quantisation as in QSGD, Alistarh et al. 2017, arXiv:1610.02132, with the maximum as the norm.
 */
import { ProtocolError } from "../errors.ts";
import type { Prng } from "../prng.ts";

/** Rows of one length that follow one another. */
export interface RowRun {
  readonly rows: number;
  readonly length: number;
}

/** Codes go from -127 to 127. */
const CODE_MAX = 127;
const SCALE_BYTES = 4;
/**
 * Rows whose largest value is below this are sent as zeros: a scale must have all the digits of a float32, and an
 * adapter's values are far above.
 */
export const INT8_ROW_MIN = 2 ** -100;
/** Random numbers that are drawn at a time. */
const DRAWN = 4096;

/** Bytes of a row: a scale and a byte for each value. A row of one value is that value, as float32. */
const rowBytes = (length: number): number => (length === 1 ? SCALE_BYTES : SCALE_BYTES + length);

/** Bytes of all rows. */
export function int8Bytes(runs: readonly RowRun[]): number {
  return runs.reduce((sum, { rows, length }) => sum + rows * rowBytes(length), 0);
}

/**
 * Error of a value: less than its row's scale; 0 on average over the random numbers.
 * Shapes: f32[sum of rows x length] of finite values -> int8Bytes(runs) bytes.
 */
export function encodeInt8(values: Float32Array, runs: readonly RowRun[], prng: Prng): Uint8Array {
  const bytes = new Uint8Array(int8Bytes(runs));
  const out = new DataView(bytes.buffer);
  const chance = uniforms(prng);
  let at = 0;
  forEachRow(runs, (first, length) => {
    if (length === 1) {
      out.setFloat32(at, values[first]!, true);
      at += rowBytes(length);
      return;
    }
    let largest = 0;
    for (let i = first; i < first + length; i++) largest = Math.max(largest, Math.abs(values[i]!));
    const scale = scaleOf(largest);
    out.setFloat32(at, scale, true);
    if (scale > 0) {
      for (let i = 0; i < length; i++) {
        out.setInt8(at + SCALE_BYTES + i, codeOf(values[first + i]!, { largest, scale, chance: chance() }));
      }
    }
    at += rowBytes(length);
  });
  return bytes;
}

/**
 * Shapes: int8Bytes(runs) bytes -> f32[sum of rows x length].
 * Throws: PAYLOAD_INVALID for a row that `encodeInt8` does not write, VALUE_NOT_FINITE.
 */
export function decodeInt8(bytes: Uint8Array, runs: readonly RowRun[]): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = new Float32Array(runs.reduce((sum, { rows, length }) => sum + rows * length, 0));
  let at = 0;
  forEachRow(runs, (first, length) => {
    const scale = view.getFloat32(at, true);
    if (length === 1) {
      values[first] = finite(scale, first);
    } else {
      const largest = readRow(view, { at: at + SCALE_BYTES, scale, out: values.subarray(first, first + length) });
      checkRow(scale, largest, first);
    }
    at += rowBytes(length);
  });
  return values;
}

/** Fills `out` and gives the largest magnitude of a code. */
function readRow(view: DataView, row: { readonly at: number; readonly scale: number; readonly out: Float32Array }) {
  const { at, scale, out } = row;
  let largest = 0;
  for (let i = 0; i < out.length; i++) {
    const code = view.getInt8(at + i);
    largest = Math.max(largest, Math.abs(code));
    out[i] = code === 0 ? 0 : scale * code;
  }
  return largest;
}

/** One row has one form: its largest code is 127 or -127, or scale and codes are all 0. */
function checkRow(scale: number, largest: number, first: number): void {
  const isZero = Object.is(scale, 0) && largest === 0;
  const isScaled = scale >= scaleOf(INT8_ROW_MIN) && largest === CODE_MAX;
  if (isZero) return;
  finite(Math.fround(scale * CODE_MAX), first);
  if (isScaled) return;
  const text = `update: the row of value ${first} has scale ${scale} and codes up to ${largest}, which nobody writes`;
  throw new ProtocolError("PAYLOAD_INVALID", text, { index: first });
}

function finite(value: number, index: number): number {
  if (Number.isFinite(value)) return value;
  throw new ProtocolError("VALUE_NOT_FINITE", `update: value ${index} is not finite`, { index });
}

/** max |x| / 127 as float32, a little less where 127 of it would not be finite. */
function scaleOf(largest: number): number {
  if (largest < INT8_ROW_MIN) return 0;
  const scale = Math.fround(largest / CODE_MAX);
  return Number.isFinite(Math.fround(scale * CODE_MAX)) ? scale : Math.fround(scale * (1 - 2 ** -23));
}

function codeOf(x: number, row: { readonly largest: number; readonly scale: number; readonly chance: number }): number {
  // The largest value has code 127 whatever the scale's last digit is.
  if (Math.abs(x) === row.largest) return Math.sign(x) * CODE_MAX;
  const ratio = x / row.scale;
  const below = Math.floor(ratio);
  const code = row.chance < ratio - below ? below + 1 : below;
  return Math.max(-CODE_MAX, Math.min(CODE_MAX, code));
}

/** Uniform numbers in [0, 1) with 32 random bits, drawn in bulk. */
function uniforms(prng: Prng): () => number {
  const drawn = new Uint32Array(DRAWN);
  let used = DRAWN;
  return () => {
    if (used === DRAWN) {
      prng.fill(drawn);
      used = 0;
    }
    return drawn[used++]! / 2 ** 32;
  };
}

function forEachRow(runs: readonly RowRun[], visit: (first: number, length: number) => void): void {
  let first = 0;
  for (const { rows, length } of runs) {
    for (let row = 0; row < rows; row++, first += length) visit(first, length);
  }
}

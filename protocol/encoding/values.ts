/** Values as bytes, in each of the value encodings. */

import { ProtocolError } from "../errors.ts";
import type { Prng } from "../prng.ts";
import { decodeFloat16, encodeFloat16 } from "./float16.ts";
import { decodeInt8, encodeInt8, int8Bytes, type RowRun } from "./int8.ts";
import type { ValueEncoding } from "./update-encoding.ts";

const FLOAT32_BYTES = 4;
const FLOAT16_BYTES = 2;

/** Bytes of so many rows of values. */
export function valuesBytes(kind: ValueEncoding, rows: readonly RowRun[]): number {
  const count = rows.reduce((sum, run) => sum + run.rows * run.length, 0);
  switch (kind) {
    case "float32":
      return FLOAT32_BYTES * count;
    case "float16":
      return FLOAT16_BYTES * count;
    case "int8":
      return int8Bytes(rows);
  }
}

/** Shapes: f32[n], the rows' values -> valuesBytes(kind, rows) bytes.  Throws: VALUE_NOT_FINITE. */
export function encodeValuesAs(
  kind: ValueEncoding,
  values: Float32Array,
  { rows, prng }: { readonly rows: readonly RowRun[]; readonly prng: Prng },
): Uint8Array {
  for (let index = 0; index < values.length; index++) {
    if (Number.isFinite(values[index])) continue;
    throw new ProtocolError("VALUE_NOT_FINITE", `update: value ${index} is ${values[index]}`, { index });
  }
  switch (kind) {
    case "float32":
      return encodeFloat32(values);
    case "float16":
      return encodeFloat16(values);
    case "int8":
      return encodeInt8(values, rows, prng);
  }
}

/** Shapes: valuesBytes(kind, rows) bytes -> f32[n].  Throws: VALUE_NOT_FINITE, PAYLOAD_INVALID. */
export function decodeValuesAs(kind: ValueEncoding, bytes: Uint8Array, rows: readonly RowRun[]): Float32Array {
  switch (kind) {
    case "float32":
      return finite(decodeFloat32(bytes));
    case "float16":
      return finite(decodeFloat16(bytes));
    case "int8":
      return decodeInt8(bytes, rows);
  }
}

function finite(values: Float32Array | undefined): Float32Array {
  if (values !== undefined) return values;
  throw new ProtocolError("VALUE_NOT_FINITE", "update: a value is NaN or infinite");
}

function encodeFloat32(values: Float32Array): Uint8Array {
  const bytes = new Uint8Array(FLOAT32_BYTES * values.length);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < values.length; i++) view.setFloat32(FLOAT32_BYTES * i, values[i]!, true);
  return bytes;
}

/** undefined at the first value that is not finite. */
function decodeFloat32(bytes: Uint8Array): Float32Array | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = new Float32Array(bytes.length / FLOAT32_BYTES);
  for (let i = 0; i < values.length; i++) {
    const value = view.getFloat32(FLOAT32_BYTES * i, true);
    if (!Number.isFinite(value)) return undefined;
    values[i] = value;
  }
  return values;
}

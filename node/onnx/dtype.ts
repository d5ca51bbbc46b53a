/** Data types by ONNX's numbers (TensorProto.DataType), and the arrays that hold their values. */
import type { Dtype, TensorData } from "../tensor.ts";

/** ONNX's number of each data type. */
export const CODE_BY_DTYPE: Readonly<Record<Dtype, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  int4: 22,
};

/** The data type of each number that weft reads in files of others; numbers of 4 bits it only writes. */
export const DTYPE_BY_CODE: Readonly<Record<number, Dtype>> = Object.fromEntries(
  Object.entries(CODE_BY_DTYPE)
    .filter(([dtype]) => dtype !== "int4")
    .map(([dtype, code]) => [code, dtype as Dtype]),
);

/** The array that holds a data type's values. Halves are kept as their 16 bits. */
export const ARRAY_BY_DTYPE = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
  int4: Uint8Array,
} as const;

/** Zeros. */
export function allocate(dtype: Dtype, count: number): TensorData {
  return new ARRAY_BY_DTYPE[dtype](count);
}

/** Whether values of this type have gradients. */
export function isFloat(dtype: Dtype): boolean {
  return dtype === "float32" || dtype === "float64" || dtype === "float16";
}

/** The array of numbers that every room of a peer passes on: values in row-major order and their shape. */

/** `int4`: two values in a byte, the first in its lower half; only weights that lie in a file have it. */
export type Dtype = "float32" | "float64" | "float16" | "int64" | "int32" | "bool" | "uint8" | "int8" | "int4";

/** The arrays that hold values. Halves are kept as their 16 bits, in a Uint16Array. */
export type TensorData =
  | Float32Array
  | Float64Array
  | Uint16Array
  | BigInt64Array
  | Int32Array
  | Uint8Array
  | Int8Array;

/** dtype float16 carries raw bits in a Uint16Array; bool carries 0 and 1 in a Uint8Array. */
export interface Tensor {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/** Number of values of a shape; 1 for a scalar. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}

/** A float32 tensor.  Throws: RangeError when the values do not fill the shape. */
export function float32(shape: readonly number[], values: ArrayLike<number>): Tensor {
  return checked({
    dtype: "float32",
    shape,
    data: values instanceof Float32Array ? values : Float32Array.from(values),
  });
}

/** An int64 tensor.  Throws: RangeError when the values do not fill the shape. */
export function int64(shape: readonly number[], values: ArrayLike<number>): Tensor {
  return checked({ dtype: "int64", shape, data: BigInt64Array.from(Array.from(values), BigInt) });
}

function checked(tensor: Tensor): Tensor {
  if (tensor.data.length !== sizeOf(tensor.shape)) {
    throw new RangeError(`${tensor.data.length} values do not fill a tensor of shape [${tensor.shape.join(", ")}]`);
  }
  return tensor;
}

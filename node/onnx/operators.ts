/** The operators that weft builds graphs from, one thin function each, so that model code reads like its equations. */
import type { Dtype } from "../tensor.ts";
import { float32, int64 } from "../tensor.ts";
import { CODE_BY_DTYPE } from "./dtype.ts";
import { apply, applyAll, constantValue } from "./graph.ts";
import type { OnnxValue } from "./value.ts";

/** One number of the given real data type. */
export function scalar(x: number, dtype: Dtype = "float32"): OnnxValue {
  if (dtype === "float64") return constantValue({ dtype, shape: [], data: Float64Array.of(x) });
  const value = constantValue(float32([], [x]));
  return dtype === "float32" ? value : cast(value, dtype);
}

/** A constant i64[n], as operators take axes, shapes and indices. */
export const ints = (values: readonly number[]): OnnxValue => constantValue(int64([values.length], values));

/** a + b, broadcast. */
export const add = (a: OnnxValue, b: OnnxValue): OnnxValue => apply("Add", [a, b]);
/** a - b, broadcast. */
export const sub = (a: OnnxValue, b: OnnxValue): OnnxValue => apply("Sub", [a, b]);
/** a b element by element, broadcast. */
export const mul = (a: OnnxValue, b: OnnxValue): OnnxValue => apply("Mul", [a, b]);
/** a / b, broadcast. */
export const div = (a: OnnxValue, b: OnnxValue): OnnxValue => apply("Div", [a, b]);
/** -x. */
export const neg = (x: OnnxValue): OnnxValue => apply("Neg", [x]);
/** The square root of x. */
export const sqrt = (x: OnnxValue): OnnxValue => apply("Sqrt", [x]);
/** e to the power of x. */
export const exp = (x: OnnxValue): OnnxValue => apply("Exp", [x]);
/** The natural logarithm of x. */
export const log = (x: OnnxValue): OnnxValue => apply("Log", [x]);
/** 1 / x. */
export const reciprocal = (x: OnnxValue): OnnxValue => apply("Reciprocal", [x]);
/** 1 / (1 + e^-x). */
export const sigmoid = (x: OnnxValue): OnnxValue => apply("Sigmoid", [x]);
/** x in another data type; x itself where it has that one. */
export const cast = (x: OnnxValue, dtype: Dtype): OnnxValue =>
  x.dtype === dtype ? x : apply("Cast", [x], { attributes: { to: { int: CODE_BY_DTYPE[dtype] } } });
/** a where the condition holds, b elsewhere, broadcast. */
export const where = (condition: OnnxValue, a: OnnxValue, b: OnnxValue): OnnxValue => apply("Where", [condition, a, b]);
/** The matrix product over the last two axes; the axes before them are broadcast. */
export const matMul = (a: OnnxValue, b: OnnxValue): OnnxValue => apply("MatMul", [a, b]);
/** Softmax over the last axis. */
export const softmax = (x: OnnxValue): OnnxValue => apply("Softmax", [x], { attributes: { axis: { int: -1 } } });

/** What `gemm` does beside the plain product. */
export interface GemmOptions {
  readonly transA?: boolean;
  readonly transB?: boolean;
  readonly alpha?: number;
  readonly beta?: number;
  readonly c?: OnnxValue | undefined;
}

/** alpha op(a) op(b) + beta c, with op a transposition where asked. */
export function gemm(a: OnnxValue, b: OnnxValue, options: GemmOptions = {}): OnnxValue {
  return apply("Gemm", options.c ? [a, b, options.c] : [a, b], {
    attributes: {
      transA: { int: options.transA ? 1 : 0 },
      transB: { int: options.transB ? 1 : 0 },
      alpha: { float: options.alpha ?? 1 },
      beta: { float: options.beta ?? 1 },
    },
  });
}

/** x with its axes in another order: axis i of the result is axis order[i] of x. */
export function transpose(x: OnnxValue, order: readonly number[]): OnnxValue {
  return apply("Transpose", [x], { attributes: { perm: { ints: order } } });
}

/** x itself when it has that shape already. */
export function reshape(x: OnnxValue, shape: readonly number[]): OnnxValue {
  if (x.shape.length === shape.length && shape.every((n, i) => n === x.shape[i])) return x;
  return apply("Reshape", [x, ints(shape)]);
}

/** x broadcast to a shape; x itself where it has that shape. */
export function expand(x: OnnxValue, shape: readonly number[]): OnnxValue {
  if (x.shape.length === shape.length && shape.every((n, i) => n === x.shape[i])) return x;
  return apply("Expand", [x, ints(shape)]);
}

/** The parts one after another along an axis; a single part is itself. */
export function concat(parts: readonly OnnxValue[], axis: number): OnnxValue {
  return parts.length === 1 ? parts[0]! : apply("Concat", parts, { attributes: { axis: { int: axis } } });
}

/** The opposite of `concat`: parts of these sizes along an axis. A single part is x itself. */
export function split(x: OnnxValue, sizes: readonly number[], axis: number): readonly OnnxValue[] {
  if (sizes.length === 1) return [x];
  return applyAll("Split", [x, ints(sizes)], { attributes: { axis: { int: axis } }, outputs: sizes.length });
}

/** The sum over axes, which stay with size 1 where `keep` is true. */
export function reduceSum(x: OnnxValue, axes: readonly number[], keep: boolean): OnnxValue {
  return apply("ReduceSum", [x, ints(axes)], { attributes: { keepdims: { int: keep ? 1 : 0 } } });
}

/** The mean over axes, which stay with size 1 where `keep` is true. */
export function reduceMean(x: OnnxValue, axes: readonly number[], keep: boolean): OnnxValue {
  return apply("ReduceMean", [x, ints(axes)], { attributes: { keepdims: { int: keep ? 1 : 0 } } });
}

/** log sum exp over the last axis, stable for large values. */
export function logSumExp(x: OnnxValue): OnnxValue {
  return apply("ReduceLogSumExp", [x, ints([x.shape.length - 1])], { attributes: { keepdims: { int: 0 } } });
}

/** Rows (slices along `axis`) of x by index. */
export function gather(x: OnnxValue, indices: OnnxValue, axis = 0): OnnxValue {
  return apply("Gather", [x, indices], { attributes: { axis: { int: axis } } });
}

/** Rows of x by index; x itself where none are chosen. */
export const chosenRows = (x: OnnxValue, rows: OnnxValue | undefined): OnnxValue => (rows ? gather(x, rows) : x);

/** x with `updates` added at the rows that `indices` i64[n, 1] names; a row named twice receives both. */
export function scatterAdd(x: OnnxValue, indices: OnnxValue, updates: OnnxValue): OnnxValue {
  return apply("ScatterND", [x, indices, updates], { attributes: { reduction: { string: "add" } } });
}

/** The label of a node behind which nothing is differentiated. */
export const STOPPED = "stop-gradient";

/** x, which counts as a constant in every gradient. */
export const stopGradient = (x: OnnxValue): OnnxValue => apply("Identity", [x], { label: STOPPED });

/** Zeros of a real data type. */
export function zeros(shape: readonly number[], dtype: Dtype = "float32"): OnnxValue {
  return expand(scalar(0, dtype), shape);
}

/** Ones of a real data type. */
export function constantOnes(shape: readonly number[], dtype: Dtype = "float32"): OnnxValue {
  return expand(scalar(1, dtype), shape);
}

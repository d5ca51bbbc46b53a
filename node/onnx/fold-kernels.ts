/**
 * Plain evaluation of the operators that shape arithmetic is made of. Integers of 64 bits are computed as such; reals
 * are computed in f64 and rounded to their type, as the runtime does for one operation.
 *
 * Shapes come from the operators' shape rules, so a kernel only fills arrays of known size.
 */
import type { Dtype, Tensor, TensorData } from "../tensor.ts";
import { sizeOf } from "../tensor.ts";
import { axisIndex, intAttribute, intsAttribute } from "./attributes.ts";
import { allocate } from "./dtype.ts";
import { sliceRanges } from "./shapes/movement.ts";
import { reductionAxes } from "./shapes/reduction.ts";
import type { ValueType } from "./shapes/rule.ts";
import type { Attributes, OnnxValue } from "./value.ts";

/** One evaluation of one operator. */
export interface KernelCall {
  readonly op: string;
  readonly inputs: readonly (Tensor | undefined)[];
  /** The same inputs as constants of a graph. */
  readonly values: readonly (OnnxValue | undefined)[];
  readonly attributes: Attributes;
  readonly types: readonly ValueType[];
}

/** Data of all outputs, or undefined where this kernel does not know the case. */
export type Kernel = (call: KernelCall) => readonly TensorData[] | undefined;

type Scalar = number | bigint;
type Scalars = { [index: number]: Scalar; readonly length: number };

/** Row-major strides of a shape. */
function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1]! * shape[i + 1]!;
  return strides;
}

/** Fill `out`, of the given shape, from `from` at offset + index . strides. */
function gatherStrided(
  from: TensorData,
  at: { readonly shape: readonly number[]; readonly strides: readonly number[]; readonly offset: number },
  out: TensorData,
): TensorData {
  const [source, target] = [from as Scalars, out as Scalars];
  const index = new Array<number>(at.shape.length).fill(0);
  let place = at.offset;
  for (let i = 0; i < target.length; i++) {
    target[i] = source[place]!;
    for (let axis = at.shape.length - 1; axis >= 0; axis--) {
      place += at.strides[axis]!;
      if (++index[axis]! < at.shape[axis]!) break;
      place -= at.strides[axis]! * at.shape[axis]!;
      index[axis] = 0;
    }
  }
  return out;
}

/** A value repeated to a larger shape. */
function broadcast(tensor: Tensor, shape: readonly number[]): TensorData {
  const own = stridesOf(tensor.shape);
  const extra = shape.length - tensor.shape.length;
  const strides = shape.map((_, i) => (i < extra || tensor.shape[i - extra] === 1 ? 0 : own[i - extra]!));
  return gatherStrided(tensor.data, { shape, strides, offset: 0 }, allocate(tensor.dtype, sizeOf(shape)));
}

const isInteger = (dtype: Dtype): boolean => dtype === "int32" || dtype === "int8" || dtype === "uint8";

function nonZero<T extends Scalar>(divisor: T): T {
  if (Number(divisor) === 0) throw new RangeError("a division of integers by zero");
  return divisor;
}

const REAL: Readonly<Record<string, (a: number, b: number) => number>> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b) => a / b,
  Pow: (a, b) => a ** b,
  Max: Math.max,
  Min: Math.min,
};
/** Integers of at most 32 bits, where they differ from reals. */
const SMALL: Readonly<Record<string, (a: number, b: number) => number>> = {
  Div: (a, b) => Math.trunc(a / nonZero(b)),
  Mod: (a, b) => ((a % nonZero(b)) + b) % b,
};
const WHOLE: Readonly<Record<string, (a: bigint, b: bigint) => bigint>> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b) => a / nonZero(b),
  Mod: (a, b) => ((a % nonZero(b)) + b) % b,
  Max: (a, b) => larger(a, b),
  Min: (a, b) => -larger(-a, -b),
};

/** Math.max knows no 64-bit integers. */
function larger(a: bigint, b: bigint): bigint {
  if (a > b) return a;
  return b;
}

const arithmetic: Kernel = ({ op, inputs, attributes, types: [type] }) => {
  const operands = inputs.filter((tensor) => tensor !== undefined);
  if (operands.length === 0 || operands.some((tensor) => tensor.dtype !== type!.dtype)) return undefined;
  if (op === "Mod" && intAttribute(attributes, "fmod", 0) === 1) return undefined;
  const whole = type!.dtype === "int64" ? WHOLE[op] : undefined;
  const real = (isInteger(type!.dtype) ? SMALL[op] : undefined) ?? (type!.dtype === "int64" ? undefined : REAL[op]);
  if (!whole && !real) return undefined;
  const [first, ...more] = operands.map((tensor) => broadcast(tensor, type!.shape) as Scalars);
  for (const operand of more) {
    for (let i = 0; i < first!.length; i++) {
      const [a, b] = [first![i]!, operand[i]!];
      if (whole) first![i] = whole(a as bigint, b as bigint);
      else first![i] = real!(a as number, b as number);
    }
  }
  return [first as unknown as TensorData];
};

const COMPARE: Readonly<Record<string, (a: Scalar, b: Scalar) => boolean>> = {
  Equal: (a, b) => a === b,
  Greater: (a, b) => a > b,
  GreaterOrEqual: (a, b) => a >= b,
  Less: (a, b) => a < b,
  LessOrEqual: (a, b) => a <= b,
  And: (a, b) => a !== 0 && b !== 0,
  Or: (a, b) => a !== 0 || b !== 0,
  Xor: (a, b) => (a !== 0) !== (b !== 0),
};

const compare: Kernel = ({ op, inputs: [a, b], types: [type] }) => {
  const [x, y] = [broadcast(a!, type!.shape) as Scalars, broadcast(b!, type!.shape) as Scalars];
  const holds = COMPARE[op]!;
  return [Uint8Array.from({ length: x.length }, (_, i) => (holds(x[i]!, y[i]!) ? 1 : 0))];
};

const UNARY: Readonly<Record<string, (x: number) => number>> = {
  Abs: Math.abs,
  Neg: (x) => -x,
  Sqrt: Math.sqrt,
  Floor: Math.floor,
  Ceil: Math.ceil,
  Reciprocal: (x) => 1 / x,
  Not: (x) => (x === 0 ? 1 : 0),
  Sign: Math.sign,
};

const unary: Kernel = ({ op, inputs: [x], types: [type] }) => {
  const out = allocate(type!.dtype, x!.data.length) as Scalars;
  for (let i = 0; i < out.length; i++) {
    const value = x!.data[i]!;
    if (typeof value === "number") out[i] = UNARY[op]!(value);
    else if (op === "Neg") out[i] = -value;
    else if (op === "Abs") out[i] = value < 0n ? -value : value;
    else if (op === "Sign") out[i] = value < 0n ? -1n : value > 0n ? 1n : 0n;
    else return undefined;
  }
  return [out as unknown as TensorData];
};

/** Reals are cut towards zero; what has no integer (NaN, infinity, beyond the type) is left to the runtime. */
const cast: Kernel = ({ inputs: [x], types: [type] }) => {
  const out = allocate(type!.dtype, x!.data.length) as Scalars;
  for (let i = 0; i < out.length; i++) {
    const value = x!.data[i]!;
    if (type!.dtype === "bool") out[i] = Number(value) === 0 ? 0 : 1;
    else if (type!.dtype === "int64") {
      if (typeof value === "number" && !(Math.abs(value) < 2 ** 63)) return undefined;
      out[i] = typeof value === "bigint" ? value : BigInt(Math.trunc(value));
    } else if (isInteger(type!.dtype)) {
      if (!(Math.abs(Number(value)) < 2 ** 31)) return undefined;
      out[i] = Math.trunc(Number(value));
    } else out[i] = Number(value);
  }
  return [out as unknown as TensorData];
};

const same: Kernel = ({ inputs: [x] }) => [x!.data];

const where: Kernel = ({ inputs: [condition, a, b], types: [type] }) => {
  const chosen = broadcast(condition!, type!.shape);
  const out = broadcast(b!, type!.shape) as Scalars;
  const yes = broadcast(a!, type!.shape) as Scalars;
  for (let i = 0; i < out.length; i++) if (chosen[i] !== 0) out[i] = yes[i]!;
  return [out as unknown as TensorData];
};

const concat: Kernel = ({ inputs, attributes, types: [type] }) => {
  const out = allocate(type!.dtype, sizeOf(type!.shape)) as Uint8Array;
  const axis = axisIndex(intAttribute(attributes, "axis", 0), type!.shape.length);
  const outer = sizeOf(type!.shape.slice(0, axis));
  let place = 0;
  for (let i = 0; i < outer; i++) {
    for (const tensor of inputs) {
      const chunk = tensor!.data.length / outer;
      out.set((tensor!.data as Uint8Array).subarray(i * chunk, (i + 1) * chunk), place);
      place += chunk;
    }
  }
  return [out];
};

const split: Kernel = ({ inputs: [x], attributes, types }) => {
  const axis = axisIndex(intAttribute(attributes, "axis", 0), x!.shape.length);
  const strides = stridesOf(x!.shape);
  let begin = 0;
  return types.map(({ dtype, shape }) => {
    const offset = begin * strides[axis]!;
    begin += shape[axis]!;
    return gatherStrided(x!.data, { shape, strides, offset }, allocate(dtype, sizeOf(shape)));
  });
};

const slice: Kernel = ({ inputs: [x], values, types: [type] }) => {
  const ranges = sliceRanges(values)!;
  const own = stridesOf(x!.shape);
  const strides = ranges.map(({ step }, axis) => step * own[axis]!);
  const offset = ranges.reduce((sum, { begin }, axis) => sum + begin * own[axis]!, 0);
  const out = allocate(type!.dtype, sizeOf(type!.shape));
  return [gatherStrided(x!.data, { shape: type!.shape, strides, offset }, out)];
};

const transpose: Kernel = ({ inputs: [x], attributes, types: [type] }) => {
  const rank = x!.shape.length;
  const own = stridesOf(x!.shape);
  const order = intsAttribute(attributes, "perm") ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
  const strides = order.map((axis) => own[axisIndex(axis, rank)]!);
  const out = allocate(type!.dtype, x!.data.length);
  return [gatherStrided(x!.data, { shape: type!.shape, strides, offset: 0 }, out)];
};

const gather: Kernel = ({ inputs: [x, indices], attributes, types: [type] }) => {
  const axis = axisIndex(intAttribute(attributes, "axis", 0), x!.shape.length);
  const size = x!.shape[axis]!;
  const inner = sizeOf(x!.shape.slice(axis + 1));
  const outer = sizeOf(x!.shape.slice(0, axis));
  const rows = Array.from(indices!.data as Int32Array, (raw) => axisIndex(Number(raw), size));
  const out = allocate(type!.dtype, sizeOf(type!.shape)) as Uint8Array;
  for (let i = 0; i < outer; i++) {
    for (const [j, row] of rows.entries()) {
      const from = (i * size + row) * inner;
      out.set((x!.data as Uint8Array).subarray(from, from + inner), (i * rows.length + j) * inner);
    }
  }
  return [out];
};

const range: Kernel = ({ inputs: [start, , delta], types: [type] }) => {
  const out = allocate(type!.dtype, type!.shape[0]!) as Scalars;
  const [first, step] = [start!.data[0]!, delta!.data[0]!];
  for (let i = 0; i < out.length; i++) {
    out[i] = typeof first === "bigint" ? first + BigInt(i) * (step as bigint) : first + i * (step as number);
  }
  return [out as unknown as TensorData];
};

const reduce: Kernel = ({ op, inputs: [x], values, attributes, types: [type] }) => {
  const axes = new Set(reductionAxes(values, attributes));
  const combine = { ReduceSum: "Add", ReduceProd: "Mul", ReduceMax: "Max", ReduceMin: "Min" }[op]!;
  const [whole, real] = [WHOLE[combine]!, REAL[combine]!];
  const kept = x!.shape.map((n, axis) => (axes.has(axis) ? 1 : n));
  const strides = stridesOf(kept).map((stride, axis) => (axes.has(axis) ? 0 : stride));
  const places = gatherStrided(
    Int32Array.from({ length: sizeOf(kept) }, (_, i) => i),
    { shape: x!.shape, strides, offset: 0 },
    new Int32Array(x!.data.length),
  ) as Int32Array;
  const sums: (Scalar | undefined)[] = new Array(sizeOf(kept)).fill(undefined);
  for (const [i, place] of places.entries()) {
    const [sum, value] = [sums[place], x!.data[i]!];
    if (sum === undefined) sums[place] = value;
    else sums[place] = typeof value === "bigint" ? whole(sum as bigint, value) : real(sum as number, value);
  }
  const out = allocate(type!.dtype, sums.length) as Scalars;
  for (const [i, sum] of sums.entries()) {
    if (sum === undefined) return undefined;
    out[i] = sum;
  }
  return [out as unknown as TensorData];
};

const all = (ops: readonly string[], kernel: Kernel) => Object.fromEntries(ops.map((op) => [op, kernel]));

/** The evaluation of each operator, by name. */
export const KERNELS: Readonly<Record<string, Kernel>> = {
  ...all([...Object.keys(REAL), "Mod"], arithmetic),
  ...all(Object.keys(COMPARE), compare),
  ...all(Object.keys(UNARY), unary),
  ...all(["Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten"], same),
  ...all(["ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin"], reduce),
  Cast: cast,
  Where: where,
  Concat: concat,
  Split: split,
  Slice: slice,
  Transpose: transpose,
  Expand: ({ inputs: [x], types: [type] }) => [broadcast(x!, type!.shape)],
  Gather: gather,
  Range: range,
};

/**
 * Dtype and static shape of what each operator returns, for the operators that weft builds or imports.
 * Source: the ONNX operator specification, opset 21, https://onnx.ai/onnx/operators.
 */
import { NodeError } from "../errors.ts";
import type { Dtype, TensorData } from "../tensor.ts";
import { sizeOf } from "../tensor.ts";
import type { Attributes, OnnxValue } from "./value.ts";

export interface ValueType {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
}

export interface Application {
  readonly op: string;
  readonly domain: string;
  readonly inputs: readonly (OnnxValue | undefined)[];
  readonly attributes: Attributes;
  readonly label: string;
  readonly outputCount: number;
}

/** Types of all outputs.  Throws: ONNX_INVALID naming operator, place and shapes. */
export function inferShapes(application: Application): readonly ValueType[] {
  const rule = Object.hasOwn(RULES, application.op) ? RULES[application.op] : undefined;
  if (!rule) throw invalid(application, "no shape rule for this operator");
  const types = rule(application);
  for (const type of types) {
    if (!type.shape.every((n) => Number.isSafeInteger(n) && n >= 0)) {
      throw invalid(application, `the shape [${type.shape}] is not one`);
    }
  }
  return types;
}

type Rule = (application: Application) => readonly ValueType[];

function invalid(application: Application, text: string): NodeError {
  const shapes = application.inputs.map((input) => (input ? `${input.dtype}[${input.shape}]` : "-")).join(", ");
  const place = application.label ? ` at ${application.label}` : "";
  return new NodeError("ONNX_INVALID", `${application.op}${place} (${shapes}): ${text}`);
}

function input(application: Application, index: number): OnnxValue {
  const value = application.inputs[index];
  if (!value) throw invalid(application, `input ${index} is missing`);
  return value;
}

/** Integer attribute or its default. */
export function intAttribute(attributes: Attributes, name: string, fallback: number): number {
  const attribute = attributes[name];
  return attribute && "int" in attribute ? attribute.int : fallback;
}

/** Float attribute or its default. */
export function floatAttribute(attributes: Attributes, name: string, fallback: number): number {
  const attribute = attributes[name];
  return attribute && "float" in attribute ? attribute.float : fallback;
}

/** List-of-integers attribute, or undefined. */
export function intsAttribute(attributes: Attributes, name: string): readonly number[] | undefined {
  const attribute = attributes[name];
  return attribute && "ints" in attribute ? attribute.ints : undefined;
}

/** Integers of a constant input. */
export function constantInts(value: OnnxValue | undefined): readonly number[] | undefined {
  if (value?.source.kind !== "constant") return undefined;
  return Array.from(value.source.data as Exclude<TensorData, BigInt64Array>, Number);
}

/** An axis counted from the front.  Throws: RangeError when it is outside the rank. */
export function axisIndex(axis: number, rank: number): number {
  const index = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(index) || index < 0 || index >= rank) throw new RangeError(`axis ${axis} of rank ${rank}`);
  return index;
}

/** Shape of two broadcast operands (numpy rules).  Throws: RangeError when they do not fit. */
export function broadcastShapes(a: readonly number[], b: readonly number[]): readonly number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const m = a[i - rank + a.length] ?? 1;
    const n = b[i - rank + b.length] ?? 1;
    if (m !== n && m !== 1 && n !== 1) throw new RangeError(`[${a}] and [${b}] do not broadcast`);
    return m === 1 ? n : m;
  });
}

const guard =
  (rule: Rule): Rule =>
  (application) => {
    try {
      return rule(application);
    } catch (error) {
      if (error instanceof RangeError) throw invalid(application, error.message);
      throw error;
    }
  };

const likeFirst: Rule = (a) => [{ dtype: input(a, 0).dtype, shape: input(a, 0).shape }];

const broadcastTo =
  (dtype?: Dtype): Rule =>
  (a) => {
    const shape = a.inputs
      .filter((v) => v !== undefined)
      .map((v) => v.shape)
      .reduce(broadcastShapes);
    return [{ dtype: dtype ?? input(a, 0).dtype, shape }];
  };

function matMulShape(a: readonly number[], b: readonly number[]): readonly number[] {
  if (a.length < 1 || b.length < 1) throw new RangeError("a matrix product of scalars");
  const left = a.length === 1 ? [1, ...a] : a;
  const right = b.length === 1 ? [...b, 1] : b;
  if (left.at(-1) !== right.at(-2)) throw new RangeError(`inner sizes ${left.at(-1)} and ${right.at(-2)} differ`);
  const batch = broadcastShapes(left.slice(0, -2), right.slice(0, -2));
  return [...batch, ...(a.length === 1 ? [] : [left.at(-2)!]), ...(b.length === 1 ? [] : [right.at(-1)!])];
}

/** Axes a reduction runs over: input 1, else the attribute, else all. */
export function reductionAxes(
  inputs: readonly (OnnxValue | undefined)[],
  attributes: Attributes,
): readonly number[] | undefined {
  const rank = inputs[0]!.shape.length;
  const axes = inputs[1] ? constantInts(inputs[1]) : intsAttribute(attributes, "axes");
  if (inputs[1] && !axes) return undefined;
  if (!axes || axes.length === 0) {
    return intAttribute(attributes, "noop_with_empty_axes", 0) ? [] : Array.from({ length: rank }, (_, i) => i);
  }
  return axes.map((axis) => axisIndex(axis, rank));
}

const reduce: Rule = (a) => {
  const x = input(a, 0);
  const axes = reductionAxes(a.inputs, a.attributes);
  if (!axes) throw invalid(a, "the axes are not known while building");
  const keep = intAttribute(a.attributes, "keepdims", 1) === 1;
  const shape = x.shape.flatMap((n, i) => (axes.includes(i) ? (keep ? [1] : []) : [n]));
  return [{ dtype: x.dtype, shape }];
};

const argument: Rule = (a) => {
  const x = input(a, 0);
  const axis = axisIndex(intAttribute(a.attributes, "axis", 0), x.shape.length);
  const keep = intAttribute(a.attributes, "keepdims", 1) === 1;
  return [{ dtype: "int64", shape: x.shape.flatMap((n, i) => (i === axis ? (keep ? [1] : []) : [n])) }];
};

const CAST_DTYPES: Readonly<Record<number, Dtype>> = {
  1: "float32",
  2: "uint8",
  3: "int8",
  6: "int32",
  7: "int64",
  9: "bool",
  10: "float16",
  11: "float64",
};

function reshaped(from: readonly number[], wanted: readonly number[], allowZero: boolean): readonly number[] {
  const shape = wanted.map((n, i) => (n === 0 && !allowZero ? (from[i] ?? 0) : n));
  const hole = shape.indexOf(-1);
  if (hole >= 0) {
    const rest = sizeOf(shape.filter((_, i) => i !== hole));
    shape[hole] = rest === 0 ? 0 : sizeOf(from) / rest;
  }
  if (sizeOf(shape) !== sizeOf(from)) throw new RangeError(`[${from}] cannot be reshaped to [${wanted}]`);
  return shape;
}

function splitSizes(a: Application): readonly number[] {
  const x = input(a, 0);
  const axis = axisIndex(intAttribute(a.attributes, "axis", 0), x.shape.length);
  const given = a.inputs[1] ? constantInts(a.inputs[1]) : intsAttribute(a.attributes, "split");
  if (given) return given;
  if (a.inputs[1]) throw invalid(a, "the split sizes are not known while building");
  const parts = intAttribute(a.attributes, "num_outputs", a.outputCount);
  const size = Math.ceil(x.shape[axis]! / parts);
  return Array.from({ length: parts }, (_, i) => Math.min(size, x.shape[axis]! - i * size));
}

/** Begin, end and step for every axis of a Slice, clamped as the specification says; undefined when not constant. */
export function sliceRanges(
  inputs: readonly (OnnxValue | undefined)[],
): readonly { begin: number; step: number; count: number }[] | undefined {
  const shape = inputs[0]!.shape;
  const [starts, ends] = [constantInts(inputs[1]), constantInts(inputs[2])];
  if (!starts || !ends) return undefined;
  const axes = inputs[3] ? constantInts(inputs[3]) : starts.map((_, i) => i);
  const steps = inputs[4] ? constantInts(inputs[4]) : starts.map(() => 1);
  if (!axes || !steps) return undefined;
  const ranges = shape.map((n) => ({ begin: 0, step: 1, count: n }));
  for (const [i, rawAxis] of axes.entries()) {
    const axis = axisIndex(rawAxis, shape.length);
    const n = shape[axis]!;
    const step = steps[i]!;
    const clamp = (x: number, low: number, high: number) => Math.min(Math.max(x < 0 ? x + n : x, low), high);
    const begin = step > 0 ? clamp(starts[i]!, 0, n) : clamp(starts[i]!, 0, n - 1);
    const end = step > 0 ? clamp(ends[i]!, 0, n) : clamp(ends[i]!, -1, n - 1);
    ranges[axis] = { begin, step, count: Math.max(0, Math.ceil((end - begin) / step)) };
  }
  return ranges;
}

const RULES: Readonly<Record<string, Rule>> = Object.fromEntries(
  Object.entries({
    ...Object.fromEntries(["Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Sum"].map((op) => [op, broadcastTo()])),
    ...Object.fromEntries(
      ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or"].map((op) => [op, broadcastTo("bool")]),
    ),
    ...Object.fromEntries(
      [
        ...["Neg", "Abs", "Sqrt", "Reciprocal", "Exp", "Log", "Sigmoid", "Tanh", "Erf", "Relu", "Sin", "Cos"],
        ...["Identity", "Softmax", "LogSoftmax", "Gelu", "Softplus", "Not", "Floor", "Sign"],
      ].map((op) => [op, likeFirst]),
    ),
    ...Object.fromEntries(
      ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceLogSumExp", "ReduceSumSquare"].map((op) => [
        op,
        reduce,
      ]),
    ),
    ArgMax: argument,
    ArgMin: argument,
    MatMul: (a) => [{ dtype: input(a, 0).dtype, shape: matMulShape(input(a, 0).shape, input(a, 1).shape) }],
    Gemm: (a) => {
      const [x, y] = [input(a, 0), input(a, 1)];
      if (x.shape.length !== 2 || y.shape.length !== 2) throw new RangeError("Gemm takes matrices");
      const [m, k] = intAttribute(a.attributes, "transA", 0) ? [x.shape[1]!, x.shape[0]!] : [x.shape[0]!, x.shape[1]!];
      const [l, n] = intAttribute(a.attributes, "transB", 0) ? [y.shape[1]!, y.shape[0]!] : [y.shape[0]!, y.shape[1]!];
      if (k !== l) throw new RangeError(`inner sizes ${k} and ${l} differ`);
      const c = a.inputs[2];
      if (c && broadcastShapes(c.shape, [m, n]).some((size, i) => size !== [m, n][i])) {
        throw new RangeError(`C of shape [${c.shape}] does not broadcast to [${m}, ${n}]`);
      }
      return [{ dtype: x.dtype, shape: [m, n] }];
    },
    Cast: (a) => {
      const dtype = CAST_DTYPES[intAttribute(a.attributes, "to", 1)];
      if (!dtype) throw invalid(a, "a cast to this data type is not supported");
      return [{ dtype, shape: input(a, 0).shape }];
    },
    Transpose: (a) => {
      const { dtype, shape } = input(a, 0);
      const order = intsAttribute(a.attributes, "perm") ?? shape.map((_, i) => shape.length - 1 - i);
      if (order.length !== shape.length) throw new RangeError(`perm [${order}] of rank ${shape.length}`);
      return [{ dtype, shape: order.map((axis) => shape[axisIndex(axis, shape.length)]!) }];
    },
    Reshape: (a) => {
      const wanted = constantInts(a.inputs[1]);
      if (!wanted) throw invalid(a, "the shape is not known while building");
      const allowZero = intAttribute(a.attributes, "allowzero", 0) === 1;
      return [{ dtype: input(a, 0).dtype, shape: reshaped(input(a, 0).shape, wanted, allowZero) }];
    },
    Expand: (a) => {
      const wanted = constantInts(a.inputs[1]);
      if (!wanted) throw invalid(a, "the shape is not known while building");
      return [{ dtype: input(a, 0).dtype, shape: broadcastShapes(input(a, 0).shape, wanted) }];
    },
    Unsqueeze: (a) => {
      const { dtype, shape } = input(a, 0);
      const axes = a.inputs[1] ? constantInts(a.inputs[1]) : intsAttribute(a.attributes, "axes");
      if (!axes) throw invalid(a, "the axes are not known while building");
      const rank = shape.length + axes.length;
      const places = new Set(axes.map((axis) => axisIndex(axis, rank)));
      const rest = [...shape];
      return [{ dtype, shape: Array.from({ length: rank }, (_, i) => (places.has(i) ? 1 : rest.shift()!)) }];
    },
    Squeeze: (a) => {
      const { dtype, shape } = input(a, 0);
      const axes = a.inputs[1] ? constantInts(a.inputs[1]) : intsAttribute(a.attributes, "axes");
      const places = axes
        ? axes.map((axis) => axisIndex(axis, shape.length))
        : shape.flatMap((n, i) => (n === 1 ? [i] : []));
      return [{ dtype, shape: shape.filter((_, i) => !places.includes(i)) }];
    },
    Flatten: (a) => {
      const { dtype, shape } = input(a, 0);
      const axis = intAttribute(a.attributes, "axis", 1);
      const at = axis < 0 ? axis + shape.length : axis;
      return [{ dtype, shape: [sizeOf(shape.slice(0, at)), sizeOf(shape.slice(at))] }];
    },
    Concat: (a) => {
      const first = input(a, 0);
      const axis = axisIndex(intAttribute(a.attributes, "axis", 0), first.shape.length);
      const size = a.inputs.reduce((sum, value) => sum + (value?.shape[axis] ?? 0), 0);
      for (const value of a.inputs) {
        if (
          value?.shape.length !== first.shape.length ||
          value.shape.some((n, i) => i !== axis && n !== first.shape[i])
        ) {
          throw new RangeError("the parts do not fit together");
        }
      }
      return [{ dtype: first.dtype, shape: first.shape.map((n, i) => (i === axis ? size : n)) }];
    },
    Split: (a) => {
      const { dtype, shape } = input(a, 0);
      const axis = axisIndex(intAttribute(a.attributes, "axis", 0), shape.length);
      const sizes = splitSizes(a);
      if (sizes.reduce((sum, n) => sum + n, 0) !== shape[axis])
        throw new RangeError(`sizes [${sizes}] of ${shape[axis]}`);
      return sizes.map((size) => ({ dtype, shape: shape.map((n, i) => (i === axis ? size : n)) }));
    },
    Slice: (a) => {
      const ranges = sliceRanges(a.inputs);
      if (!ranges) throw invalid(a, "the ranges are not known while building");
      return [{ dtype: input(a, 0).dtype, shape: ranges.map((range) => range.count) }];
    },
    Gather: (a) => {
      const [x, indices] = [input(a, 0), input(a, 1)];
      const axis = axisIndex(intAttribute(a.attributes, "axis", 0), x.shape.length);
      return [{ dtype: x.dtype, shape: [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)] }];
    },
    GatherND: (a) => {
      const [x, indices] = [input(a, 0), input(a, 1)];
      const depth = indices.shape.at(-1) ?? 0;
      return [{ dtype: x.dtype, shape: [...indices.shape.slice(0, -1), ...x.shape.slice(depth)] }];
    },
    ScatterND: likeFirst,
    ScatterElements: likeFirst,
    Where: (a) => [
      {
        dtype: input(a, 1).dtype,
        shape: broadcastShapes(input(a, 0).shape, broadcastShapes(input(a, 1).shape, input(a, 2).shape)),
      },
    ],
    LayerNormalization: (a) => {
      const { dtype, shape } = input(a, 0);
      const first = axisIndex(intAttribute(a.attributes, "axis", -1), shape.length);
      const statistics = { dtype, shape: shape.map((n, axis) => (axis < first ? n : 1)) };
      return [{ dtype, shape }, statistics, statistics].slice(0, Math.max(1, a.outputCount));
    },
    SimplifiedLayerNormalization: likeFirst,
  } satisfies Record<string, Rule>).map(([op, rule]) => [op, guard(rule)]),
);

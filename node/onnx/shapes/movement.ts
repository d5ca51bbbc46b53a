/** Shape rules of operators that move values without computing with them. */
import { sizeOf } from "../../tensor.ts";
import { axisIndex, constantInts, intAttribute, intsAttribute } from "../attributes.ts";
import type { OnnxValue } from "../value.ts";
import { type Application, broadcastShapes, input, likeFirst, type Rule } from "./rule.ts";

function known(value: readonly number[] | undefined, what: string): readonly number[] {
  if (!value) throw new RangeError(`${what} not known while building`);
  return value;
}

/** Axes of Squeeze and Unsqueeze: an input since operator set 13, an attribute before. */
const axesOf = (a: Application): readonly number[] | undefined =>
  a.inputs[1] ? known(constantInts(a.inputs[1]), "the axes are") : intsAttribute(a.attributes, "axes");

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
  if (a.inputs[1]) return known(constantInts(a.inputs[1]), "the split sizes are");
  const given = intsAttribute(a.attributes, "split");
  if (given) return given;
  const parts = intAttribute(a.attributes, "num_outputs", a.outputCount);
  if (parts !== a.outputCount) throw new RangeError(`${parts} parts for ${a.outputCount} outputs`);
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
  if (new Set([starts, ends, axes, steps].map((list) => list.length)).size !== 1) {
    throw new RangeError("starts, ends, axes and steps differ in length");
  }
  const ranges = shape.map((n) => ({ begin: 0, step: 1, count: n }));
  for (const [i, rawAxis] of axes.entries()) {
    const axis = axisIndex(rawAxis, shape.length);
    const n = shape[axis]!;
    const step = steps[i]!;
    if (step === 0) throw new RangeError("a step of 0");
    const clamp = (x: number, low: number, high: number) => Math.min(Math.max(x < 0 ? x + n : x, low), high);
    const begin = step > 0 ? clamp(starts[i]!, 0, n) : clamp(starts[i]!, 0, n - 1);
    const end = step > 0 ? clamp(ends[i]!, 0, n) : clamp(ends[i]!, -1, n - 1);
    ranges[axis] = { begin, step, count: Math.max(0, Math.ceil((end - begin) / step)) };
  }
  return ranges;
}

/** Places added before and after every axis of a Pad; undefined when not constant. */
export function padWidths(
  inputs: readonly (OnnxValue | undefined)[],
): readonly { before: number; after: number }[] | undefined {
  const rank = inputs[0]!.shape.length;
  const pads = constantInts(inputs[1]);
  const axes = inputs[3] ? constantInts(inputs[3]) : Array.from({ length: rank }, (_, i) => i);
  if (!pads || !axes) return undefined;
  if (pads.length !== 2 * axes.length) throw new RangeError(`${pads.length} pads for ${axes.length} axes`);
  const widths = Array.from({ length: rank }, () => ({ before: 0, after: 0 }));
  for (const [i, axis] of axes.entries()) {
    widths[axisIndex(axis, rank)] = { before: pads[i]!, after: pads[axes.length + i]! };
  }
  return widths;
}

/** Rules by operator. */
export const MOVEMENT: Readonly<Record<string, Rule>> = {
  Transpose: (a) => {
    const { dtype, shape } = input(a, 0);
    const order = intsAttribute(a.attributes, "perm") ?? shape.map((_, i) => shape.length - 1 - i);
    if (
      order.length !== shape.length ||
      new Set(order.map((axis) => axisIndex(axis, shape.length))).size !== shape.length
    )
      throw new RangeError(`perm [${order.slice(0, 32)}] of rank ${shape.length}`);
    return [{ dtype, shape: order.map((axis) => shape[axisIndex(axis, shape.length)]!) }];
  },
  Reshape: (a) => {
    const wanted = known(constantInts(a.inputs[1]), "the shape is");
    const allowZero = intAttribute(a.attributes, "allowzero", 0) === 1;
    return [{ dtype: input(a, 0).dtype, shape: reshaped(input(a, 0).shape, wanted, allowZero) }];
  },
  Expand: (a) => {
    const wanted = known(constantInts(a.inputs[1]), "the shape is");
    return [{ dtype: input(a, 0).dtype, shape: broadcastShapes(input(a, 0).shape, wanted) }];
  },
  Unsqueeze: (a) => {
    const { dtype, shape } = input(a, 0);
    const axes = known(axesOf(a), "the axes are");
    const rank = shape.length + axes.length;
    const places = new Set(axes.map((axis) => axisIndex(axis, rank)));
    if (places.size !== axes.length) throw new RangeError(`axes [${axes.slice(0, 32)}] name one twice`);
    let next = 0;
    return [{ dtype, shape: Array.from({ length: rank }, (_, i) => (places.has(i) ? 1 : shape[next++]!)) }];
  },
  Squeeze: (a) => {
    const { dtype, shape } = input(a, 0);
    const places = axesOf(a)?.map((axis) => axisIndex(axis, shape.length));
    const removed = new Set(places ?? shape.flatMap((n, i) => (n === 1 ? [i] : [])));
    const long = [...removed].find((axis) => shape[axis] !== 1);
    if (long !== undefined) throw new RangeError(`axis ${long} has the size ${shape[long]}, not 1`);
    return [{ dtype, shape: shape.filter((_, i) => !removed.has(i)) }];
  },
  Flatten: (a) => {
    const { dtype, shape } = input(a, 0);
    const axis = intAttribute(a.attributes, "axis", 1);
    const at = axis < 0 ? axis + shape.length : axis;
    if (at < 0 || at > shape.length) throw new RangeError(`axis ${axis} of rank ${shape.length}`);
    return [{ dtype, shape: [sizeOf(shape.slice(0, at)), sizeOf(shape.slice(at))] }];
  },
  Concat: (a) => {
    // A scalar among vectors counts as one element: optimised exports hold such, though the specification does not.
    const ranked = a.inputs.find((value) => value && value.shape.length > 0);
    const first = ranked ?? { dtype: input(a, 0).dtype, shape: [1] };
    const axis = axisIndex(intAttribute(a.attributes, "axis", 0), first.shape.length);
    let size = 0;
    for (const i of a.inputs.keys()) {
      const { dtype, shape: own } = input(a, i);
      const shape = own.length === 0 && first.shape.length === 1 ? [1] : own;
      const fits = shape.length === first.shape.length && shape.every((n, k) => k === axis || n === first.shape[k]);
      if (!fits || dtype !== first.dtype) throw new RangeError("the parts do not fit together");
      size += shape[axis]!;
    }
    return [{ dtype: first.dtype, shape: first.shape.map((n, i) => (i === axis ? size : n)) }];
  },
  Split: (a) => {
    const { dtype, shape } = input(a, 0);
    const axis = axisIndex(intAttribute(a.attributes, "axis", 0), shape.length);
    const sizes = splitSizes(a);
    if (sizes.reduce((sum, n) => sum + n, 0) !== shape[axis]) {
      throw new RangeError(`the parts do not add up to the ${shape[axis]} of axis ${axis}`);
    }
    return sizes.map((size) => ({ dtype, shape: shape.map((n, i) => (i === axis ? size : n)) }));
  },
  Slice: (a) => {
    const { dtype } = input(a, 0);
    const ranges = sliceRanges(a.inputs);
    if (!ranges) throw new RangeError("the ranges are not known while building");
    return [{ dtype, shape: ranges.map((range) => range.count) }];
  },
  Pad: (a) => {
    const { dtype, shape } = input(a, 0);
    const widths = padWidths(a.inputs);
    if (!widths) throw new RangeError("the pads are not known while building");
    return [{ dtype, shape: shape.map((n, i) => n + widths[i]!.before + widths[i]!.after) }];
  },
  Gather: (a) => {
    const [x, indices] = [input(a, 0), input(a, 1)];
    const axis = axisIndex(intAttribute(a.attributes, "axis", 0), x.shape.length);
    return [{ dtype: x.dtype, shape: [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)] }];
  },
  GatherElements: (a) => {
    const [x, indices] = [input(a, 0), input(a, 1)];
    if (x.shape.length !== indices.shape.length) throw new RangeError("data and indices differ in rank");
    axisIndex(intAttribute(a.attributes, "axis", 0), x.shape.length);
    return [{ dtype: x.dtype, shape: indices.shape }];
  },
  GatherND: (a) => {
    const [x, indices] = [input(a, 0), input(a, 1)];
    const batch = intAttribute(a.attributes, "batch_dims", 0);
    const depth = indices.shape.at(-1) ?? 0;
    if (batch < 0 || batch + depth > x.shape.length) throw new RangeError(`${batch + depth} indices of one place`);
    return [{ dtype: x.dtype, shape: [...indices.shape.slice(0, -1), ...x.shape.slice(batch + depth)] }];
  },
  ScatterND: likeFirst,
  ScatterElements: likeFirst,
  Trilu: (a) => {
    if (input(a, 0).shape.length < 2) throw new RangeError("a triangle needs a matrix");
    return likeFirst(a);
  },
};

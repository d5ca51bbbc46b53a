/** Shape rules of reductions and of the normalisations. */
import { axisIndex, constantInts, constantNumber, intAttribute, intsAttribute } from "../attributes.ts";
import type { Attributes, OnnxValue } from "../value.ts";
import { each, input, likeFirst, type Rule } from "./rule.ts";

/** Axes a reduction runs over: input 1, else the attribute, else all; undefined when input 1 is not constant. */
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
  if (!axes) throw new RangeError("the axes are not known while building");
  const reduced = new Set(axes);
  const keep = intAttribute(a.attributes, "keepdims", 1) === 1;
  const shape = x.shape.flatMap((n, i) => (reduced.has(i) ? (keep ? [1] : []) : [n]));
  return [{ dtype: x.dtype, shape }];
};

const argument: Rule = (a) => {
  const x = input(a, 0);
  const axis = axisIndex(intAttribute(a.attributes, "axis", 0), x.shape.length);
  const keep = intAttribute(a.attributes, "keepdims", 1) === 1;
  return [{ dtype: "int64", shape: x.shape.flatMap((n, i) => (i === axis ? (keep ? [1] : []) : [n])) }];
};

/** Rules by operator. */
export const REDUCTION: Readonly<Record<string, Rule>> = {
  ...each(
    ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceLogSumExp", "ReduceSumSquare"],
    reduce,
  ),
  ArgMax: argument,
  ArgMin: argument,
  CumSum: (a) => {
    const axis = constantNumber(a.inputs[1]);
    if (axis === undefined) throw new RangeError("the axis is not known while building");
    axisIndex(axis, input(a, 0).shape.length);
    return likeFirst(a);
  },
  TopK: (a) => {
    const x = input(a, 0);
    const axis = axisIndex(intAttribute(a.attributes, "axis", -1), x.shape.length);
    const k = constantNumber(a.inputs[1]);
    if (k === undefined) throw new RangeError("k is not known while building");
    if (k < 0 || k > x.shape[axis]!) throw new RangeError(`the ${k} largest of ${x.shape[axis]}`);
    const shape = x.shape.map((n, i) => (i === axis ? k : n));
    return [
      { dtype: x.dtype, shape },
      { dtype: "int64", shape },
    ];
  },
  LayerNormalization: (a) => {
    const { dtype, shape } = input(a, 0);
    const first = axisIndex(intAttribute(a.attributes, "axis", -1), shape.length);
    const statistics = { dtype, shape: shape.map((n, axis) => (axis < first ? n : 1)) };
    return [{ dtype, shape }, statistics, statistics].slice(0, Math.max(1, a.outputCount));
  },
  SimplifiedLayerNormalization: likeFirst,
};

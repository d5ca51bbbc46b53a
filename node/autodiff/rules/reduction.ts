/** Gradient rules of sums, means, and the normalised exponentials. */

import { axisIndex, intAttribute } from "../../onnx/attributes.ts";
import { apply } from "../../onnx/graph.ts";
import { add, cast, div, exp, expand, mul, reduceSum, reshape, scalar, sub, zeros } from "../../onnx/operators.ts";
import { reductionAxes } from "../../onnx/shapes/reduction.ts";
import type { OnnxNode, OnnxValue } from "../../onnx/value.ts";
import type { GradientRule } from "../rule.ts";
import { single } from "../rule.ts";

/** A reduced value with its reduced axes back as 1, so that it broadcasts against the input. */
function kept(node: OnnxNode, value: OnnxValue): OnnxValue {
  const axes = reductionAxes(node.inputs, node.attributes)!;
  return reshape(
    value,
    node.inputs[0]!.shape.map((n, i) => (axes.includes(i) ? 1 : n)),
  );
}

const lastAxis = (node: OnnxNode): number => {
  const rank = node.inputs[0]!.shape.length;
  return axisIndex(intAttribute(node.attributes, "axis", -1), rank);
};

/** A tie shares the gradient evenly. */
const extremum: GradientRule = single((node, dy, y) => [
  () => {
    const x = node.inputs[0]!;
    const hit = cast(apply("Equal", [x, kept(node, y)]), x.dtype);
    const axes = reductionAxes(node.inputs, node.attributes)!;
    return mul(hit, div(kept(node, dy), reduceSum(hit, axes, true)));
  },
  undefined,
]);

/** Rules of reductions, softmax and log-softmax by operator. */
export const REDUCTION: Readonly<Record<string, GradientRule>> = {
  ReduceSum: single((node, dy) => [() => expand(kept(node, dy), node.inputs[0]!.shape), undefined]),
  ReduceMean: single((node, dy, y) => [
    () => {
      const x = node.inputs[0]!;
      const count = x.shape.reduce((p, n) => p * n, 1) / y.shape.reduce((p, n) => p * n, 1);
      return expand(mul(kept(node, dy), scalar(1 / count, x.dtype)), x.shape);
    },
    undefined,
  ]),
  ReduceSumSquare: single((node, dy) => [
    () => mul(kept(node, dy), mul(node.inputs[0]!, scalar(2, dy.dtype))),
    undefined,
  ]),
  /**
   * y = log sum exp x: dx = dy softmax x. The gradient waits for y (0 y is added to dy), so that x, the largest tensor of
   * a language model, is not kept for y until the backward pass is over.
   */
  ReduceLogSumExp: single((node, dy, y) => [
    () => {
      const x = node.inputs[0]!;
      const axes = reductionAxes(node.inputs, node.attributes)!;
      const [axis] = axes;
      const share =
        axes.length === 1
          ? apply("Softmax", [x], { attributes: { axis: { int: axis! === x.shape.length - 1 ? -1 : axis! } } })
          : exp(sub(x, kept(node, y)));
      const waiting = add(dy, mul(y, scalar(0, y.dtype)));
      return mul(kept(node, waiting), share);
    },
    undefined,
  ]),
  ReduceMax: extremum,
  ReduceMin: extremum,
  /** y = softmax x: dx = y (dy - sum(dy y)). */
  Softmax: single((node, dy, y) => [
    () => {
      const product = mul(dy, y);
      return sub(product, mul(y, reduceSum(product, [lastAxis(node)], true)));
    },
  ]),
  /** y = log softmax x: dx = dy - softmax(x) sum(dy). */
  LogSoftmax: single((node, dy, y) => [() => sub(dy, mul(exp(y), reduceSum(dy, [lastAxis(node)], true)))]),
  /** Every value counts in its own sum and in those after it: the sums of the gradient run the other way. */
  CumSum: single(({ inputs: [, axis], attributes }, dy) => {
    const reverse = 1 - intAttribute(attributes, "reverse", 0);
    const exclusive = intAttribute(attributes, "exclusive", 0);
    const options = { attributes: { reverse: { int: reverse }, exclusive: { int: exclusive } } };
    return [() => apply("CumSum", [dy, axis], options), undefined];
  }),
  /** The largest (smallest) values are read from their places. */
  TopK: single((node, dy) => [
    () => {
      const x = node.inputs[0]!;
      const options = { attributes: { axis: { int: lastAxis(node) }, reduction: { string: "add" } } };
      return apply("ScatterElements", [zeros(x.shape, x.dtype), node.outputs[1], dy], options);
    },
    undefined,
  ]),
};

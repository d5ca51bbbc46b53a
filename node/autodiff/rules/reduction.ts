/** Gradient rules of sums, means, and the normalised exponentials. */

import { axisIndex, intAttribute } from "../../onnx/attributes.ts";
import { apply } from "../../onnx/graph.ts";
import { exp, expand, mul, reduceSum, reshape, scalar, sub } from "../../onnx/operators.ts";
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

export const REDUCTION: Readonly<Record<string, GradientRule>> = {
  ReduceSum: single((node, dy) => [() => expand(kept(node, dy), node.inputs[0]!.shape), undefined]),
  ReduceMean: single((node, dy, y) => [
    () => {
      const x = node.inputs[0]!;
      const count = x.shape.reduce((p, n) => p * n, 1) / y.shape.reduce((p, n) => p * n, 1);
      return expand(mul(kept(node, dy), scalar(1 / count)), x.shape);
    },
    undefined,
  ]),
  ReduceSumSquare: single((node, dy) => [() => mul(kept(node, dy), mul(node.inputs[0]!, scalar(2))), undefined]),
  /** y = log sum exp x: dx = dy softmax x. */
  ReduceLogSumExp: single((node, dy, y) => [
    () => {
      const x = node.inputs[0]!;
      const axes = reductionAxes(node.inputs, node.attributes)!;
      const [axis] = axes;
      const share =
        axes.length === 1
          ? apply("Softmax", [x], { attributes: { axis: { int: axis! === x.shape.length - 1 ? -1 : axis! } } })
          : exp(sub(x, kept(node, y)));
      return mul(kept(node, dy), share);
    },
    undefined,
  ]),
  /** A tie shares the gradient evenly. */
  ReduceMax: single((node, dy, y) => [
    () => {
      const x = node.inputs[0]!;
      const hit = apply("Cast", [apply("Equal", [x, kept(node, y)])], { attributes: { to: { int: 1 } } });
      const axes = reductionAxes(node.inputs, node.attributes)!;
      return mul(hit, apply("Div", [kept(node, dy), reduceSum(hit, axes, true)]));
    },
    undefined,
  ]),
  /** y = softmax x: dx = y (dy - sum(dy y)). */
  Softmax: single((node, dy, y) => [
    () => {
      const product = mul(dy, y);
      return sub(product, mul(y, reduceSum(product, [lastAxis(node)], true)));
    },
  ]),
  /** y = log softmax x: dx = dy - softmax(x) sum(dy). */
  LogSoftmax: single((node, dy, y) => [() => sub(dy, mul(exp(y), reduceSum(dy, [lastAxis(node)], true)))]),
};

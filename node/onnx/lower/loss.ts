/** Losses by their equations.  Source: ONNX operators, https://onnx.ai/onnx/operators. */
import { int64 } from "../../tensor.ts";
import { stringAttribute } from "../attributes.ts";
import { apply, constantValue } from "../graph.ts";
import { cast, constantOnes, div, gather, ints, mul, neg, reduceMean, reduceSum, scalar, where } from "../operators.ts";
import type { OnnxValue } from "../value.ts";
import { type ImportedNode, type Lowering, required } from "./lowering.ts";

/** -w[label] logProbability[label], classes on axis 1; rows with the ignored label count nothing. */
function negativeLogLikelihood(node: ImportedNode, logProbability: OnnxValue): OnnxValue {
  const labels = required(node, 1);
  const weights = node.inputs[2];
  const { attributes } = node;
  const ignored = attributes.ignore_index && "int" in attributes.ignore_index ? attributes.ignore_index.int : undefined;
  const dtype = logProbability.dtype;
  const whole = cast(labels, "int64");
  const all = labels.shape.map((_, axis) => axis);
  const valid =
    ignored === undefined ? undefined : apply("Not", [apply("Equal", [whole, constantValue(int64([], [ignored]))])]);
  const safe = valid ? where(valid, whole, constantValue(int64([], [0]))) : whole;
  const picked = apply("GatherElements", [logProbability, apply("Unsqueeze", [safe, ints([1])])], {
    attributes: { axis: { int: 1 } },
  });
  const losses = neg(apply("Squeeze", [picked, ints([1])]));
  const reduction = stringAttribute(attributes, "reduction", "mean");
  if (!weights && !valid) {
    if (reduction === "none") return losses;
    return reduction === "sum" ? reduceSum(losses, all, false) : reduceMean(losses, all, false);
  }
  const own = weights ? gather(weights, safe) : constantOnes(labels.shape, dtype);
  const share = valid ? where(valid, own, scalar(0, dtype)) : own;
  const weighted = mul(losses, share);
  if (reduction === "none") return weighted;
  const sum = reduceSum(weighted, all, false);
  return reduction === "sum" ? sum : div(sum, reduceSum(share, all, false));
}

/** Lowerings of losses by operator. */
export const LOSS: Readonly<Record<string, Lowering>> = {
  NegativeLogLikelihoodLoss: (node) => [negativeLogLikelihood(node, required(node, 0))],
  SoftmaxCrossEntropyLoss: (node) => {
    const logProbability = apply("LogSoftmax", [required(node, 0)], { attributes: { axis: { int: 1 } } });
    return [negativeLogLikelihood(node, logProbability), logProbability];
  },
};

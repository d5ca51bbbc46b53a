/** The graph pass that keeps the parts of a cross entropy from standing in memory all at once. */
import { apply, nodesInOrder } from "../onnx/graph.ts";
import { add, ints, mul, scalar } from "../onnx/operators.ts";
import { type GraphPass, rewrite } from "../onnx/rewrite.ts";
import type { OnnxValue } from "../onnx/value.ts";

/**
 * Where softmax(z) is multiplied with a matrix and its largest value is asked for too, the largest value waits for the
 * product. So a part of the vocabulary is done with, and its logits are let go, before the next part's sum can be asked for.
 * Without this pass the runtime would compute the sums of all parts first and hold all of their softmax.
 */
export const softmaxProductsFirst: GraphPass = (graph) => {
  const products = new Map<OnnxValue, OnnxValue>();
  for (const { op, inputs, outputs } of nodesInOrder(Object.values(graph.outputs))) {
    const z = op === "Gemm" ? softmaxInput(inputs[0]) : undefined;
    if (z) products.set(z, outputs[0]!);
  }
  if (products.size < 2) return { graph, replaced: 0 };
  return rewrite(graph, ({ op, inputs: before, attributes, label }, inputs) => {
    const z = op === "ReduceMax" ? softmaxInput(before[0]) : undefined;
    const product = z && products.get(z);
    if (!product) return undefined;
    const largest = apply(op, inputs, { attributes, label });
    const corner = apply("Slice", [product, ints([0, 0]), ints([1, 1])]);
    return [add(largest, mul(corner, scalar(0)))];
  });
};

/** z of softmax(z). */
function softmaxInput(value: OnnxValue | undefined): OnnxValue | undefined {
  return value?.source.kind === "node" && value.source.node.op === "Softmax" ? value.source.node.inputs[0] : undefined;
}

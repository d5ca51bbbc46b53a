/** Graph passes: a new graph in which some nodes are replaced by others of the same meaning. */

import { intAttribute } from "./attributes.ts";
import { checkGraph } from "./check.ts";
import { apply, applyAll, nodesInOrder } from "./graph.ts";
import { log, mul, reshape, softmax, sub } from "./operators.ts";
import { reductionAxes } from "./shapes/reduction.ts";
import type { OnnxGraph, OnnxNode, OnnxValue } from "./value.ts";

/** What takes a node's place, given its inputs in the new graph; undefined leaves the node as it is. */
export type Replacement = (
  node: OnnxNode,
  inputs: readonly (OnnxValue | undefined)[],
) => readonly OnnxValue[] | undefined;

/** A graph after a pass. */
export interface Rewritten {
  readonly graph: OnnxGraph;
  /** Number of nodes replaced. */
  readonly replaced: number;
}

/** Apply a replacement to every node.  Throws: ONNX_INVALID when a replacement changes a dtype or a shape. */
export function rewrite(graph: OnnxGraph, replace: Replacement): Rewritten {
  checkGraph(graph);
  const now = new Map<OnnxValue, OnnxValue>();
  const current = (value: OnnxValue): OnnxValue => now.get(value) ?? value;
  let replaced = 0;
  for (const node of nodesInOrder(Object.values(graph.outputs))) {
    const inputs = node.inputs.map((input) => input && current(input));
    const other = replace(node, inputs);
    if (other) replaced += 1;
    else if (inputs.every((input, i) => input === node.inputs[i])) continue;
    const outputs = other ?? applyAll(node.op, inputs, { ...node, outputs: node.outputs.length });
    for (const [i, output] of node.outputs.entries()) {
      const value = outputs[i]!;
      if (value.dtype !== output.dtype || value.shape.join() !== output.shape.join()) {
        throw new RangeError(`the replacement of ${node.op} has ${value.dtype}[${value.shape}], not [${output.shape}]`);
      }
      now.set(output, value);
    }
  }
  const outputs = Object.fromEntries(Object.entries(graph.outputs).map(([name, value]) => [name, current(value)]));
  const result = { inputs: graph.inputs, outputs };
  checkGraph(result);
  return { graph: result, replaced };
}

/** Operators that onnxruntime's CPU kernels are slow at, in terms of those they are fast at. */
export const forSpeed: Replacement = (node, inputs) => {
  if (node.domain !== "") return undefined;
  if (node.op === "ReduceLogSumExp") return bySoftmax(node, inputs[0]!);
  if (node.op === "Gemm") return factorsLast(node, inputs);
  return undefined;
};

/**
 * log sum exp x = max x - log max softmax x, over the last axis: the largest softmax is at least 1/V, so the logarithm
 * is exact to rounding. Measured on [1920, 2048]: 2.5 ms against 16 ms of ReduceLogSumExp, and the softmax is the one
 * that the gradient needs.
 */
function bySoftmax(node: OnnxNode, x: OnnxValue): readonly OnnxValue[] | undefined {
  const last = x.shape.length - 1;
  const axes = reductionAxes(node.inputs, node.attributes);
  if (axes?.length !== 1 || axes[0] !== last) return undefined;
  const largest = (of: OnnxValue): OnnxValue =>
    apply("ReduceMax", [of, node.inputs[1]], { attributes: { keepdims: { int: 1 } }, label: node.label });
  const value = sub(largest(x), log(largest(softmax(x))));
  return [intAttribute(node.attributes, "keepdims", 1) === 1 ? value : reshape(value, x.shape.slice(0, -1))];
}

/**
 * (a s) B = a (s B) with a factor a [M,1] for each row of a softmax s [M,K], where B [K,N] makes the rows narrower: the
 * gradient of log sum exp multiplies rows as long as the vocabulary otherwise.
 */
function factorsLast(node: OnnxNode, inputs: readonly (OnnxValue | undefined)[]): readonly OnnxValue[] | undefined {
  const scaled = inputs[0]!;
  const transA = intAttribute(node.attributes, "transA", 0) === 1;
  if (scaled.source.kind !== "node" || scaled.source.node.op !== "Mul" || transA || inputs[2]) return undefined;
  if (node.outputs[0]!.shape[1]! >= scaled.shape[1]!) return undefined;
  const [factor, rows] = scaled.source.node.inputs as readonly [OnnxValue, OnnxValue];
  const isSoftmax = rows.source.kind === "node" && rows.source.node.op === "Softmax";
  if (!isSoftmax || factor.shape.join() !== `${scaled.shape[0]},1`) return undefined;
  return [mul(factor, apply("Gemm", [rows, inputs[1]], { attributes: node.attributes, label: node.label }))];
}

/** The engine of graph passes: a new graph in which some nodes are replaced by others of the same meaning. */
import { checkGraph } from "./check.ts";
import { applyAll, nodesInOrder } from "./graph.ts";
import type { OnnxGraph, OnnxNode, OnnxValue } from "./value.ts";

/** The values that take a node's place, given its inputs in the new graph; undefined leaves the node as it is. */
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

/** A pass: a graph of the same meaning. It checks the graph before and after, and says whether it changed anything. */
export type GraphPass = (graph: OnnxGraph) => Rewritten;

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

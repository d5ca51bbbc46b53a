/** The conditions that every graph meets, before and after each pass. */
import { NodeError } from "../errors.ts";
import { nodesInOrder } from "./graph.ts";
import { inferShapes } from "./shape-inference.ts";
import { describeNode } from "./shapes/rule.ts";
import type { OnnxGraph } from "./value.ts";

/**
 * Inputs have different names, every input that is read is declared, and every node's outputs have the dtype and shape
 * that its operator gives.  Throws: ONNX_INVALID saying which of these fails where.
 */
export function checkGraph(graph: OnnxGraph): void {
  const names = new Set<string>();
  for (const { source } of graph.inputs) {
    if (source.kind !== "input") throw new NodeError("ONNX_INVALID", "an input of the graph is made by a node");
    if (names.has(source.name)) throw new NodeError("ONNX_INVALID", `two inputs are called ${source.name}`);
    names.add(source.name);
  }
  const declared = new Set(graph.inputs);
  for (const node of nodesInOrder(Object.values(graph.outputs))) {
    for (const input of node.inputs) {
      if (input?.source.kind === "input" && !declared.has(input)) {
        throw new NodeError("ONNX_INVALID", `${describeNode(node)} reads ${input.source.name}, which is not declared`);
      }
    }
    const types = inferShapes({ ...node, outputCount: node.outputs.length });
    for (const [i, { dtype, shape }] of node.outputs.entries()) {
      const expected = types[i];
      if (expected?.dtype === dtype && expected.shape.join() === shape.join()) continue;
      throw new NodeError("ONNX_INVALID", `${describeNode(node)} says that output ${i} is ${dtype}[${shape}]`);
    }
  }
}

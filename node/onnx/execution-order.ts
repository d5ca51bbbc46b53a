/**
 * The order in which nodes stand in a model file, chosen so that onnxruntime executes them with little memory.
 *
 * onnxruntime does not follow the file: it walks depth first from the nodes that nothing reads, takes the one that
 * stands last in the file first, and at each node computes its inputs from the one that stands last to the one that
 * stands first. So a node stands after everything of a smaller depth (its longest way from an input): the deepest
 * input is then computed first. In a backward pass that is the gradient that comes from above; what a rule recomputes
 * from the forward pass is computed when it is needed and not, for all layers, beforehand.
 * Measured on SmolLM2-135M, LoRA, 4 x 128: see docs/PERFORMANCE.md.
 */
import { nodesInOrder } from "./graph.ts";
import type { OnnxNode, OnnxValue } from "./value.ts";

/** Every node after all nodes of a smaller depth, and so after those it reads. */
export function executionOrder(outputs: readonly OnnxValue[]): readonly OnnxNode[] {
  const depths = new Map<OnnxNode, number>();
  const nodes = nodesInOrder(outputs);
  for (const node of nodes) {
    let depth = 0;
    for (const input of node.inputs) {
      if (input?.source.kind === "node") depth = Math.max(depth, depths.get(input.source.node)! + 1);
    }
    depths.set(node, depth);
  }
  return nodes.toSorted((a, b) => depths.get(a)! - depths.get(b)!);
}

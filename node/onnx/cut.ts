/** The graph pass that cuts a graph in two at a value. */
import { checkGraph } from "./check.ts";
import { inputValue, nodesInOrder } from "./graph.ts";
import { rewrite } from "./rewrite.ts";
import type { OnnxGraph, OnnxValue } from "./value.ts";

/**
 * Two graphs that together compute what one did. Both are checked, and so is the graph before.
 * below: the inputs that the value depends on -> the value, under `name`.  above: the other inputs and the value, under
 * `name` -> the outputs of the graph.
 * Throws: ONNX_INVALID.
 */
export function cutGraph(
  graph: OnnxGraph,
  { at, name }: { readonly at: OnnxValue; readonly name: string },
): { readonly below: OnnxGraph; readonly above: OnnxGraph } {
  const input = inputValue(name, at.dtype, at.shape);
  const open = { ...graph, inputs: [...graph.inputs, input] };
  const above = rewrite(open, (node) => (node.outputs[0] === at ? [input] : undefined)).graph;
  const below = onlyReadInputs({ inputs: graph.inputs, outputs: { [name]: at } });
  checkGraph(below);
  return { below, above: onlyReadInputs(above) };
}

/** Without the inputs that nothing reads. */
function onlyReadInputs(graph: OnnxGraph): OnnxGraph {
  const read = new Set(nodesInOrder(Object.values(graph.outputs)).flatMap((node) => node.inputs));
  return { ...graph, inputs: graph.inputs.filter((input) => read.has(input)) };
}

/** Graphs cut at a value: into two, or open below it. */
import { checkGraph } from "./check.ts";
import { applyAll, inputValue, nodesInOrder } from "./graph.ts";
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

/**
 * The part of a graph that stands above a value, which becomes an input; what is below is never looked at.
 * at: its values become those of the input `name`, which comes last.  Throws: ONNX_INVALID.
 */
export function openedAt(graph: OnnxGraph, { at, name }: { readonly at: OnnxValue; readonly name: string }): OnnxGraph {
  const input = inputValue(name, at.dtype, at.shape);
  const now = new Map([[at, input]]);
  const current = (value: OnnxValue): OnnxValue => now.get(value) ?? value;
  for (const node of nodesInOrder(Object.values(graph.outputs), new Set([at]))) {
    const inputs = node.inputs.map((before) => before && current(before));
    if (inputs.every((one, i) => one === node.inputs[i])) continue;
    const outputs = applyAll(node.op, inputs, { ...node, outputs: node.outputs.length });
    for (const [i, output] of node.outputs.entries()) now.set(output, outputs[i]!);
  }
  const outputs = Object.fromEntries(Object.entries(graph.outputs).map(([key, value]) => [key, current(value)]));
  const opened = { inputs: [...graph.inputs, input], outputs };
  checkGraph(opened);
  return opened;
}

/** Without the inputs that nothing reads. */
export function onlyReadInputs(graph: OnnxGraph): OnnxGraph {
  const read = new Set(nodesInOrder(Object.values(graph.outputs)).flatMap((node) => node.inputs));
  return { ...graph, inputs: graph.inputs.filter((input) => read.has(input)) };
}

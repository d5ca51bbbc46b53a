/**
 * The memory that onnxruntime takes to run a graph, foreseen without running it: nodes in the order in which it executes
 * them (`execution-order.ts`), each value held from the node that makes it to the last one that reads it.
 */
import { sizeOf } from "../tensor.ts";
import { ARRAY_BY_DTYPE } from "./dtype.ts";
import { executionOrder } from "./execution-order.ts";
import type { OnnxGraph, OnnxNode, OnnxValue } from "./value.ts";

/** Bytes that one session takes beside the graph's inputs and outputs. */
export interface MemoryUse {
  /** Most bytes of computed values that are held at a time. */
  readonly activations: number;
  /** Bytes of weights that lie in files, each range once; of those that only rows are taken from, these rows' pages. */
  readonly weights: number;
  /** Constants that are part of the model. */
  readonly constants: number;
}

/** Foresee the memory of a graph. */
export function memoryUse(graph: OnnxGraph): MemoryUse {
  const order = runOrder(graph);
  return { activations: mostHeld(graph, order), ...storedBytes(order) };
}

/** Bytes of a value; numbers of 4 bits share bytes. */
export const valueBytes = ({ dtype, shape }: Pick<OnnxValue, "dtype" | "shape">): number =>
  dtype === "int4" ? Math.ceil(sizeOf(shape) / 2) : sizeOf(shape) * ARRAY_BY_DTYPE[dtype].BYTES_PER_ELEMENT;

/** Depth first from the nodes that nothing reads, of nodes and of inputs the last one in the file first. */
function runOrder(graph: OnnxGraph): readonly OnnxNode[] {
  const file = executionOrder(Object.values(graph.outputs));
  const place = new Map(file.map((node, i) => [node, i]));
  const read = new Set(file.flatMap((node) => sourcesOf(node)));
  const done = new Set<OnnxNode>();
  const order: OnnxNode[] = [];
  const lastFirst = (nodes: readonly OnnxNode[]): readonly OnnxNode[] =>
    nodes.toSorted((a, b) => place.get(b)! - place.get(a)!);
  for (const leaf of lastFirst(file.filter((node) => !read.has(node)))) {
    const stack = [{ node: leaf, inputs: lastFirst(sourcesOf(leaf)), next: 0 }];
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const input = done.has(top.node) ? undefined : top.inputs[top.next++];
      if (input) {
        if (!done.has(input)) stack.push({ node: input, inputs: lastFirst(sourcesOf(input)), next: 0 });
        continue;
      }
      stack.pop();
      if (done.has(top.node)) continue;
      done.add(top.node);
      order.push(top.node);
    }
  }
  return order;
}

const sourcesOf = (node: OnnxNode): readonly OnnxNode[] => [
  ...new Set(node.inputs.flatMap((input) => (input?.source.kind === "node" ? [input.source.node] : []))),
];

/** Operators whose result is their first input's buffer under another shape. */
const VIEWS: ReadonlySet<string> = new Set(["Reshape", "Identity", "Squeeze", "Unsqueeze", "Flatten"]);
/** Operators that may write their result over an input of the same size which nobody reads any more. */
const IN_PLACE: ReadonlySet<string> = new Set(
  "Add,Sub,Mul,Div,Neg,Abs,Sqrt,Reciprocal,Exp,Log,Sigmoid,Tanh,Erf,Relu,Cast,Softmax,Clip,Sum,QuickGelu".split(","),
);

/** Most bytes of values that are held at a time. */
function mostHeld(graph: OnnxGraph, order: readonly OnnxNode[]): number {
  const outputs = new Set(Object.values(graph.outputs));
  const bufferOf = new Map<OnnxValue, OnnxValue>();
  const buffer = (value: OnnxValue): OnnxValue => bufferOf.get(value) ?? value;
  const readers = readersOfBuffers(order, bufferOf);
  let [held, most] = [0, 0];
  const release = (of: OnnxValue): void => {
    const left = readers.get(of)! - 1;
    readers.set(of, left);
    if (left === 0 && of.source.kind === "node" && !outputs.has(of)) held -= valueBytes(of);
  };
  for (const node of order) {
    const inputs = [...new Set(node.inputs.flatMap((input) => (input ? [buffer(input)] : [])))];
    const own = node.outputs.filter((output) => buffer(output) === output && !outputs.has(output));
    const reused = IN_PLACE.has(node.op)
      ? inputs.find(
          (of) =>
            of.source.kind === "node" &&
            readers.get(of) === 1 &&
            !outputs.has(of) &&
            own[0] &&
            valueBytes(of) === valueBytes(own[0]),
        )
      : undefined;
    for (const output of own) held += valueBytes(output);
    most = Math.max(most, reused ? held - valueBytes(reused) : held);
    for (const of of inputs) release(of);
    for (const output of own) if ((readers.get(output) ?? 0) === 0) held -= valueBytes(output);
  }
  return most;
}

/** How many nodes read each buffer; fills in which buffer a value stands in. */
function readersOfBuffers(order: readonly OnnxNode[], bufferOf: Map<OnnxValue, OnnxValue>): Map<OnnxValue, number> {
  const readers = new Map<OnnxValue, number>();
  for (const node of order) {
    const inputs = node.inputs.flatMap((input) => (input ? [bufferOf.get(input) ?? input] : []));
    for (const of of new Set(inputs)) readers.set(of, (readers.get(of) ?? 0) + 1);
    if (VIEWS.has(node.op) && inputs[0]) bufferOf.set(node.outputs[0]!, inputs[0]);
  }
  return readers;
}

/** Of a mapped file the kernel brings in so much at a time, where it holds it in large pages. */
const LARGE_PAGE_BYTES = 2 ** 21;

/** Bytes that come in with the rows of `table` that are taken, which lie anywhere in it. */
function pagesOfRows(table: OnnxValue, taken: OnnxValue): number {
  const rowBytes = valueBytes(table) / (table.shape[0] ?? 1);
  return (valueBytes(taken) / rowBytes) * Math.max(rowBytes, LARGE_PAGE_BYTES);
}

function storedBytes(order: readonly OnnxNode[]): Pick<MemoryUse, "weights" | "constants"> {
  const ranges = new Map<string, number>();
  const seen = new Set<OnnxValue>();
  let constants = 0;
  for (const node of order) {
    for (const [i, value] of node.inputs.entries()) {
      if (!value || seen.has(value)) continue;
      if (value.source.kind === "constant") {
        seen.add(value);
        constants += valueBytes(value);
      }
      if (value.source.kind !== "external") continue;
      const { location, offset } = value.source.range;
      const rowsOnly = node.op === "Gather" && i === 0;
      const bytes = rowsOnly ? Math.min(valueBytes(value), pagesOfRows(value, node.outputs[0]!)) : valueBytes(value);
      const key = `${location} ${offset}`;
      ranges.set(key, Math.max(ranges.get(key) ?? 0, bytes));
    }
  }
  return { constants, weights: [...ranges.values()].reduce((sum, bytes) => sum + bytes, 0) };
}

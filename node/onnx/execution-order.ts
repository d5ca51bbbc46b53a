/**
 * The order in which nodes stand in a model file, chosen so that onnxruntime executes them with little memory.
 *
 * onnxruntime does not follow the file: it walks depth first from the nodes that nothing reads, and at each node
 * computes the inputs from the one that stands last in the file to the one that stands first. So the order here says
 * which input is computed first:
 * - usually the deeper one (depth: the longest way from an input of the graph). In a backward pass that is the gradient
 *   from above; what a rule recomputes from the forward pass is computed when it is needed and not, for all layers,
 *   beforehand.
 * - of the parts that an output is assembled from (the gradients of all adapter tensors, put together by Concat) the
 *   shallower one: the gradients of the last layer's tensors are ready first, and what they need is then let go.
 */
import { nodesInOrder } from "./graph.ts";
import type { OnnxNode, OnnxValue } from "./value.ts";

/** Every node after those it reads. */
export function executionOrder(outputs: readonly OnnxValue[]): readonly OnnxNode[] {
  const nodes = nodesInOrder(outputs);
  const depths = depthsOf(nodes);
  const byDepth = (a: OnnxNode, b: OnnxNode): number => depths.get(a)! - depths.get(b)!;
  const consumers = consumersOf(nodes);
  const assembly = assemblyOf(outputs, consumers);
  const partOf = partsOf(nodes, { assembly, consumers });
  const owned = new Map<OnnxNode, OnnxNode[]>();
  for (const [node, part] of partOf) owned.set(part, [...(owned.get(part) ?? []), node]);
  const order = nodes.filter((node) => !assembly.has(node) && !partOf.has(node)).toSorted(byDepth);
  const placed = new Set<OnnxNode>();
  /** Place the parts that an output is assembled from, the deepest first and so executed last, then the node itself. */
  const place = (node: OnnxNode): void => {
    if (placed.has(node)) return;
    placed.add(node);
    if (!assembly.has(node)) {
      order.push(...(owned.get(node) ?? []).toSorted(byDepth));
      return;
    }
    const inputs = node.inputs.flatMap((input) => (input?.source.kind === "node" ? [input.source.node] : []));
    for (const input of inputs.toSorted((a, b) => byDepth(b, a))) place(input);
    order.push(node);
  };
  for (const node of [...assembly].toSorted((a, b) => byDepth(b, a))) place(node);
  return order;
}

/** For every node that serves one part of an assembled output and nothing else, the last node of that part. */
function partsOf(
  nodes: readonly OnnxNode[],
  graph: { readonly assembly: ReadonlySet<OnnxNode>; readonly consumers: ReadonlyMap<OnnxNode, readonly OnnxNode[]> },
): ReadonlyMap<OnnxNode, OnnxNode> {
  const partOf = new Map<OnnxNode, OnnxNode>();
  for (const node of nodes.toReversed()) {
    if (graph.assembly.has(node)) continue;
    const readers = graph.consumers.get(node) ?? [];
    const owners = new Set(readers.map((reader) => (graph.assembly.has(reader) ? node : partOf.get(reader))));
    const [owner] = owners;
    if (owners.size === 1 && owner) partOf.set(node, owner);
  }
  return partOf;
}

function depthsOf(nodes: readonly OnnxNode[]): ReadonlyMap<OnnxNode, number> {
  const depths = new Map<OnnxNode, number>();
  for (const node of nodes) {
    let depth = 0;
    for (const input of node.inputs) {
      if (input?.source.kind === "node") depth = Math.max(depth, depths.get(input.source.node)! + 1);
    }
    depths.set(node, depth);
  }
  return depths;
}

function consumersOf(nodes: readonly OnnxNode[]): ReadonlyMap<OnnxNode, readonly OnnxNode[]> {
  const consumers = new Map<OnnxNode, OnnxNode[]>();
  for (const node of nodes) {
    for (const input of node.inputs) {
      if (input?.source.kind !== "node") continue;
      const readers = consumers.get(input.source.node);
      if (readers) readers.push(node);
      else consumers.set(input.source.node, [node]);
    }
  }
  return consumers;
}

/** The Concat nodes at the end of an output, with what only shapes their results. */
function assemblyOf(
  outputs: readonly OnnxValue[],
  consumers: ReadonlyMap<OnnxNode, readonly OnnxNode[]>,
): ReadonlySet<OnnxNode> {
  const assembly = new Set<OnnxNode>();
  const visit = (value: OnnxValue | undefined): void => {
    if (value?.source.kind !== "node" || assembly.has(value.source.node)) return;
    const { node } = value.source;
    const isLast = (consumers.get(node) ?? []).every((reader) => assembly.has(reader));
    if (node.op !== "Concat" || !isLast) return;
    assembly.add(node);
    for (const input of node.inputs) visit(input);
  };
  for (const output of outputs) visit(output);
  return assembly;
}

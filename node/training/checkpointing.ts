/**
 * Gradient checkpointing as a graph pass (Chen et al. 2016, arXiv:1604.06174): between the blocks the residual stream is
 * kept, inside a block the backward pass computes what it needs again from there. About a third more work for a small
 * part of the memory.
 *
 * Block l reaches from checkpoint c_(l-1) to c_l. What is computed again starts from c_(l-1) + 0 dc_l, with dc_l the
 * gradient at the block's end: so it is not the same expression as in the forward pass, which the runtime would merge,
 * and it cannot be computed before the backward pass has come to this block.
 */
import { NodeError } from "../errors.ts";
import { checkGraph } from "../onnx/check.ts";
import { apply, applyAll, nodesInOrder } from "../onnx/graph.ts";
import { add, ints, mul, scalar } from "../onnx/operators.ts";
import type { Rewritten } from "../onnx/rewrite.ts";
import type { OnnxGraph, OnnxNode, OnnxValue } from "../onnx/value.ts";

/** A value between two blocks, and the gradient of the loss there. */
export interface Checkpoint {
  readonly value: OnnxValue;
  readonly gradient: OnnxValue;
}

/**
 * The pass: the output `gradient` of a graph, computed with less memory. The graph is checked before and after.
 * loss: the value that was differentiated.  checkpoints: in the order of the forward pass, only those whose gradient is
 * computed anyway.
 * Throws: ONNX_INVALID when a checkpoint is not part of the loss.
 */
export function withCheckpoints(
  graph: OnnxGraph,
  { loss, checkpoints }: { readonly loss: OnnxValue; readonly checkpoints: readonly Checkpoint[] },
): Rewritten {
  const { gradient } = graph.outputs;
  if (checkpoints.length === 0 || gradient === undefined) return { graph, replaced: 0 };
  checkGraph(graph);
  const cheaper = recomputingGradient(loss, gradient, checkpoints);
  const result = { ...graph, outputs: { ...graph.outputs, gradient: cheaper.gradient } };
  checkGraph(result);
  return { graph: result, replaced: cheaper.recomputed };
}

/** The gradient, and the number of forward values that it computes again. */
function recomputingGradient(
  loss: OnnxValue,
  gradient: OnnxValue,
  checkpoints: readonly Checkpoint[],
): { readonly gradient: OnnxValue; readonly recomputed: number } {
  const forward = new Set(nodesInOrder([loss]));
  const blocks = blockOfValues(loss, checkpoints, forward);
  const now = new Map<OnnxValue, OnnxValue>();
  const current = (value: OnnxValue): OnnxValue => now.get(value) ?? value;
  const gates = new Map<number, OnnxValue>();
  const again = new Map<OnnxValue, OnnxValue>();

  /** c_block, computable only after the gradient at the end of the block behind it. */
  const gated = (block: number): OnnxValue => {
    const known = gates.get(block);
    if (known) return known;
    const { value } = checkpoints[block]!;
    const made = add(value, mul(oneElement(current(checkpoints[block + 1]!.gradient)), scalar(0, value.dtype)));
    gates.set(block, made);
    return made;
  };
  /** A forward value computed again from the checkpoint in front of it. */
  const recomputed = (value: OnnxValue): OnnxValue => {
    const block = blocks.get(value);
    // Values that no checkpoint leads to, and those behind the last one, are kept.
    if (block === undefined || block >= checkpoints.length - 1 || value.source.kind !== "node") return value;
    if (checkpoints.some((checkpoint) => checkpoint.value === value)) return value;
    for (const node of innerNodes(value.source.node, { block, blocks, checkpoints })) {
      if (again.has(node.outputs[0]!)) continue;
      const inputs = node.inputs.map((input) => {
        if (input === undefined) return undefined;
        if (input === checkpoints[block]!.value) return gated(block);
        return again.get(input) ?? input;
      });
      const outputs = applyAll(node.op, inputs, { ...node, outputs: node.outputs.length });
      for (const [i, output] of node.outputs.entries()) again.set(output, outputs[i]!);
    }
    return again.get(value)!;
  };
  const rewriteBackward = (target: OnnxValue): void => {
    for (const node of nodesInOrder([target])) {
      if (forward.has(node) || now.has(node.outputs[0]!)) continue;
      const inputs = node.inputs.map((input) => input && recomputed(current(input)));
      const outputs = applyAll(node.op, inputs, { ...node, outputs: node.outputs.length });
      for (const [i, output] of node.outputs.entries()) now.set(output, outputs[i]!);
    }
  };
  // From the last block to the first: the gate of a block needs the gradient behind it, already rewritten.
  for (const checkpoint of checkpoints.toReversed()) rewriteBackward(checkpoint.gradient);
  rewriteBackward(gradient);
  return { gradient: current(gradient), recomputed: again.size };
}

/** For every forward value, the number of the last checkpoint that it is computed from. */
function blockOfValues(
  loss: OnnxValue,
  checkpoints: readonly Checkpoint[],
  forward: ReadonlySet<OnnxNode>,
): ReadonlyMap<OnnxValue, number> {
  const blocks = new Map<OnnxValue, number>();
  const numbers = new Map(checkpoints.map(({ value }, i) => [value, i]));
  for (const { value } of checkpoints) {
    if (value.source.kind !== "node" || !forward.has(value.source.node)) {
      throw new NodeError("ONNX_INVALID", "a checkpoint is not a part of the loss");
    }
  }
  for (const node of nodesInOrder([loss])) {
    let block: number | undefined;
    for (const input of node.inputs) {
      const from = input && (numbers.get(input) ?? blocks.get(input));
      if (from !== undefined) block = Math.max(block ?? from, from);
    }
    if (block !== undefined) for (const output of node.outputs) blocks.set(output, block);
  }
  return blocks;
}

/** The nodes that lead from a block's checkpoint to a node, that one last. */
function innerNodes(
  last: OnnxNode,
  {
    block,
    blocks,
    checkpoints,
  }: { block: number; blocks: ReadonlyMap<OnnxValue, number>; checkpoints: readonly Checkpoint[] },
): readonly OnnxNode[] {
  const start = checkpoints[block]!.value;
  const order: OnnxNode[] = [];
  const seen = new Set<OnnxNode>([last]);
  const stack = [{ node: last, next: 0 }];
  while (stack.length > 0) {
    const top = stack.at(-1)!;
    if (top.next < top.node.inputs.length) {
      const input = top.node.inputs[top.next++];
      if (!input || input === start || input.source.kind !== "node" || blocks.get(input) !== block) continue;
      if (seen.has(input.source.node)) continue;
      seen.add(input.source.node);
      stack.push({ node: input.source.node, next: 0 });
    } else {
      stack.pop();
      order.push(top.node);
    }
  }
  return order;
}

/** The first element of a value, with as many axes: enough to wait for it. */
function oneElement(value: OnnxValue): OnnxValue {
  const axes = value.shape.map((_, axis) => axis);
  return apply("Slice", [value, ints(axes.map(() => 0)), ints(axes.map(() => 1)), ints(axes)]);
}

/**
 * Reverse-mode differentiation of an ONNX graph: the gradient is more graph.
 *
 * Only nodes between the wanted values and the loss are visited, so frozen weights never get a gradient and nothing
 * is computed below the lowest adapter.
 */
import { NodeError } from "../errors.ts";
import { nodesInOrder } from "../onnx/graph.ts";
import { add, constantOnes, reduceSum, reshape, STOPPED, zeros } from "../onnx/operators.ts";
import { describeNode } from "../onnx/shapes/rule.ts";
import type { OnnxNode, OnnxValue } from "../onnx/value.ts";
import type { GradientRule } from "./rule.ts";
import { RULES } from "./rules/index.ts";

/**
 * dL/dx for every wanted x, in the shape of x; zeros where the loss does not depend on it.
 * loss: any shape; its elements are summed, each times that of `seed` (ones where it is absent): with the gradient of
 * something at the loss as seed, the result is the gradient of that.
 * Throws: GRADIENT_RULE_MISSING naming operator, place and the way from it to the loss.
 */
export function gradient(
  loss: OnnxValue,
  wanted: readonly OnnxValue[],
  { seed }: { readonly seed?: OnnxValue } = {},
): readonly OnnxValue[] {
  const order = nodesInOrder([loss]);
  const depends = dependents(order, wanted);
  const gradients = new Map<OnnxValue, OnnxValue>();
  if (depends.has(loss)) gradients.set(loss, seed ?? constantOnes(loss.shape, loss.dtype));

  for (const node of order.toReversed()) {
    const dy = node.outputs.map((output) => gradients.get(output));
    if (dy.every((g) => g === undefined)) continue;
    if (!node.inputs.some((input) => input && depends.has(input))) continue;
    const rule = ruleFor(node, loss);
    const inputs = new Set([...node.inputs.keys()].filter((i) => node.inputs[i] && depends.has(node.inputs[i])));
    for (const [i, partial] of partials(rule, { node, dy, wanted: inputs, loss })) {
      const input = node.inputs[i]!;
      const term = unbroadcast(partial, input.shape);
      const sum = gradients.get(input);
      gradients.set(input, sum ? add(sum, term) : term);
    }
  }
  return wanted.map((value) => gradients.get(value) ?? zeros(value.shape, value.dtype));
}

/** All values that depend on one of the roots, the roots included; not by way of a stopped gradient. */
function dependents(order: readonly OnnxNode[], roots: readonly OnnxValue[]): ReadonlySet<OnnxValue> {
  const found = new Set(roots);
  for (const node of order) {
    if (node.op === "Identity" && node.label === STOPPED) continue;
    if (node.inputs.some((input) => input && found.has(input))) {
      for (const output of node.outputs) {
        if (output.dtype === "float32" || output.dtype === "float64" || output.dtype === "float16") found.add(output);
      }
    }
  }
  return found;
}

/** Gradients of the wanted inputs by their place.  Throws: GRADIENT_RULE_MISSING where the rule does not reach. */
function partials(
  rule: GradientRule,
  at: {
    readonly node: OnnxNode;
    readonly dy: readonly (OnnxValue | undefined)[];
    readonly wanted: ReadonlySet<number>;
    readonly loss: OnnxValue;
  },
): readonly (readonly [number, OnnxValue])[] {
  try {
    const all = rule(at.node, at.dy);
    return [...at.wanted].map((i) => {
      const partial = all[i];
      if (!partial) throw new RangeError(`it has no gradient for its input ${i}`);
      return [i, partial()] as const;
    });
  } catch (error) {
    if (error instanceof RangeError) throw missing(at.node, at.loss, error.message);
    throw error;
  }
}

function ruleFor(node: OnnxNode, loss: OnnxValue) {
  const name = node.domain === "" ? node.op : `${node.domain}.${node.op}`;
  const rule = Object.hasOwn(RULES, name) ? RULES[name] : undefined;
  if (!rule) throw missing(node, loss, "there is no gradient rule for this operator");
  return rule;
}

function missing(node: OnnxNode, loss: OnnxValue, why: string): NodeError {
  const path = pathTo(node, loss).map((n) => n.label || n.op);
  return new NodeError(
    "GRADIENT_RULE_MISSING",
    `${describeNode(node)} cannot be differentiated: ${why} (on the way ${path.join(" -> ")} -> loss)`,
    {
      op: node.op,
      label: node.label,
      path,
    },
  );
}

/** Some chain of nodes from `node` to the loss, at most its last 8 links. */
function pathTo(node: OnnxNode, loss: OnnxValue): readonly OnnxNode[] {
  const reaches = new Map<OnnxNode, OnnxNode | undefined>([[node, undefined]]);
  for (const next of nodesInOrder([loss])) {
    for (const input of next.inputs) {
      if (input?.source.kind === "node" && reaches.has(input.source.node) && !reaches.has(next))
        reaches.set(next, input.source.node);
    }
  }
  const path: OnnxNode[] = [];
  let at = loss.source.kind === "node" ? loss.source.node : undefined;
  while (at) {
    path.unshift(at);
    at = reaches.get(at);
  }
  return path[0] === node ? path.slice(0, 8) : [node];
}

/** Sum a gradient over the axes along which its input was broadcast. */
export function unbroadcast(gradient: OnnxValue, shape: readonly number[]): OnnxValue {
  const extra = gradient.shape.length - shape.length;
  if (extra < 0) throw new RangeError(`a gradient of shape [${gradient.shape}] for a value of shape [${shape}]`);
  const axes = gradient.shape.flatMap((n, axis) =>
    axis < extra || (shape[axis - extra] === 1 && n !== 1) ? [axis] : [],
  );
  return reshape(axes.length > 0 ? reduceSum(gradient, axes, true) : gradient, shape);
}

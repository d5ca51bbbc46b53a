/** A gradient rule is the pure mathematics of one operator. The engine prunes, unbroadcasts and sums. */
import type { OnnxNode, OnnxValue } from "../onnx/value.ts";

/**
 * For one application y = f(x_0, x_1, …) and dL/dy, the gradients dL/dx_i, each computed only when it is asked for.
 * A gradient may keep the broadcast shape of the result: the engine sums it back to the input's shape.
 * An entry that is undefined says that the input is not differentiable (an index, a shape).
 *
 * dy: one gradient per output; an output that the loss does not depend on has undefined.
 */
export type GradientRule = (node: OnnxNode, dy: readonly (OnnxValue | undefined)[]) => readonly (Lazy | undefined)[];

/** A gradient that is built only when the engine needs it. */
export type Lazy = () => OnnxValue;

/** Rule of an operator with one output: dy is there whenever the rule is called. */
export function single(
  rule: (node: OnnxNode, dy: OnnxValue, y: OnnxValue) => readonly (Lazy | undefined)[],
): GradientRule {
  return (node, dy) => {
    const [gradient, ...others] = dy;
    if (!gradient || others.some((other) => other !== undefined)) {
      throw new RangeError(`${node.op} is differentiated through its first output only`);
    }
    return rule(node, gradient, node.outputs[0]!);
  };
}

/**
 * Values of the forward pass that the backward pass computes again instead of keeping, because they are large and cheap.
 * The runtime merges nodes that are alike, so a value is computed again in another form than the first time.
 */
import { floatAttribute, intAttribute } from "../onnx/attributes.ts";
import { apply } from "../onnx/graph.ts";
import { mul, scalar, sigmoid } from "../onnx/operators.ts";
import type { OnnxValue } from "../onnx/value.ts";

/**
 * x sigmoid(a x) in the form that the gradient of QuickGelu uses too, so that both share it; a RMS normalisation with its
 * axis counted from the other end; other values as they are.
 */
export function recomputed(value: OnnxValue): OnnxValue {
  if (value.source.kind !== "node") return value;
  const { op, inputs, attributes, label } = value.source.node;
  if (op === "SimplifiedLayerNormalization") {
    const axis = intAttribute(attributes, "axis", -1);
    const rank = value.shape.length;
    const other = { int: axis < 0 ? axis + rank : axis - rank };
    return apply(op, inputs, { attributes: { ...attributes, axis: other }, label });
  }
  if (op !== "QuickGelu") return value;
  const x = inputs[0]!;
  const alpha = floatAttribute(attributes, "alpha", 1.702);
  return mul(x, sigmoid(alpha === 1 ? x : mul(x, scalar(alpha))));
}

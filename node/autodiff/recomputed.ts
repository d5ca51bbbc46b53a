/**
 * Values of the forward pass that the backward pass computes again instead of keeping: what is large and cheap.
 * The runtime merges nodes that are alike, so a value is computed again in another form than the first time.
 */
import { floatAttribute } from "../onnx/attributes.ts";
import { mul, scalar, sigmoid } from "../onnx/operators.ts";
import type { OnnxValue } from "../onnx/value.ts";

/** x sigmoid(a x) in the form that the gradient of QuickGelu uses too, so that both share it; other values as they are. */
export function recomputed(value: OnnxValue): OnnxValue {
  if (value.source.kind !== "node" || value.source.node.op !== "QuickGelu") return value;
  const { inputs, attributes } = value.source.node;
  const x = inputs[0]!;
  const alpha = floatAttribute(attributes, "alpha", 1.702);
  return mul(x, sigmoid(alpha === 1 ? x : mul(x, scalar(alpha))));
}

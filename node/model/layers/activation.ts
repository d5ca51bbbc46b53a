/** The activations of feed-forward layers, by the names that configs use. */
import { apply } from "../../onnx/graph.ts";
import type { OnnxValue } from "../../onnx/value.ts";

/**
 * x sigmoid(x) (Elfwing et al. 2017, arXiv:1702.03118), as one fused operator: the sigmoid is then not kept for the
 * backward pass, which computes it again.
 */
const silu = (x: OnnxValue): OnnxValue =>
  apply("QuickGelu", [x], { domain: "com.microsoft", attributes: { alpha: { float: 1 } } });
/** x sigmoid(1.702 x), of CLIP. */
const quickGelu = (x: OnnxValue): OnnxValue =>
  apply("QuickGelu", [x], { domain: "com.microsoft", attributes: { alpha: { float: 1.702 } } });
/** x Phi(x) (Hendrycks and Gimpel 2016, arXiv:1606.08415). */
const gelu = (x: OnnxValue): OnnxValue => apply("Gelu", [x]);
/** Its approximation by a hyperbolic tangent. */
const geluTanh = (x: OnnxValue): OnnxValue => apply("Gelu", [x], { attributes: { approximate: { string: "tanh" } } });

const BY_NAME = {
  silu,
  swish: silu,
  gelu,
  gelu_python: gelu,
  gelu_new: geluTanh,
  gelu_fast: geluTanh,
  gelu_pytorch_tanh: geluTanh,
  gelu_python_tanh: geluTanh,
  gelu_accurate: geluTanh,
  quick_gelu: quickGelu,
  relu: (x: OnnxValue): OnnxValue => apply("Relu", [x]),
} as const;

/** The name of an activation in a config. */
export type ActivationName = keyof typeof BY_NAME;

/** All names, for a config's schema. */
export const ACTIVATION_NAMES = Object.keys(BY_NAME) as [ActivationName, ...ActivationName[]];

/** The activation of that name, element by element. */
export function activation(name: ActivationName, x: OnnxValue): OnnxValue {
  return BY_NAME[name](x);
}

/** Normalisations over the last axis. */
import { apply } from "../../onnx/graph.ts";
import type { OnnxValue } from "../../onnx/value.ts";

/** x / sqrt(mean(x^2) + epsilon) * weight, over the last axis (Zhang and Sennrich 2019, arXiv:1910.07467). */
export function rmsNorm(x: OnnxValue, weight: OnnxValue, epsilon: number): OnnxValue {
  return apply("SimplifiedLayerNormalization", [x, weight], {
    attributes: { axis: { int: -1 }, epsilon: { float: epsilon } },
  });
}

/** (x - mean) / sqrt(variance + epsilon) * weight + bias (Ba et al. 2016, arXiv:1607.06450). */
export function layerNorm(
  x: OnnxValue,
  parameters: { readonly weight: OnnxValue; readonly bias: OnnxValue },
  epsilon: number,
): OnnxValue {
  return apply("LayerNormalization", [x, parameters.weight, parameters.bias], {
    attributes: { axis: { int: -1 }, epsilon: { float: epsilon } },
  });
}

/** Gradient rules of the fused normalisations (the models that weft builds itself spell them out). */

import { axisIndex, floatAttribute, intAttribute } from "../../onnx/attributes.ts";
import { add, mul, reciprocal, reduceMean, scalar, sqrt, sub } from "../../onnx/operators.ts";
import type { OnnxNode, OnnxValue } from "../../onnx/value.ts";
import type { GradientRule } from "../rule.ts";
import { single } from "../rule.ts";

function normalizedAxes(node: OnnxNode): readonly number[] {
  const rank = node.inputs[0]!.shape.length;
  const first = axisIndex(intAttribute(node.attributes, "axis", -1), rank);
  return Array.from({ length: rank - first }, (_, i) => first + i);
}

/** 1 / sqrt(mean(x^2) + epsilon) over the normalised axes. */
function inverseRms(x: OnnxValue, axes: readonly number[], epsilon: number): OnnxValue {
  return reciprocal(sqrt(add(reduceMean(mul(x, x), axes, true), scalar(epsilon, x.dtype))));
}

/** Rules of fused normalisations by operator. */
export const NORMALIZATION: Readonly<Record<string, GradientRule>> = {
  /** y = g n + b, n = (x - mean) s, s = 1/std: dx = s (dn - mean(dn) - n mean(dn n)), dn = g dy. */
  LayerNormalization: single((node, dy) => {
    const [x, scale] = node.inputs;
    const axes = normalizedAxes(node);
    const centred = sub(x!, reduceMean(x!, axes, true));
    const s = inverseRms(centred, axes, floatAttribute(node.attributes, "epsilon", 1e-5));
    const n = mul(centred, s);
    return [
      () => {
        const dn = mul(dy, scale!);
        const inner = add(reduceMean(dn, axes, true), mul(n, reduceMean(mul(dn, n), axes, true)));
        return mul(s, sub(dn, inner));
      },
      () => mul(dy, n),
      () => dy,
    ];
  }),
  /** The RMS normalisation, under onnxruntime's name: y = g x s, s = 1/rms: dx = s dn - x s^3 mean(dn x), dn = g dy. */
  SimplifiedLayerNormalization: single((node, dy) => {
    const [x, scale] = node.inputs;
    const axes = normalizedAxes(node);
    const s = inverseRms(x!, axes, floatAttribute(node.attributes, "epsilon", 1e-5));
    return [
      () => {
        const dn = mul(dy, scale!);
        const along = mul(mul(s, mul(s, s)), reduceMean(mul(dn, x!), axes, true));
        return sub(mul(dn, s), mul(x!, along));
      },
      () => mul(dy, mul(x!, s)),
    ];
  }),
};

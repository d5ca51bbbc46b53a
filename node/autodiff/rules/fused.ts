/** Gradient rules of fused operators that weft's own graphs use (exports of others are taken apart when they are read). */
import { floatAttribute } from "../../onnx/attributes.ts";
import { apply } from "../../onnx/graph.ts";
import { add, mul, neg, scalar, sigmoid, sub } from "../../onnx/operators.ts";
import { recomputed } from "../recomputed.ts";
import type { GradientRule } from "../rule.ts";
import { single } from "../rule.ts";

/** Rules by domain and operator. */
export const FUSED: Readonly<Record<string, GradientRule>> = {
  /** y = x s, s = sigmoid(a x): dx = dy (s + a y (1 - s)), with y computed again. */
  "com.microsoft.QuickGelu": single(({ inputs: [x], attributes }, dy, y) => [
    () => {
      const alpha = floatAttribute(attributes, "alpha", 1.702);
      const s = sigmoid(alpha === 1 ? x! : mul(x!, scalar(alpha)));
      const again = alpha === 1 ? recomputed(y) : mul(recomputed(y), scalar(alpha));
      return mul(dy, add(s, mul(again, sub(scalar(1), s))));
    },
  ]),
  /** A rotation by the angles of places: the gradient is turned back, dx = y with -sin in the place of sin. */
  "com.microsoft.RotaryEmbedding": single(({ op, domain, inputs: [, positions, cos, sin], attributes }, dy) => [
    () => apply(op, [dy, positions, cos, neg(sin!)], { domain, attributes }),
  ]),
};

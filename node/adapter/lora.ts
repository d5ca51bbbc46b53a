/**
 * LoRA: y = x W0^T + (alpha / r) B A x, A [r, in], B [out, r], on chosen linear layers; A and B are trained. With a bias
 * b [out] behind B, trained too: y = x W0^T + (alpha / r) (B A x + b).
 * Source: Hu et al. 2021, arXiv:2106.09685; the bias is lora_bias of PEFT.
 */
import type { AdapterOf } from "../../protocol/adapter-spec.ts";
import type { LinearSite, ModelShape } from "../model/base-model.ts";
import { add, mul, scalar } from "../onnx/operators.ts";
import type { OnnxValue } from "../onnx/value.ts";
import { lowRankDropout, lowRankHooks, lowRankParts, lowRankScale, lowRankSites } from "./low-rank.ts";
import type { AdapterDefinition, AdapterPart, InjectionContext } from "./method.ts";

/** The definition of LoRA. */
export const LORA: AdapterDefinition<AdapterOf<"lora">> = {
  parts: (settings, model) => {
    const factors = lowRankParts(settings, model, { a: "sent" });
    if (settings.bias !== "trained") return factors;
    return lowRankSites(settings, model).flatMap(({ path, outputs }, i): AdapterPart[] => [
      ...factors.slice(2 * i, 2 * i + 2),
      { name: `${path}.b`, shape: [outputs], role: "sent", start: () => new Float32Array(outputs) },
    ]);
  },
  dropout: lowRankDropout,
  hooks,
};

function hooks(settings: AdapterOf<"lora">, model: ModelShape, context: InjectionContext) {
  const product = lowRankHooks(settings, model, context);
  if (settings.bias !== "trained") return product;
  const scale = scalar(lowRankScale(settings));
  return {
    ...product,
    linear: (site: LinearSite, x: OnnxValue, y: OnnxValue, rows?: OnnxValue): OnnxValue => {
      if (product.adapts?.(site) !== true) return y;
      const biased = add(y, mul(scale, context.tensor(`${site.path}.b`)));
      return product.linear?.(site, x, biased, rows) ?? biased;
    },
  };
}

/**
 * LoRA: y = x W0^T + (alpha / r) B A x, A [r, in], B [out, r], on chosen linear layers; A and B are trained.
 * Source: Hu et al. 2021, arXiv:2106.09685.
 */
import type { AdapterOf } from "../../protocol/adapter-spec.ts";
import { lowRankDropout, lowRankHooks, lowRankParts } from "./low-rank.ts";
import type { AdapterDefinition } from "./method.ts";

/** The definition of LoRA. */
export const LORA: AdapterDefinition<AdapterOf<"lora">> = {
  parts: (settings, model) => lowRankParts(settings, model, { a: "sent" }),
  dropout: lowRankDropout,
  hooks: (settings, model, context) => lowRankHooks(settings, model, context),
};

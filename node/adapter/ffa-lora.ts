/**
 * FFA-LoRA: y = x W0^T + (alpha / r) B A x with A frozen, equal on all peers; only B [out, r] is trained and sent.
 * With A shared the mean of the products B A is the product of the mean: averaging is exact.
 * Source: Sun et al. 2024, arXiv:2403.12313; A from the network's seed is this project's own.
 */
import type { AdapterOf } from "../../protocol/adapter-spec.ts";
import { lowRankDropout, lowRankHooks, lowRankParts } from "./low-rank.ts";
import type { AdapterDefinition } from "./method.ts";

/** The definition of FFA-LoRA. */
export const FFA_LORA: AdapterDefinition<AdapterOf<"ffa-lora">> = {
  parts: (settings, model) => lowRankParts(settings, model, { a: "frozen" }),
  dropout: lowRankDropout,
  hooks: (settings, model, context) => lowRankHooks(settings, model, context),
};

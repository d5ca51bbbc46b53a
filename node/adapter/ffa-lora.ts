/**
 * FFA-LoRA: y = x W0^T + (alpha / r) B A x with A frozen, equal on all peers; only B [out, r] is trained and sent.
 * With A shared the mean of the products B A is the product of the mean: averaging is exact.
 * Source: Sun et al. 2024, arXiv:2403.12313; A from the network's seed is this project's own.
 */
import type { FfaLoraSettings } from "../../protocol/adapter-spec.ts";
import { lowRankDropout, lowRankHooks, lowRankSites, startUniform } from "./low-rank.ts";
import type { AdapterDefinition } from "./method.ts";

export const FFA_LORA: AdapterDefinition<FfaLoraSettings> = {
  /** A as LoRA starts it, B = 0, which edits nothing. */
  parts: (settings, model) =>
    lowRankSites(settings, model).flatMap(({ path, inputs, outputs }) => {
      const { rank } = settings;
      const A = `${path}.A`;
      return [
        { name: A, shape: [rank, inputs], role: "frozen" as const, start: startUniform(A, rank, inputs) },
        {
          name: `${path}.B`,
          shape: [outputs, rank],
          role: "sent" as const,
          start: () => new Float32Array(outputs * rank),
        },
      ];
    }),
  dropout: lowRankDropout,
  hooks: (settings, model, context) => lowRankHooks(settings, model, context),
};

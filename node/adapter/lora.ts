/**
 * LoRA: y = x W0^T + (alpha / r) B A x, A [r, in], B [out, r], on chosen linear layers; A and B are trained.
 * Source: Hu et al. 2021, arXiv:2106.09685.
 */
import type { LoraSettings } from "../../protocol/adapter-spec.ts";
import { lowRankDropout, lowRankHooks, lowRankSites, startUniform } from "./low-rank.ts";
import type { AdapterDefinition } from "./method.ts";

export const LORA: AdapterDefinition<LoraSettings> = {
  /** A uniform in +-1/sqrt(in) (Kaiming), B = 0, which edits nothing. */
  parts: (settings, model) =>
    lowRankSites(settings, model).flatMap(({ path, inputs, outputs }) => {
      const { rank } = settings;
      const A = `${path}.A`;
      return [
        { name: A, shape: [rank, inputs], role: "sent" as const, start: startUniform(A, rank, inputs) },
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

/**
 * NoReFT: h + W2^T (W1 h + b - W2 h): LoReFT without orthogonality.
 * Shapes: W1 f32[r, d], W2 f32[r, d], b f32[r].
 * Source: Wu et al. 2024, arXiv:2404.03592, ablations; the start is this project's own.
 */
import type { AdapterOf } from "../../protocol/adapter-spec.ts";
import { gemm, sub } from "../onnx/operators.ts";
import { interventionCounts, interventionHooks, interventions } from "./intervention.ts";
import type { AdapterDefinition } from "./method.ts";
import { startRotation } from "./rotation.ts";

/** The definition of NoReFT. */
export const NOREFT: AdapterDefinition<AdapterOf<"noreft">> = {
  /** W1 = W2 and b = 0, which edits nothing; the rows of W2 start orthonormal, as those of LoReFT's R. */
  parts: (settings, model) =>
    interventions(settings, model).flatMap(({ name }) => {
      const start = startRotation(name, settings.rank, model.hidden);
      const shape = [settings.rank, model.hidden];
      return [
        { name: `${name}.W1`, shape, role: "sent" as const, start },
        { name: `${name}.W2`, shape, role: "sent" as const, start },
        {
          name: `${name}.b`,
          shape: [settings.rank],
          role: "sent" as const,
          start: () => new Float32Array(settings.rank),
        },
      ];
    }),
  positions: interventionCounts,
  hooks: (settings, model, context) =>
    interventionHooks(settings, model, context, (x, part) => {
      const W2 = part("W2");
      // W1 x + b - W2 x = (W1 - W2) x + b
      return gemm(gemm(x, sub(part("W1"), W2), { transB: true, c: part("b") }), W2);
    }),
};

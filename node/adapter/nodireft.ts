/**
 * NoDiReFT: h + W2^T (W1 h + b): a plain low-rank edit of the residual stream, neither rotation nor orthogonality.
 * Shapes: W1 f32[r, d], W2 f32[r, d], b f32[r].
 * Source: Wu et al. 2024, arXiv:2404.03592, ablations; the start is this project's own.
 */
import type { AdapterOf } from "../../protocol/adapter-spec.ts";
import { gemm } from "../onnx/operators.ts";
import { interventionCounts, interventionHooks, interventions } from "./intervention.ts";
import type { AdapterDefinition } from "./method.ts";
import { startRotation } from "./rotation.ts";

/** The definition of NoDiReFT. */
export const NODIREFT: AdapterDefinition<AdapterOf<"nodireft">> = {
  /** W1 = 0 and b = 0, which edits nothing; the rows of W2 start orthonormal, as those of DiReFT's R. */
  parts: (settings, model) =>
    interventions(settings, model).flatMap(({ name }) => {
      const { rank } = settings;
      const shape = [rank, model.hidden];
      return [
        { name: `${name}.W1`, shape, role: "sent" as const, start: () => new Float32Array(rank * model.hidden) },
        { name: `${name}.W2`, shape, role: "sent" as const, start: startRotation(name, rank, model.hidden) },
        { name: `${name}.b`, shape: [rank], role: "sent" as const, start: () => new Float32Array(rank) },
      ];
    }),
  positions: interventionCounts,
  hooks: (settings, model, context) =>
    interventionHooks(settings, model, context, (x, part) =>
      gemm(gemm(x, part("W1"), { transB: true, c: part("b") }), part("W2")),
    ),
};

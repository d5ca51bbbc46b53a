/**
 * DiReFT: h + R^T (W h + b), R with orthonormal rows: LoReFT without the term R h.
 * Shapes: R f32[r, d], W f32[r, d], b f32[r].
 * Source: Wu et al. 2024, arXiv:2404.03592, section 3.2; the start and the frozen rotation are this project's own.
 */
import type { AdapterOf } from "../../protocol/adapter-spec.ts";
import { gemm } from "../onnx/operators.ts";
import { interventionCounts, interventionHooks, interventions } from "./intervention.ts";
import type { AdapterDefinition } from "./method.ts";
import { retractRotations, rotationPart } from "./rotation.ts";

/** The definition of DiReFT. */
export const DIREFT: AdapterDefinition<AdapterOf<"direft">> = {
  /** W = 0 and b = 0, which edits nothing; R from the seed, so that all peers start in one gauge. */
  parts: (settings, model) => {
    const { rank, rotation } = settings;
    const size = rank * model.hidden;
    return interventions(settings, model).flatMap(({ name }) => [
      rotationPart(name, rank, model.hidden, rotation),
      { name: `${name}.W`, shape: [rank, model.hidden], role: "sent" as const, start: () => new Float32Array(size) },
      { name: `${name}.b`, shape: [rank], role: "sent" as const, start: () => new Float32Array(rank) },
    ]);
  },
  positions: interventionCounts,
  hooks: (settings, model, context) =>
    interventionHooks(settings, model, context, (x, part) =>
      gemm(gemm(x, part("W"), { transB: true, c: part("b") }), part("R")),
    ),
  retract: retractRotations,
};

/**
 * LoReFT: h + R^T (W h + b - R h), R with orthonormal rows, on the residual stream at chosen positions.
 * Shapes: R f32[r, d], W f32[r, d], b f32[r].
 * R, W and b are trained; with `rotation: "frozen"` R stays as the network's seed has it and only W and b are trained.
 * Source: Wu et al. 2024, arXiv:2404.03592; the start is this project's own.
 */
import type { AdapterOf } from "../../protocol/adapter-spec.ts";
import { gemm, sub } from "../onnx/operators.ts";
import { interventionCounts, interventionHooks, interventions } from "./intervention.ts";
import type { AdapterDefinition } from "./method.ts";
import { retractRotations, rotationPart, startRotation } from "./rotation.ts";

/** The definition of LoReFT. */
export const LOREFT: AdapterDefinition<AdapterOf<"loreft">> = {
  /** W = R and b = 0, which edits nothing; R from the seed, so that all peers start in one gauge. */
  parts: (settings, model) => {
    const { rank, rotation } = settings;
    return interventions(settings, model).flatMap(({ name }) => [
      rotationPart(name, rank, model.hidden, rotation),
      {
        name: `${name}.W`,
        shape: [rank, model.hidden],
        role: "sent" as const,
        start: startRotation(name, rank, model.hidden),
      },
      { name: `${name}.b`, shape: [rank], role: "sent" as const, start: () => new Float32Array(rank) },
    ]);
  },
  positions: interventionCounts,
  hooks: (settings, model, context) =>
    interventionHooks(settings, model, context, (x, part) => {
      const R = part("R");
      // W x + b - R x = (W - R) x + b
      return gemm(gemm(x, sub(part("W"), R), { transB: true, c: part("b") }), R);
    }),
  retract: retractRotations,
};

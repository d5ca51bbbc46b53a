/**
 * LoReFT: h + R^T (W h + b - R h), R with orthonormal rows, on the residual stream at chosen prompt positions.
 * Source: Wu et al. 2024, arXiv:2404.03592.
 */
import type { AdapterSlot, LoreftSettings } from "../../protocol/adapter-spec.ts";
import { NodeError } from "../errors.ts";
import { apply } from "../onnx/graph.ts";
import { gemm, mul, scatterAdd, sub } from "../onnx/operators.ts";
import { chosenLayers } from "./layers.ts";
import type { AdapterMethod } from "./method.ts";
import { orthonormalRowsFromSeed, polarRows } from "./orthonormal.ts";

/** One intervention of a layer: which end of the prompt it serves, and what its tensors are called. */
interface Site {
  readonly layer: number;
  readonly name: string;
  readonly ends: readonly ("prefix" | "suffix")[];
}

function sites(settings: LoreftSettings, layerCount: number): readonly Site[] {
  const { first, last, tied } = settings.positions;
  const ends = [...(first > 0 ? (["prefix"] as const) : []), ...(last > 0 ? (["suffix"] as const) : [])];
  return chosenLayers(settings.layers, layerCount).flatMap((layer) =>
    tied
      ? [{ layer, name: `layers.${layer}`, ends }]
      : ends.map((end) => ({ layer, name: `layers.${layer}.${end}`, ends: [end] })),
  );
}

export const LOREFT: AdapterMethod<LoreftSettings> = {
  tensors: (settings, model) => {
    const { rank, positions } = settings;
    if (positions.first + positions.last === 0) {
      throw new NodeError("ADAPTER_SETTINGS", "a loreft adapter needs a position, such as f7+l7");
    }
    if (rank > model.hidden) {
      throw new NodeError(
        "ADAPTER_SETTINGS",
        `adapter rank ${rank} is larger than the model's hidden size ${model.hidden}`,
      );
    }
    return sites(settings, model.layers).flatMap(({ name }) => [
      { name: `${name}.R`, shape: [rank, model.hidden] },
      { name: `${name}.W`, shape: [rank, model.hidden] },
      { name: `${name}.b`, shape: [rank] },
    ]);
  },

  /** W = R and b = 0, which edits nothing; R from the seed, so that all peers start in one gauge. */
  start: (_, slots, prng) => {
    const theta = new Float32Array(slots.reduce((sum, slot) => sum + slot.length, 0));
    for (const { name, shape, offset } of slots) {
      if (name.endsWith(".b")) continue;
      const [rank, hidden] = shape as [number, number];
      theta.set(orthonormalRowsFromSeed(prng.fork(name.slice(0, -2)), rank, hidden), offset);
    }
    return theta;
  },

  hooks: (settings, model, { tensor, positions }) => {
    const all = sites(settings, model.layers);
    return {
      block: (layer, h) => {
        let edited = h;
        for (const { name, ends } of all.filter((site) => site.layer === layer)) {
          const [R, W, b] = ["R", "W", "b"].map((part) => tensor(`${name}.${part}`)) as [typeof h, typeof h, typeof h];
          for (const end of ends) {
            const at = positions[end];
            if (!at) continue;
            const x = apply("GatherND", [h, at.rows], { label: name });
            // W x + b - R x = (W - R) x + b
            const inner = gemm(x, sub(W, R), { transB: true, c: b });
            edited = scatterAdd(edited, at.rows, mul(gemm(inner, R), at.weights));
          }
        }
        return edited;
      },
    };
  },

  /** R <- the nearest matrix with orthonormal rows (its polar factor). */
  retract: (slots, theta) => {
    for (const slot of slots) if (slot.name.endsWith(".R")) retractSlot(slot, theta);
  },
};

function retractSlot({ shape, offset, length }: AdapterSlot, theta: Float32Array): void {
  const [rank, hidden] = shape as [number, number];
  theta.set(polarRows(theta.subarray(offset, offset + length), rank, hidden), offset);
}

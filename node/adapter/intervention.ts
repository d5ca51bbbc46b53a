/**
 * Interventions: edits of the residual stream after chosen blocks, at chosen positions. h <- h + delta(h) there.
 * This file holds what the ReFT methods share. Each method brings its delta.
 * Source: Wu et al. 2024, arXiv:2404.03592.
 */
import type { ReftSettings } from "../../protocol/adapter-spec.ts";
import { NodeError } from "../errors.ts";
import type { AdapterHooks, ModelShape } from "../model/base-model.ts";
import { apply } from "../onnx/graph.ts";
import { add, cast, matMul, mul, reshape, scatterAdd } from "../onnx/operators.ts";
import type { OnnxValue } from "../onnx/value.ts";
import { chosenLayers } from "./layers.ts";
import type { InjectionContext } from "./method.ts";
import type { InterventionRows, PositionCounts } from "./positions.ts";

/** One intervention of a layer: which positions it serves, and what its tensors are called. */
export interface Intervention {
  readonly layer: number;
  /** `layers.3`, or `layers.3.prefix` where prefix and suffix have one each. */
  readonly name: string;
  readonly ends: "all" | readonly ("prefix" | "suffix")[];
}

/** Throws: ADAPTER_SETTINGS when rank, layers or positions do not fit the model. */
export function interventions(settings: ReftSettings, model: ModelShape): readonly Intervention[] {
  const { kind, rank, positions } = settings;
  if (rank > model.hidden) {
    const text = `adapter rank ${rank} is larger than the model's hidden size ${model.hidden}`;
    throw new NodeError("ADAPTER_SETTINGS", text);
  }
  const layers = chosenLayers(settings.layers, model.layers);
  if (positions === "all") return layers.map((layer) => ({ layer, name: `layers.${layer}`, ends: "all" }));
  const { first, last, tied } = positions;
  const ends = [...(first > 0 ? (["prefix"] as const) : []), ...(last > 0 ? (["suffix"] as const) : [])];
  if (ends.length === 0) throw new NodeError("ADAPTER_SETTINGS", `a ${kind} adapter needs a position, such as f7+l7`);
  return layers.flatMap((layer): readonly Intervention[] =>
    tied
      ? [{ layer, name: `layers.${layer}`, ends }]
      : ends.map((end) => ({ layer, name: `layers.${layer}.${end}`, ends: [end] })),
  );
}

/** Prompt positions that the hooks need as inputs; none where every position is edited. */
export function interventionCounts({ positions }: ReftSettings): PositionCounts {
  return positions === "all" ? { first: 0, last: 0 } : positions;
}

/** A tensor of the intervention at hand by its short name, such as `R`. */
export type PartOf = (part: string) => OnnxValue;

/** The hooks of an edit; delta: x f32[K, d] -> f32[K, d], what is added to the K rows x. */
export function interventionHooks(
  settings: ReftSettings,
  model: ModelShape,
  { tensor, positions }: InjectionContext,
  delta: (x: OnnxValue, part: PartOf) => OnnxValue,
): AdapterHooks {
  const all = interventions(settings, model);
  return {
    block: (layer, h, rows) => {
      let edited = h;
      for (const { name, ends } of all.filter((site) => site.layer === layer)) {
        const part: PartOf = (short) => tensor(`${name}.${short}`);
        if (ends === "all") {
          edited = add(edited, delta(h, part));
          continue;
        }
        for (const end of ends) {
          const at = positions[end];
          if (!at) throw new RangeError(`${name} acts at the ${end}, whose positions are not among the inputs`);
          if (rows) {
            edited = add(edited, mul(delta(h, part), weightsAt(at, rows)));
            continue;
          }
          const x = apply("GatherND", [h, at.rows], { label: name });
          edited = scatterAdd(edited, at.rows, mul(delta(x, part), at.weights));
        }
      }
      return edited;
    },
  };
}

/** The weights with which an end edits rows i64[M]: sum_k w_k [rows_m = edited row k]; f32[M, 1]. */
function weightsAt(at: InterventionRows, rows: OnnxValue): OnnxValue {
  const [edited, wanted] = [at.rows.shape[0]!, rows.shape[0]!];
  const same = apply("Equal", [reshape(rows, [wanted, 1]), reshape(at.rows, [1, edited])]);
  return matMul(cast(same, "float32"), at.weights);
}

/** The layers that an adapter is attached to. */
import type { AdapterLayers } from "../../protocol/adapter-spec.ts";
import { NodeError } from "../errors.ts";

/** The layer numbers, rising.  Throws: ADAPTER_SETTINGS when one is not a layer of the model. */
export function chosenLayers(layers: AdapterLayers, count: number): readonly number[] {
  if (layers === "all") return Array.from({ length: count }, (_, layer) => layer);
  const wrong = layers.find((layer) => !Number.isInteger(layer) || layer < 0 || layer >= count);
  if (wrong !== undefined) {
    throw new NodeError("ADAPTER_SETTINGS", `adapter layer ${wrong}: the model has layers 0 to ${count - 1}`);
  }
  return layers;
}

/**
 * A combination: a LoRA kind on linear layers and a ReFT kind on the residual stream, both in one forward pass; its
 * tensors are those of the one, then those of the other. Their names never meet: `….A`, `.B`, `.C`, `.m`, `.b` on module paths
 * against `layers.N….R`, `.W`, `.W1`, `.W2`, `.b`.
 */
import type { CombinationSettings, LowRankSettings, ReftSettings } from "../../protocol/adapter-spec.ts";
import type { AdapterDefinition } from "./method.ts";
import { retractRotations } from "./rotation.ts";

/** The definition, given those of its two sides. */
export function combination(
  lowRank: (settings: LowRankSettings) => AdapterDefinition<LowRankSettings>,
  reft: (settings: ReftSettings) => AdapterDefinition<ReftSettings>,
): AdapterDefinition<CombinationSettings> {
  return {
    parts: (settings, model) => [
      ...lowRank(settings.lora).parts(settings.lora, model),
      ...reft(settings.reft).parts(settings.reft, model),
    ],
    positions: (settings) => reft(settings.reft).positions?.(settings.reft) ?? { first: 0, last: 0 },
    dropout: (settings, model) => lowRank(settings.lora).dropout?.(settings.lora, model) ?? [],
    hooks: (settings, model, context) => ({
      ...lowRank(settings.lora).hooks(settings.lora, model, context),
      ...reft(settings.reft).hooks(settings.reft, model, context),
    }),
    readsWeights: (settings) => lowRank(settings.lora).readsWeights?.(settings.lora) ?? false,
    retract: retractRotations,
  };
}

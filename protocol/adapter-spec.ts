/**
 * An adapter, as far as two peers must agree on it: its settings, and the order of its tensors in one flat vector f32[P].
 * This file only names and counts the numbers; `node/adapter` gives them their meaning.
 */

import type { LOW_RANK_ADAPTERS, REFT_ADAPTERS } from "./settings/adapter-kinds.ts";
import type { SettingsOf } from "./settings/variant.ts";

export type { AdapterLayers, ReftPositions } from "./settings/adapter-kinds.ts";

/** Settings that the LoRA kinds share: products of low rank beside linear layers (arXiv:2106.09685). */
export type LowRankSettings = SettingsOf<typeof LOW_RANK_ADAPTERS>;

/** Settings that the ReFT kinds share: edits of the residual stream (arXiv:2404.03592). */
export type ReftSettings = SettingsOf<typeof REFT_ADAPTERS>;

/** Both at once; the tensors of `lora` come first. */
export interface CombinationSettings {
  readonly kind: "combination";
  readonly lora: LowRankSettings;
  readonly reft: ReftSettings;
}

/** The settings of an adapter; settings/adapter-kinds.ts describes each kind. */
export type AdapterSettings = LowRankSettings | ReftSettings | CombinationSettings;

/** The settings of one kind. */
export type AdapterOf<Kind extends AdapterSettings["kind"]> = Extract<AdapterSettings, { readonly kind: Kind }>;

/** B A x, both trained and sent. */
export type LoraSettings = AdapterOf<"lora">;

/** h + R^T (W h + b - R h) */
export type LoreftSettings = AdapterOf<"loreft">;

/** One tensor of an adapter, in the order in which it stands in the flat vector. */
export interface AdapterTensor {
  /** Such as `layers.0.prefix.R` or `model.layers.0.self_attn.q_proj.A`. */
  readonly name: string;
  readonly shape: readonly number[];
}

/** Where one tensor stands in the flat vector: values [offset, offset + length). */
export interface AdapterSlot extends AdapterTensor {
  readonly offset: number;
  readonly length: number;
}

/** The tensors of an adapter laid out one after another in the flat vector. */
export function adapterSlots(tensors: readonly AdapterTensor[]): readonly AdapterSlot[] {
  let offset = 0;
  return tensors.map((tensor) => {
    const length = tensor.shape.reduce((product, n) => product * n, 1);
    const slot = { ...tensor, offset, length };
    offset += length;
    return slot;
  });
}

/** P, the number of values in the flat vector. */
export function parameterCount(tensors: readonly AdapterTensor[]): number {
  return tensors.reduce((sum, tensor) => sum + tensor.shape.reduce((product, n) => product * n, 1), 0);
}

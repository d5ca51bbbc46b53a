/**
 * What an adapter is, as far as two peers must agree on it: its settings, and the order of its tensors in one flat
 * vector f32[P]. Which numbers mean what is the business of `node/adapter`; this page only names and counts them.
 */

/** Layers an adapter is attached to, counted from 0 at the embedding: all of them, or the listed ones in rising order. */
export type AdapterLayers = "all" | readonly number[];

/** LoReFT on the residual stream, at the first `first` and last `last` prompt positions (arXiv:2404.03592). */
export interface LoreftSettings {
  readonly kind: "loreft";
  readonly rank: number;
  readonly layers: AdapterLayers;
  readonly positions: {
    readonly first: number;
    readonly last: number;
    /** true: one intervention serves both prefix and suffix; false: one each. */
    readonly tied: boolean;
  };
}

/** LoRA on linear layers named by the last part of their module path, such as `q_proj` (arXiv:2106.09685). */
export interface LoraSettings {
  readonly kind: "lora";
  readonly rank: number;
  /** The product B A x is scaled by alpha / rank. */
  readonly alpha: number;
  readonly targets: readonly string[];
  readonly layers: AdapterLayers;
}

export type AdapterSettings = LoreftSettings | LoraSettings;

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

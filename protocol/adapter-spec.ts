/**
 * What an adapter is, as far as two peers must agree on it: its settings, and the order of its tensors in one flat
 * vector f32[P]. Which numbers mean what is the business of `node/adapter`; this page only names and counts them.
 */

/** Layers an adapter is attached to, counted from 0 at the embedding: all of them, or the listed ones in rising order. */
export type AdapterLayers = "all" | readonly number[];

/** Every position of the sequence, what is generated included; or chosen prompt positions. */
export type ReftPositions =
  | "all"
  | {
      readonly first: number;
      readonly last: number;
      /** true: one intervention serves both prefix and suffix; false: one each. */
      readonly tied: boolean;
    };

/** What the ReFT kinds share: edits of the residual stream (arXiv:2404.03592). */
interface InterventionFields {
  readonly rank: number;
  readonly layers: AdapterLayers;
  readonly positions: ReftPositions;
}

/** LoReFT and DiReFT: R with orthonormal rows. */
interface RotationFields extends InterventionFields {
  /** Absent means trained; frozen: R is derived from the network's seed by every peer and is no part of the vector. */
  readonly rotation?: "trained" | "frozen";
}

/** h + R^T (W h + b - R h) */
export interface LoreftSettings extends RotationFields {
  readonly kind: "loreft";
}

/** h + R^T (W h + b) */
export interface DireftSettings extends RotationFields {
  readonly kind: "direft";
}

/** h + W2^T (W1 h + b - W2 h) */
export interface NoreftSettings extends InterventionFields {
  readonly kind: "noreft";
}

/** h + W2^T (W1 h + b) */
export interface NodireftSettings extends InterventionFields {
  readonly kind: "nodireft";
}

export type ReftSettings = LoreftSettings | DireftSettings | NoreftSettings | NodireftSettings;

/** What the LoRA kinds share: products of low rank beside linear layers (arXiv:2106.09685). */
interface LowRankFields {
  readonly rank: number;
  /** See `scale`. */
  readonly alpha: number;
  /** The product is scaled by alpha / rank (absent, or "rank") or by alpha / sqrt(rank) ("rslora"). */
  readonly scale?: "rank" | "rslora";
  /** Probability with which a value of the input is dropped while training; absent means 0. */
  readonly dropout?: number;
  /** Linear layers by the last part of their module path, such as `q_proj`. */
  readonly targets: readonly string[];
  readonly layers: AdapterLayers;
}

/** B A x, both trained and sent. */
export interface LoraSettings extends LowRankFields {
  readonly kind: "lora";
}

/** B A x with A frozen, derived from the network's seed. */
export interface FfaLoraSettings extends LowRankFields {
  readonly kind: "ffa-lora";
}

/** B C A x, only C sent (arXiv:2503.23869). */
export interface TriLoraSettings extends LowRankFields {
  readonly kind: "tri-lora";
  /** shared: A and B frozen, derived from the network's seed; personal: every peer trains its own. */
  readonly basis: "shared" | "personal";
}

export type LowRankSettings = LoraSettings | FfaLoraSettings | TriLoraSettings;

/** Both at once; the tensors of `lora` come first. */
export interface CombinationSettings {
  readonly kind: "combination";
  readonly lora: LowRankSettings;
  readonly reft: ReftSettings;
}

export type AdapterSettings = LowRankSettings | ReftSettings | CombinationSettings;

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

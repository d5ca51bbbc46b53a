/** A trained adapter by itself: its settings, its values, and the model that it belongs to. */
import type { AdapterSettings, AdapterSlot, AdapterTensor } from "../../protocol/adapter-spec.ts";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import type { ModelDigest } from "../../protocol/network-manifest.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { NodeError } from "../errors.ts";
import type { BaseModel } from "../model/base-model.ts";
import type { Tensor } from "../tensor.ts";
import { float32 } from "../tensor.ts";

/** An adapter with everything that is needed to use it on its model. */
export interface SavedAdapter {
  readonly settings: AdapterSettings;
  /** The seed of the network; frozen tensors are derived from it. */
  readonly seed: number;
  readonly model: { readonly family: string; readonly digest: ModelDigest };
  /** The trained tensors in flat order; of a classifier, those of its head behind them where they were trained. */
  readonly tensors: readonly AdapterTensor[];
  /** f32[P], one tensor after another. */
  readonly values: Float32Array;
}

/** Every tensor that the adapter's edit is made of, by name. */
export type TensorByName = (name: string) => Tensor;

/**
 * A trainer's flat vector as an adapter: the method's tensors, and those of the classifier's head where it is as long.
 * Throws: ADAPTER_SETTINGS, ADAPTER_SHAPE.
 */
export function adapterOfVector(
  model: BaseModel,
  options: Omit<SavedAdapter, "tensors" | "model"> & { readonly digest: ModelDigest },
): SavedAdapter {
  const { settings, seed, values, digest } = options;
  const own = adapterMethod(settings).tensors(settings, model.shape);
  const withHead = [...own, ...(model.classifier?.head ?? [])];
  const tensors = [own, withHead].find((candidate) => parameterCount(candidate) === values.length);
  if (!tensors) {
    const text = `an adapter of ${values.length} values where its settings ask for ${parameterCount(own)}`;
    throw new NodeError("ADAPTER_SHAPE", text, { values: values.length });
  }
  return { settings, seed, model: { family: model.family, digest }, tensors, values };
}

const parameterCount = (tensors: readonly AdapterTensor[]): number =>
  adapterSlots(tensors).reduce((sum, { length }) => sum + length, 0);

/**
 * Whether an adapter belongs to this model: the same weights and config, and the tensors that its settings give there.
 * name: the adapter's, for the error line.
 * Throws: MODEL_MISMATCH naming what differs, ADAPTER_SHAPE naming the tensor.
 */
export function checkAdapter(adapter: SavedAdapter, model: BaseModel, digest: ModelDigest, name: string): void {
  for (const part of ["config", "weights"] as const) {
    if (adapter.model.digest[part] === digest[part]) continue;
    const text = `${name} was trained on another model: its ${part} had the digest ${short(adapter.model.digest[part])}, this model's has ${short(digest[part])}`;
    throw new NodeError("MODEL_MISMATCH", text, { part, problem: "another-model" });
  }
  const { tensors } = adapterOfVector(model, { ...adapter, digest });
  for (const [i, expected] of tensors.entries()) {
    const found = adapter.tensors[i];
    if (found?.name === expected.name && found.shape.join() === expected.shape.join()) continue;
    const text = `${name}: its settings ask for ${expected.name} [${expected.shape}], it holds ${found ? `${found.name} [${found.shape}]` : "nothing"} in its place`;
    throw new NodeError("ADAPTER_SHAPE", text, { expected: expected.name });
  }
}

const short = (digest: string): string => `${digest.slice(0, 12)}…`;

/** The trained tensors where they stand in the vector. */
export function slotsOf(adapter: SavedAdapter): readonly AdapterSlot[] {
  return adapterSlots(adapter.tensors);
}

/** Trained tensors from the vector, frozen ones from the seed.  The result throws RangeError for other names. */
export function tensorsOf(adapter: SavedAdapter, model: BaseModel): TensorByName {
  const { settings, seed, values } = adapter;
  const all = new Map(adapterMethod(settings).frozen(settings, model.shape, seed));
  for (const { name, shape, offset, length } of slotsOf(adapter)) {
    all.set(name, float32(shape, values.subarray(offset, offset + length)));
  }
  return (name) => {
    const tensor = all.get(name);
    if (!tensor) throw new RangeError(`the adapter has no tensor ${name}`);
    return tensor;
  };
}

/** The tensors of the classifier's head that were trained with the adapter. */
export function trainedHeadOf(adapter: SavedAdapter, model: BaseModel): readonly AdapterSlot[] {
  const head = new Set(model.classifier?.head.map(({ name }) => name));
  return slotsOf(adapter).filter(({ name }) => head.has(name));
}

/**
 * One side of a combination as an adapter by itself; a trained head stays with it.
 * Throws: ADAPTER_FORMAT when the adapter has no such side.
 */
export function sideOf(adapter: SavedAdapter, model: BaseModel, side: "lora" | "reft"): SavedAdapter {
  const { settings } = adapter;
  const isReft = settings.kind.endsWith("reft");
  if (settings.kind !== "combination") {
    if (isReft === (side === "reft")) return adapter;
    throw new NodeError("ADAPTER_FORMAT", `a ${settings.kind} adapter has no ${side} part`);
  }
  const chosen = settings[side];
  const names = new Set([
    ...adapterMethod(chosen)
      .tensors(chosen, model.shape)
      .map(({ name }) => name),
    ...(model.classifier?.head.map(({ name }) => name) ?? []),
  ]);
  const slots = slotsOf(adapter).filter(({ name }) => names.has(name));
  return {
    ...adapter,
    settings: chosen,
    tensors: slots.map(({ name, shape }) => ({ name, shape })),
    values: concatenated(slots.map(({ offset, length }) => adapter.values.subarray(offset, offset + length))),
  };
}

/** Vectors one after another. */
export function concatenated(parts: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

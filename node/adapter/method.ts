/** What every adapter method brings: its tensors, its start, its edit of the forward pass, and what keeps it valid. */
import type { AdapterSettings, AdapterSlot, AdapterTensor } from "../../protocol/adapter-spec.ts";
import type { Prng } from "../../protocol/prng.ts";
import type { AdapterHooks, ModelShape } from "../model/base-model.ts";
import type { OnnxValue } from "../onnx/value.ts";
import type { InterventionInputs } from "./positions.ts";

/** The values that a method's edit is built from. */
export interface InjectionContext {
  /** A tensor of the adapter by name. */
  readonly tensor: (name: string) => OnnxValue;
  /** Rows of the residual stream at which ReFT methods act. */
  readonly positions: InterventionInputs;
}

export interface AdapterMethod<Settings extends AdapterSettings = AdapterSettings> {
  /** The tensors, in the order of the flat vector.  Throws: ADAPTER_SETTINGS when they do not fit the model. */
  tensors(settings: Settings, model: ModelShape): readonly AdapterTensor[];
  /** The common start of all peers, a no-op on the base model. */
  start(settings: Settings, slots: readonly AdapterSlot[], prng: Prng): Float32Array;
  hooks(settings: Settings, model: ModelShape, context: InjectionContext): AdapterHooks;
  /** Bring the vector back to the values the method allows, in place. */
  retract(slots: readonly AdapterSlot[], theta: Float32Array): void;
}

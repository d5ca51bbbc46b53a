/**
 * An adapter method states three things in an `AdapterDefinition`: the tensors that it is made of, its edit of the forward
 * pass, and how its values are kept valid. Everything else follows from them and is derived here, once for all methods.
 */
import type { AdapterSettings, AdapterSlot, AdapterTensor } from "../../protocol/adapter-spec.ts";
import type { Prng } from "../../protocol/prng.ts";
import { createPrng } from "../../protocol/prng.ts";
import type { AdapterHooks, BaseModel, ModelShape } from "../model/base-model.ts";
import type { OnnxValue } from "../onnx/value.ts";
import type { Tensor } from "../tensor.ts";
import { float32 } from "../tensor.ts";
import type { Drop, DropoutSite } from "./dropout.ts";
import type { InterventionInputs, PositionCounts } from "./positions.ts";

/**
 * Who changes a tensor and who sees it: `sent` is trained and travels in updates, `kept` is trained and never leaves
 * the peer, `frozen` is derived by every peer from the network's seed and never changes.
 */
export type TensorRole = "sent" | "kept" | "frozen";

/** One tensor of a method. */
export interface AdapterPart extends AdapterTensor {
  readonly role: TensorRole;
  /** Its values before the first local step, in row-major order, from the network's stream `adapter`. */
  readonly start: (prng: Prng) => Float32Array | Float64Array;
}

/** The frozen weights of a model, and their names. */
export type FrozenModel = Pick<BaseModel, "weight" | "weights">;

/** The values that a method's edit is built from. */
export interface InjectionContext {
  /** A tensor of the adapter by name, trained or frozen. */
  readonly tensor: (name: string) => OnnxValue;
  /** Rows of the residual stream at which ReFT methods act. */
  readonly positions: InterventionInputs;
  /** The frozen model, for edits that depend on the weights beside them. */
  readonly base: FrozenModel;
  /** While training with dropout. */
  readonly drop?: Drop;
}

/** What an adapter method states about itself. Everything else follows from it by `methodOf`. */
export interface AdapterDefinition<Settings> {
  /** All tensors; the trained ones in the order of the flat vector.  Throws: ADAPTER_SETTINGS when they do not fit. */
  parts(settings: Settings, model: ModelShape): readonly AdapterPart[];
  hooks(settings: Settings, model: ModelShape, context: InjectionContext): AdapterHooks;
  /** Prompt positions that the edit reads from its context; absent for methods without any. */
  positions?(settings: Settings): PositionCounts;
  /** Linear layers whose input is dropped out while training; absent for methods without dropout. */
  dropout?(settings: Settings, model: ModelShape): readonly DropoutSite[];
  /** Whether the edit reads the frozen weights themselves; absent where it does not. */
  readsWeights?(settings: Settings): boolean;
  /** Bring the vector back to the values the method allows, in place; absent where every value is allowed. */
  retract?(slots: readonly AdapterSlot[], theta: Float32Array): void;
}

/** An adapter method as the rest of the program uses it, derived from its definition. */
export interface AdapterMethod<Settings extends AdapterSettings = AdapterSettings> {
  /** The trained tensors, in the order of the flat vector.  Throws: ADAPTER_SETTINGS when they do not fit the model. */
  tensors(settings: Settings, model: ModelShape): readonly AdapterTensor[];
  /** The trained tensors that travel, in the same order: what a manifest lists and an update holds. */
  sent(settings: Settings, model: ModelShape): readonly AdapterTensor[];
  /** The tensors that nobody trains, by name; equal on all peers of a network. */
  frozen(settings: Settings, model: ModelShape, networkSeed: number): ReadonlyMap<string, Tensor>;
  /** The common start of all peers, a no-op on the base model: f32[P], the trained tensors. */
  start(settings: Settings, model: ModelShape, networkSeed: number): Float32Array;
  positions(settings: Settings): PositionCounts;
  dropout(settings: Settings, model: ModelShape): readonly DropoutSite[];
  hooks(settings: Settings, model: ModelShape, context: InjectionContext): AdapterHooks;
  /** Whether the edit reads the frozen weights themselves, which then must be there in f32. */
  readsWeights(settings: Settings): boolean;
  /** Bring the vector back to the values the method allows, in place. */
  retract(slots: readonly AdapterSlot[], theta: Float32Array): void;
}

/** Everything that follows from a definition. */
export function methodOf<Settings extends AdapterSettings>(
  definition: AdapterDefinition<Settings>,
): AdapterMethod<Settings> {
  const { parts, hooks } = definition;
  return {
    tensors: (settings, model) => bare(trained(parts(settings, model))),
    sent: (settings, model) => bare(parts(settings, model).filter(({ role }) => role === "sent")),
    frozen: (settings, model, networkSeed) => {
      const prng = adapterStream(networkSeed);
      const frozen = parts(settings, model).filter(({ role }) => role === "frozen");
      return new Map(frozen.map(({ name, shape, start }) => [name, float32(shape, start(prng))]));
    },
    start: (settings, model, networkSeed) => {
      const prng = adapterStream(networkSeed);
      const values = trained(parts(settings, model)).map(({ start }) => start(prng));
      const theta = new Float32Array(values.reduce((sum, { length }) => sum + length, 0));
      let offset = 0;
      for (const value of values) {
        theta.set(value, offset);
        offset += value.length;
      }
      return theta;
    },
    positions: (settings) => definition.positions?.(settings) ?? { first: 0, last: 0 },
    dropout: (settings, model) => definition.dropout?.(settings, model) ?? [],
    hooks,
    readsWeights: (settings) => definition.readsWeights?.(settings) ?? false,
    retract: (slots, theta) => definition.retract?.(slots, theta),
  };
}

/** The stream that every tensor's start is drawn from, each from a fork of its own (protocol/README.md, 3.3). */
const adapterStream = (networkSeed: number): Prng => createPrng(networkSeed).fork("adapter");

const trained = (parts: readonly AdapterPart[]): readonly AdapterPart[] =>
  parts.filter(({ role }) => role !== "frozen");

const bare = (parts: readonly AdapterPart[]): readonly AdapterTensor[] =>
  parts.map(({ name, shape }) => ({ name, shape }));

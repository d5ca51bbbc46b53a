/** An adapter in the forward pass: the graph inputs it needs beside its flat vector, and its hooks. */
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import type { AdapterHooks, ModelShape } from "../model/base-model.ts";
import { constantValue } from "../onnx/graph.ts";
import type { OnnxValue } from "../onnx/value.ts";
import type { Tensor } from "../tensor.ts";
import { dropoutInputs } from "./dropout.ts";
import type { FrozenModel } from "./method.ts";
import { adapterMethod } from "./methods.ts";
import { interventionInputs } from "./positions.ts";

/** Everything that an adapter's hooks are made from. */
export interface Injection {
  readonly settings: AdapterSettings;
  readonly model: ModelShape;
  /** The model's frozen weights. */
  readonly base: FrozenModel;
  /** The trained tensors as values of the graph; undefined for a name that is none of them. */
  readonly trained: (name: string) => OnnxValue | undefined;
  /** The tensors that nobody trains; they become constants of the graph. */
  readonly frozen: ReadonlyMap<string, Tensor>;
  /** B */
  readonly examples: number;
  /** Examples that share the B rows, where it is not one each. */
  readonly packed?: number;
  /** T */
  readonly tokens: number;
  /** Whether dropout is in effect. */
  readonly training: boolean;
}

/** Inputs: of `interventionInputs`, then, in training, of `dropoutInputs`. */
export function inject(injection: Injection): { readonly inputs: readonly OnnxValue[]; readonly hooks: AdapterHooks } {
  const { settings, model, base, trained, frozen, examples, packed = examples, tokens, training } = injection;
  const method = adapterMethod(settings);
  const positions = interventionInputs(method.positions(settings), packed);
  const rows = [positions.prefix, positions.suffix].flatMap((end) => (end ? [end.rows, end.weights] : []));
  const constants = new Map([...frozen].map(([name, tensor]) => [name, constantValue(tensor, name)]));
  const tensor = (name: string): OnnxValue => {
    const value = trained(name) ?? constants.get(name);
    if (!value) throw new RangeError(`the adapter has no tensor ${name}, neither trained nor frozen`);
    return value;
  };
  const sites = training ? method.dropout(settings, model) : [];
  if (sites.length === 0) return { inputs: rows, hooks: method.hooks(settings, model, { tensor, positions, base }) };
  const { inputs, drop } = dropoutInputs(sites, examples * tokens);
  return { inputs: [...rows, ...inputs], hooks: method.hooks(settings, model, { tensor, positions, base, drop }) };
}

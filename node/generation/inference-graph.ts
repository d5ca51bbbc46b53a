/**
 * Forward graphs with an adapter in them, for use instead of training: the adapter's tensors are constants, there is
 * no gradient and no dropout.
 */
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { inject } from "../adapter/inject.ts";
import { type BaseModel, finishedGraph, type WeightSource } from "../model/base-model.ts";
import { capped } from "../model/layers/cap.ts";
import type { KeysAndValues, KeyValueCache } from "../model/layers/key-value-cache.ts";
import { classRows } from "../model/layers/pooling.ts";
import { constantValue, inputValue } from "../onnx/graph.ts";
import { gather, gemm, ints, reshape } from "../onnx/operators.ts";
import type { OnnxGraph, OnnxValue } from "../onnx/value.ts";
import type { Tensor } from "../tensor.ts";

/** An adapter as graphs need it. */
export interface UsedAdapter {
  readonly settings: AdapterSettings;
  /** All tensors by name, frozen ones and those of a trained head included. */
  readonly tensors: ReadonlyMap<string, Tensor>;
}

/** A base model with an adapter whose values are fixed. */
export interface UsedModel {
  readonly model: BaseModel;
  /** The base model alone when absent. */
  readonly adapter?: UsedAdapter | undefined;
}

/**
 * Whole texts at once.  Inputs: input_ids i64[B,T], for classifiers attention_mask i64[B,T], the positions of
 * `interventionInputs`.  Outputs: logits f32[B,T,V], of classifiers of texts f32[B, classes].
 */
export function textGraph(used: UsedModel, shape: { readonly examples: number; readonly tokens: number }): OnnxGraph {
  const { model } = used;
  const { examples, tokens } = shape;
  const inputIds = inputValue("input_ids", "int64", [examples, tokens]);
  const attentionMask = inputValue("attention_mask", "int64", [examples, tokens]);
  const { inputs, hooks, weight } = adapted(used, shape);
  const hidden = model.hidden({ inputIds, attentionMask, weight, hooks });
  const rows = model.classifier ? classRows(hidden, attentionMask, model.classifier) : hidden;
  const logits = logitsOf(model, weight, rows);
  return finishedGraph(model, {
    inputs: [inputIds, ...(model.classifier ? [attentionMask] : []), ...inputs],
    outputs: { logits: rows === hidden ? reshape(logits, [examples, tokens, logits.shape[1]!]) : logits },
  });
}

/**
 * The prompt, read at once.  Inputs: input_ids i64[1,T], the positions of `interventionInputs`.
 * Outputs: logits f32[1,V] of the token behind it, and for every layer with a memory keys.N and values.N f32[1, groups, T, headSize].
 */
export function promptGraph(used: UsedModel, { tokens }: { readonly tokens: number }): OnnxGraph {
  const { model } = used;
  const inputIds = inputValue("input_ids", "int64", [1, tokens]);
  const { inputs, hooks, weight } = adapted(used, { examples: 1, tokens });
  const { cache, outputs } = remembering();
  const hidden = model.hidden({ inputIds, weight, hooks, cache });
  const logits = logitsOf(model, weight, gather(hidden, ints([tokens - 1])));
  return finishedGraph(model, { inputs: [inputIds, ...inputs], outputs: { logits, ...outputs } });
}

/**
 * One token behind those remembered.  Inputs: input_ids i64[1,1], position i64[1], and for every layer with a memory past_keys.N and
 * past_values.N f32[1, groups, capacity, headSize].  Outputs: as of `promptGraph`, for one token.
 * The adapter is that of `adapterAfterPrompt`.
 * Throws: RangeError for a model without a cache.
 */
export function tokenGraph(used: UsedModel, { capacity }: { readonly capacity: number }): OnnxGraph {
  const { model } = used;
  if (!model.cache) throw new RangeError(`${model.family} has no cache of keys and values`);
  const inputIds = inputValue("input_ids", "int64", [1, 1]);
  const position = inputValue("position", "int64", [1]);
  const past = new Map(
    [...model.cache.memories].map(([layer, { groups, headSize }]) => {
      const memory = (name: string) => inputValue(`${name}.${layer}`, "float32", [1, groups, capacity, headSize]);
      return [layer, { keys: memory("past_keys"), values: memory("past_values") }];
    }),
  );
  const { inputs, hooks, weight } = adapted(used, { examples: 1, tokens: 1 });
  const { cache, outputs } = remembering({ position, capacity, layer: (layer) => past.get(layer)! });
  const hidden = model.hidden({ inputIds, weight, hooks, cache });
  const memories = [...past.values()].flatMap(({ keys, values }) => [keys, values]);
  return finishedGraph(model, {
    inputs: [inputIds, position, ...memories, ...inputs],
    outputs: { logits: logitsOf(model, weight, hidden), ...outputs },
  });
}

/**
 * What of an adapter acts on generated tokens: LoRA kinds do, ReFT kinds only where they edit every position.
 * Source: Wu et al. 2024, arXiv:2404.03592: interventions at prompt positions leave generated tokens untouched.
 */
export function settingsAfterPrompt(settings: AdapterSettings): AdapterSettings | undefined {
  if (settings.kind === "combination") {
    return settings.reft.positions === "all" ? settings : settings.lora;
  }
  return "positions" in settings && settings.positions !== "all" ? undefined : settings;
}

function adapted({ model, adapter }: UsedModel, shape: { readonly examples: number; readonly tokens: number }) {
  if (!adapter) return { inputs: [], hooks: {}, weight: model.weight };
  const constants = new Map([...adapter.tensors].map(([name, tensor]) => [name, constantValue(tensor, name)]));
  const trained = (name: string): OnnxValue | undefined => constants.get(name);
  const injection = {
    settings: adapter.settings,
    model: model.shape,
    base: model,
    trained,
    frozen: new Map(),
    training: false,
  };
  const { inputs, hooks } = inject({ ...injection, ...shape });
  const weight: WeightSource = (wanted) => trained(wanted.name) ?? model.weight(wanted);
  return { inputs, hooks, weight };
}

function remembering(past?: KeyValueCache["past"]) {
  const outputs: Record<string, OnnxValue> = {};
  const remember = (layer: number, { keys, values }: KeysAndValues): void => {
    outputs[`keys.${layer}`] = keys;
    outputs[`values.${layer}`] = values;
  };
  const cache: KeyValueCache = past ? { past, remember } : { remember };
  return { cache, outputs };
}

function logitsOf(model: BaseModel, weight: WeightSource, rows: OnnxValue): OnnxValue {
  const x = model.normalize(rows, weight);
  const z = gemm(x, model.outputMatrix(weight), { transB: true, c: model.outputBias?.(weight) });
  return capped(z, model.logitCap);
}

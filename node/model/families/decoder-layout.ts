/** What a family of the Llama layout is made of: its sizes, its layers' kinds and scales, and the weights that follow. */
import { NodeError } from "../../errors.ts";
import type { LinearSite, WeightShape } from "../base-model.ts";
import type { ActivationName } from "../layers/activation.ts";
import type { RopeSettings } from "../layers/rope-settings.ts";
import { turnedValues } from "../layers/rotary.ts";
import type { InputsOfLayers, LayerInputWeights } from "./per-layer-inputs.ts";
import { layerInputWeights } from "./per-layer-inputs.ts";

/** In what the layers of one model may differ. */
export interface LayerKind {
  /** Tokens that a query sees, itself included; all earlier ones when absent. */
  readonly window?: number | undefined;
  /** Absent where a layer does not know positions. */
  readonly rope?: RopeSettings | undefined;
  /** Key/value heads, their size, and the width of the MLP, where they are not the layout's. */
  readonly groups?: number | undefined;
  readonly headSize?: number | undefined;
  readonly inner?: number | undefined;
  /** Whether values are what keys are projected to, before their norm. */
  readonly valuesAreKeys?: boolean | undefined;
  /** The earlier layer whose keys and values this one attends to, instead of any of its own. */
  readonly keysOf?: number | undefined;
}

/** Where the norms of attention and MLP stand. */
export type NormPlaces = "before" | "after" | "around" | "around, as GLM names them";

/** Everything in which the families of this layout differ. */
export interface DecoderLayout {
  readonly vocabulary: number;
  readonly hidden: number;
  /** Width of the MLP. */
  readonly inner: number;
  readonly layers: number;
  readonly heads: number;
  /** Key/value heads. */
  readonly groups: number;
  readonly headSize: number;
  readonly contextTokens: number;
  readonly epsilon: number;
  readonly activation: ActivationName;
  /** Whether the output matrix is the embedding. */
  readonly tied: boolean;
  readonly biases: { readonly qkv: boolean; readonly o: boolean; readonly mlp: boolean };
  /** One for each layer. */
  readonly kinds: readonly LayerKind[];
  /** RMS norms of queries and keys, before the rotation: of every head, or of all heads together; default none. */
  readonly queryKeyNorms?: "each head" | "all heads";
  /** Whether the heads of values are normalised too, without weights. */
  readonly valueNorms?: boolean;
  /** RMS norms stand before attention and MLP (the default), behind them, or on both sides, where GLM names them otherwise. */
  readonly norms?: NormPlaces;
  /** Whether the norms' weights are stored as what is added to 1. */
  readonly normsFromOne?: boolean;
  /** Whether q, k and v are one matrix, and gate and up another; or the latter alone. */
  readonly fused?: "all" | "mlp";
  readonly scales?: DecoderScales;
  /** Whether each layer's stream is multiplied by a stored number, layer_scalar. */
  readonly layerScales?: boolean;
  /** Inputs of every layer by itself, of the models that have them. */
  readonly inputsOfLayers?: InputsOfLayers | undefined;
}

/** Numbers that some families multiply with, or bound by. */
export interface DecoderScales {
  readonly embedding?: number;
  /** Of what attention and MLP add to the stream. */
  readonly residual?: number;
  /** Of query-key products; default headSize^-0.5. */
  readonly attention?: number;
  readonly logits?: number;
  /** Of the query at place t: 1 + by ln(1 + floor(t / every)). */
  readonly queryGrowth?: { readonly by: number; readonly every: number };
  /** z becomes c tanh(z / c), of query-key products and of logits. */
  readonly attentionCap?: number | undefined;
  readonly logitCap?: number | undefined;
}

/** The weights of one layer. */
export interface LayerWeights {
  readonly attentionNorms: NormPair;
  readonly mlpNorms: NormPair;
  /** Of queries and, where the layer has its own, keys. */
  readonly queryKeyNorms?: readonly WeightShape[];
  /** In the order in which the forward pass takes them. */
  readonly attention: readonly LinearSite[];
  readonly mlp: readonly LinearSite[];
  readonly scale?: WeightShape;
  readonly inputs?: LayerInputWeights;
}

/** Norms on the two sides of attention or of the MLP. */
export interface NormPair {
  readonly before?: WeightShape;
  readonly after?: WeightShape;
}

/** A layer's own sizes. */
export function layerSizes({ heads, groups, headSize, inner, kinds }: DecoderLayout, layer: number) {
  const own = kinds[layer];
  return {
    heads,
    groups: own?.groups ?? groups,
    headSize: own?.headSize ?? headSize,
    inner: own?.inner ?? inner,
  };
}

/** Throws: MODEL_CONFIG when the numbers of heads do not fit, or the share of a head that is turned. */
export function checkLayout(layout: DecoderLayout): void {
  for (const [layer, kind] of layout.kinds.entries()) checkHeads(layout, layerSizes(layout, layer), kind);
}

function checkHeads(
  { hidden }: DecoderLayout,
  { heads, groups, headSize }: ReturnType<typeof layerSizes>,
  { rope }: LayerKind,
): void {
  if (!Number.isInteger(headSize) || heads % groups !== 0 || headSize % 2 !== 0) {
    throw new NodeError(
      "MODEL_CONFIG",
      `config.json: ${heads} heads of size ${headSize}, ${groups} key/value heads and hidden size ${hidden} do not fit`,
    );
  }
  if (!rope) return;
  const turned = turnedValues(headSize, rope);
  const { scaling } = rope;
  const lists = scaling.kind === "longrope" ? [scaling.factors.length, scaling.longer.factors.length] : [];
  const factors = lists.find((count) => count !== turned / 2) ?? turned / 2;
  // Of two values alone no longer theta can be made.
  const least = scaling.kind === "dynamic" ? 4 : 2;
  if (turned >= least && turned % 2 === 0 && factors === turned / 2) return;
  const what = `${turned} values of a head of ${headSize} are turned, in pairs, with ${factors} factors`;
  throw new NodeError("MODEL_CONFIG", `config.json: ${what}; that does not fit`, { field: "rope_parameters" });
}

/** The names are those of transformers, which has "post_attention_layernorm" for different places. */
export function layerWeights(layout: DecoderLayout, layer: number): LayerWeights {
  const { hidden, queryKeyNorms, norms = "before", layerScales, inputsOfLayers } = layout;
  const { heads, groups, headSize } = layerSizes(layout, layer);
  const path = `model.layers.${layer}`;
  const vector = (part: string, size: number): WeightShape => ({ name: `${path}.${part}.weight`, shape: [size] });
  const norm = (part: string): WeightShape => vector(part, hidden);
  const [queries, keys] = queryKeyNorms === "each head" ? [1, 1] : [heads, groups];
  return {
    ...normsOfLayer(norms, norm),
    ...(queryKeyNorms && {
      queryKeyNorms: [
        vector("self_attn.q_norm", queries * headSize),
        ...(layout.kinds[layer]?.keysOf === undefined ? [vector("self_attn.k_norm", keys * headSize)] : []),
      ],
    }),
    attention: sites(`${path}.self_attn`, layer, attentionSizes(layout, layer)),
    mlp: sites(`${path}.mlp`, layer, mlpSizes(layout, layer)),
    ...(layerScales && { scale: { name: `${path}.layer_scalar`, shape: [1] } }),
    ...(inputsOfLayers && { inputs: layerInputWeights(inputsOfLayers, { path, layer, hidden }) }),
  };
}

function normsOfLayer(
  norms: NormPlaces,
  norm: (part: string) => WeightShape,
): Pick<LayerWeights, "attentionNorms" | "mlpNorms"> {
  switch (norms) {
    case "before":
      return {
        attentionNorms: { before: norm("input_layernorm") },
        mlpNorms: { before: norm("post_attention_layernorm") },
      };
    case "after":
      return {
        attentionNorms: { after: norm("post_attention_layernorm") },
        mlpNorms: { after: norm("post_feedforward_layernorm") },
      };
    case "around":
      return {
        attentionNorms: { before: norm("input_layernorm"), after: norm("post_attention_layernorm") },
        mlpNorms: { before: norm("pre_feedforward_layernorm"), after: norm("post_feedforward_layernorm") },
      };
    case "around, as GLM names them":
      return {
        attentionNorms: { before: norm("input_layernorm"), after: norm("post_self_attn_layernorm") },
        mlpNorms: { before: norm("post_attention_layernorm"), after: norm("post_mlp_layernorm") },
      };
  }
}

type Sizes = readonly (readonly [name: string, inputs: number, outputs: number])[];

function attentionSizes(layout: DecoderLayout, layer: number): Sizes {
  const { hidden, fused, kinds } = layout;
  const { heads, groups, headSize } = layerSizes(layout, layer);
  const [q, kv] = [heads * headSize, groups * headSize];
  const o = ["o_proj", q, hidden] as const;
  if (fused === "all") return [["qkv_proj", hidden, q + 2 * kv], o];
  const { keysOf, valuesAreKeys } = kinds[layer] ?? {};
  const own = [["k_proj", hidden, kv] as const, ...(valuesAreKeys ? [] : [["v_proj", hidden, kv] as const])];
  return [["q_proj", hidden, q], ...(keysOf === undefined ? own : []), o];
}

function mlpSizes(layout: DecoderLayout, layer: number): Sizes {
  const { hidden, fused } = layout;
  const { inner } = layerSizes(layout, layer);
  const down = ["down_proj", inner, hidden] as const;
  if (fused) return [["gate_up_proj", hidden, 2 * inner], down];
  return [["gate_proj", hidden, inner], ["up_proj", hidden, inner], down];
}

const sites = (path: string, layer: number, sizes: Sizes): readonly LinearSite[] =>
  sizes.map(([part, inputs, outputs]) => ({ path: `${path}.${part}`, layer, inputs, outputs }));

/** The matrix [outputs, inputs] of a linear layer, and its bias where it has one. */
export function linearWeights({ biases }: DecoderLayout, site: LinearSite): readonly WeightShape[] {
  const part = site.path.split(".").at(-1);
  const isAttention = site.path.includes(".self_attn.");
  const biased = isAttention ? (part === "o_proj" ? biases.o : biases.qkv) : site.path.includes(".mlp.") && biases.mlp;
  return [
    { name: `${site.path}.weight`, shape: [site.outputs, site.inputs] },
    ...(biased ? [{ name: `${site.path}.bias`, shape: [site.outputs] }] : []),
  ];
}

/** The weights of a layer that are no matrices: norms, and what scales it. */
export function vectorWeights(weights: LayerWeights): readonly WeightShape[] {
  const { attentionNorms, queryKeyNorms, mlpNorms, inputs, scale } = weights;
  const all = [attentionNorms.before, attentionNorms.after, mlpNorms.before, mlpNorms.after, inputs?.norm, scale];
  return [...all.filter((vector) => vector !== undefined), ...(queryKeyNorms ?? [])];
}

/** All linear layers of a layer, in the order in which they act. */
export const linearSites = ({ attention, mlp, inputs }: LayerWeights): readonly LinearSite[] => [
  ...attention,
  ...mlp,
  ...(inputs ? [inputs.gate, inputs.projection] : []),
];

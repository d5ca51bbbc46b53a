/**
 * ModernBERT as a classifier of a text or of its tokens: attention both ways, rotary positions, norms before attention and
 * MLP, and layers that see only what is near between layers that see all. Its tokens have no types.
 * Block: h + O att(norm h), then h + D (act(a) * b) with a and b the halves of W norm h; the first layer has no first norm.
 * Head: norm(act(dense p)), p the first token's row, or the mean of all.
 * Source: Warner et al. 2024, arXiv:2412.13663; Hugging Face transformers, which the defaults are of.
 */
import { z } from "zod";
import { NodeError } from "../../errors.ts";
import { constantValue } from "../../onnx/graph.ts";
import { add, chosenRows, gather, gemm, mul, reshape, split } from "../../onnx/operators.ts";
import type { OnnxValue } from "../../onnx/value.ts";
import { float32 } from "../../tensor.ts";
import type { ForwardOptions, LinearSite, ModelFamily, WeightShape, WeightSource } from "../base-model.ts";
import { COMMON_FIELDS, COUNT, LAYERS, readConfig } from "../config.ts";
import { ACTIVATION_NAMES, activation } from "../layers/activation.ts";
import { type AttentionShape, attention, nearbyMask, oneBlock, paddingMask } from "../layers/attention.ts";
import { layerNorm } from "../layers/norm.ts";
import { ROPE_FIELDS, ropeSettingsOfKind } from "../layers/rope-settings.ts";
import { rotaryTables } from "../layers/rotary.ts";
import { CLASS_FIELDS, classesOf, classifierNames } from "./classes.ts";
import { LAYER_TYPES, windowedLayers } from "./decoder-fields.ts";
import type { LayerKind } from "./decoder-layout.ts";

const MODERNBERT = z.object({
  ...COMMON_FIELDS,
  ...CLASS_FIELDS,
  ...ROPE_FIELDS,
  model_type: z.literal("modernbert"),
  architectures: classifierNames("ModernBert", "ModernBertForMaskedLM"),
  vocab_size: COUNT,
  hidden_size: COUNT,
  intermediate_size: COUNT,
  num_hidden_layers: LAYERS,
  num_attention_heads: COUNT,
  hidden_activation: z.enum(ACTIVATION_NAMES).default("gelu"),
  max_position_embeddings: COUNT.default(8192),
  norm_eps: z.number().positive().default(1e-5),
  norm_bias: z.boolean().default(false),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  layer_types: LAYER_TYPES,
  global_attn_every_n_layers: COUNT.default(3),
  /** Tokens of both sides together. */
  local_attention: COUNT.default(128),
  sliding_window: z.unknown().optional(),
  global_rope_theta: z.number().positive().default(160_000),
  local_rope_theta: z.number().positive().default(10_000),
  classifier_pooling: z.enum(["cls", "mean"]).default("cls"),
  classifier_bias: z.boolean().default(false),
  classifier_activation: z.enum(ACTIVATION_NAMES).default("gelu"),
  is_causal: z.literal(false).optional(),
  is_decoder: z.literal(false).optional(),
  /** Of the pre-training's own output, and of older versions; nothing here reads them. */
  decoder_bias: z.unknown().optional(),
  sparse_pred_ignore_index: z.unknown().optional(),
  sparse_prediction: z.unknown().optional(),
  position_embedding_type: z.unknown().optional(),
});

type Fields = z.infer<typeof MODERNBERT>;

/** Throws: MODEL_CONFIG naming the field of config.json that is missing or not supported. */
export function modernBert(config: unknown): ModelFamily {
  const fields = readConfig(MODERNBERT, config);
  const { hidden_size: hidden, num_attention_heads: heads, num_hidden_layers: layers } = fields;
  if (hidden % (2 * heads) !== 0) {
    throw new NodeError("MODEL_CONFIG", `config.json: ${heads} heads and hidden size ${hidden} do not fit`);
  }
  const classes = classesOf(fields, "ModernBert");
  const isMean = classes.reads === "first token" && fields.classifier_pooling === "mean";
  const kinds = layerKinds(fields);
  const perLayer = Array.from({ length: layers }, (_, layer) => modernLayer(fields, layer));
  const dense = weightsOf("head.dense", { inputs: hidden, outputs: hidden, biased: fields.classifier_bias });
  const headNorm = normOf(fields, "head.norm");
  const output = weightsOf("classifier", { inputs: hidden, outputs: classes.labels.length, biased: true });
  return {
    shape: {
      ...{ layers, hidden, vocabulary: fields.vocab_size, contextTokens: fields.max_position_embeddings },
      linears: perLayer.flatMap(({ linears }) => linears.map(({ site }) => site)),
    },
    classifier: {
      ...classes,
      ...(isMean && { reads: "mean of tokens" }),
      head: [...dense, ...headNorm, ...output],
    },
    weights: [
      embeddingOf(fields),
      ...normOf(fields, "model.embeddings.norm"),
      ...perLayer.flatMap(({ linears, norms }) => [...linears.flatMap(({ weights }) => weights), ...norms.flat()]),
      ...normOf(fields, "model.final_norm"),
      ...[...dense, ...headNorm, ...output],
    ],
    hidden: (options) => {
      const pass = new ModernPass(fields, kinds, options);
      let h = pass.embedded();
      for (const [layer, weights] of perLayer.entries()) h = pass.block(layer, weights, h);
      return pass.norm(h, normOf(fields, "model.final_norm"));
    },
    normalize: (rows, weight) =>
      normed(activation(fields.classifier_activation, product(rows, dense, weight)), headNorm, { fields, weight }),
    outputMatrix: (weight) => weight(output[0]!),
    outputBias: (weight) => weight(output[1]!),
  };
}

/** A window is as wide to each side. */
function layerKinds(fields: Fields): readonly LayerKind[] {
  const rope = (kind: string, rope_theta: number) =>
    ropeSettingsOfKind(fields, { kind, old: { ...fields.rope_scaling, rope_theta }, theta: rope_theta });
  return windowedLayers(
    { ...fields, sliding_window: Math.floor(fields.local_attention / 2) },
    {
      otherwise: (layer) => layer % fields.global_attn_every_n_layers !== 0,
      ropes: {
        full: rope("full_attention", fields.global_rope_theta),
        sliding: rope("sliding_attention", fields.local_rope_theta),
      },
    },
  );
}

/** A linear layer and its weights. */
interface Linear {
  readonly site: LinearSite;
  readonly weights: readonly WeightShape[];
}

interface ModernLayer {
  /** q, k and v together; o; both halves of the MLP's input; its output. */
  readonly linears: readonly [Linear, Linear, Linear, Linear];
  /** Before attention, empty in the first layer, and before the MLP. */
  readonly norms: readonly [readonly WeightShape[], readonly WeightShape[]];
}

function modernLayer(fields: Fields, layer: number): ModernLayer {
  const { hidden_size: hidden, intermediate_size: inner, attention_bias, mlp_bias } = fields;
  const path = `model.layers.${layer}`;
  const linear = (part: string, inputs: number, outputs: number, biased: boolean): Linear => ({
    site: { path: `${path}.${part}`, layer, inputs, outputs },
    weights: weightsOf(`${path}.${part}`, { inputs, outputs, biased }),
  });
  return {
    linears: [
      linear("attn.Wqkv", hidden, 3 * hidden, attention_bias),
      linear("attn.Wo", hidden, hidden, attention_bias),
      linear("mlp.Wi", hidden, 2 * inner, mlp_bias),
      linear("mlp.Wo", inner, hidden, mlp_bias),
    ],
    norms: [layer === 0 ? [] : normOf(fields, `${path}.attn_norm`), normOf(fields, `${path}.mlp_norm`)],
  };
}

/** One forward pass: what all its layers share, and their blocks. */
class ModernPass {
  readonly #fields: Fields;
  readonly #options: ForwardOptions;
  readonly #shapes: readonly AttentionShape[];

  constructor(fields: Fields, kinds: readonly LayerKind[], options: ForwardOptions) {
    this.#fields = fields;
    this.#options = options;
    const { inputIds, attentionMask } = options;
    if (!attentionMask) throw new RangeError("a classifier's graph needs an attention mask");
    const [batch, tokens] = inputIds.shape as [number, number];
    const heads = fields.num_attention_heads;
    const headSize = fields.hidden_size / heads;
    const seen = new Map<string, AttentionShape>();
    this.#shapes = kinds.map((kind) => {
      const key = JSON.stringify(kind);
      const mask = kind.window === undefined ? paddingMask(attentionMask) : nearbyMask(attentionMask, kind.window);
      const shape = seen.get(key) ?? {
        ...{ batch, tokens, heads, groups: heads, headSize, blocks: oneBlock(mask, tokens) },
        ...(kind.rope && { rope: rotaryTables(tokens, headSize, { rope: kind.rope, length: "all rows" }) }),
      };
      seen.set(key, shape);
      return shape;
    });
  }

  /** The stream f32[B*T, hidden] before the first block. */
  embedded(): OnnxValue {
    const { inputIds, weight } = this.#options;
    const [batch, tokens] = inputIds.shape as [number, number];
    const words = gather(weight(embeddingOf(this.#fields)), inputIds);
    return this.norm(
      reshape(words, [batch * tokens, this.#fields.hidden_size]),
      normOf(this.#fields, "model.embeddings.norm"),
    );
  }

  /** The stream f32[B*T, hidden] behind a layer. */
  block(layer: number, { linears, norms }: ModernLayer, h: OnnxValue): OnnxValue {
    const { hooks, rows } = this.#options;
    const { hidden_size: hidden, intermediate_size: inner, num_hidden_layers: layers } = this.#fields;
    const [qkv, o, up, down] = linears;
    // What follows the attention treats every row by itself.
    const at = layer === layers - 1 ? rows : undefined;
    const [q, k, v] = split(this.#linear(qkv, this.norm(h, norms[0])), [hidden, hidden, hidden], 1) as [
      OnnxValue,
      OnnxValue,
      OnnxValue,
    ];
    const mixed = chosenRows(attention({ q, k, v }, this.#shapes[layer]!), at);
    const n = add(chosenRows(h, at), this.#linear(o, mixed, at));
    const [a, b] = split(this.#linear(up, this.norm(n, norms[1]), at), [inner, inner], 1) as [OnnxValue, OnnxValue];
    const out = add(n, this.#linear(down, mul(activation(this.#fields.hidden_activation, a), b), at));
    return hooks.block?.(layer, out, at) ?? out;
  }

  /** x normalised; x itself where there are no weights. */
  norm(x: OnnxValue, weights: readonly WeightShape[]): OnnxValue {
    return normed(x, weights, { fields: this.#fields, weight: this.#options.weight });
  }

  #linear({ site, weights }: Linear, x: OnnxValue, at?: OnnxValue): OnnxValue {
    const y = product(x, weights, this.#options.weight);
    return this.#options.hooks.linear?.(site, x, y, at) ?? y;
  }
}

const embeddingOf = (fields: Fields): WeightShape => ({
  name: "model.embeddings.tok_embeddings.weight",
  shape: [fields.vocab_size, fields.hidden_size],
});

function product(x: OnnxValue, [w, bias]: readonly WeightShape[], weight: WeightSource): OnnxValue {
  return gemm(x, weight(w!), { transB: true, c: bias && weight(bias) });
}

function normed(
  x: OnnxValue,
  [scale, shift]: readonly WeightShape[],
  { fields, weight }: { readonly fields: Fields; readonly weight: WeightSource },
): OnnxValue {
  if (!scale) return x;
  const none = constantValue(float32([fields.hidden_size], new Float32Array(fields.hidden_size)));
  return layerNorm(x, { weight: weight(scale), bias: shift ? weight(shift) : none }, fields.norm_eps);
}

function weightsOf(
  path: string,
  { inputs, outputs, biased }: { readonly inputs: number; readonly outputs: number; readonly biased: boolean },
): readonly WeightShape[] {
  const weight = { name: `${path}.weight`, shape: [outputs, inputs] };
  return biased ? [weight, { name: `${path}.bias`, shape: [outputs] }] : [weight];
}

const normOf = ({ hidden_size: hidden, norm_bias }: Fields, path: string): readonly WeightShape[] =>
  ["weight", ...(norm_bias ? ["bias"] : [])].map((part) => ({ name: `${path}.${part}`, shape: [hidden] }));

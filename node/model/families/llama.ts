/**
 * The Llama layout: RMS norms before attention and MLP, rotary positions, grouped key/value heads, a gated MLP.
 * Qwen 2 is the same with biases on q, k and v.
 * Source: Touvron et al. 2023, arXiv:2302.13971; weights and names as in Hugging Face transformers.
 */
import { z } from "zod";
import { NodeError } from "../../errors.ts";
import { constantValue } from "../../onnx/graph.ts";
import {
  add,
  concat,
  gather,
  gemm,
  matMul,
  mul,
  neg,
  reciprocal,
  reduceMean,
  reshape,
  scalar,
  sigmoid,
  softmax,
  split,
  sqrt,
  transpose,
} from "../../onnx/operators.ts";
import type { OnnxValue } from "../../onnx/value.ts";
import { float32 } from "../../tensor.ts";
import type { LinearSite, ModelFamily, WeightShape } from "../base-model.ts";

const count = z.number().int().positive();

/** The fields that decide what is computed; a field with another value than these is refused by name. */
const CONFIG = z.object({
  model_type: z.enum(["llama", "qwen2"]),
  vocab_size: count,
  hidden_size: count,
  intermediate_size: count,
  num_hidden_layers: count,
  num_attention_heads: count,
  num_key_value_heads: count.optional(),
  head_dim: count.nullish(),
  max_position_embeddings: count,
  rms_norm_eps: z.number().positive(),
  rope_theta: z.number().positive().optional(),
  rope_parameters: z.object({ rope_theta: z.number().positive(), rope_type: z.literal("default") }).optional(),
  rope_scaling: z.null().optional(),
  hidden_act: z.literal("silu"),
  tie_word_embeddings: z.boolean().default(false),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  use_sliding_window: z.literal(false).optional(),
});

export type LlamaConfig = z.infer<typeof CONFIG>;

/** A score that softmax turns into exactly 0 in f32. */
const MASKED_SCORE = -1e9;

/** Throws: MODEL_CONFIG naming the field of config.json that is missing or not supported. */
export function llama(config: unknown): ModelFamily {
  const parsed = CONFIG.safeParse(config);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    const value = issue.path.reduce<unknown>(
      (at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key],
      config,
    );
    throw new NodeError(
      "MODEL_CONFIG",
      `config.json: ${issue.path.join(".")} = ${JSON.stringify(value)} is not supported (${issue.message}); weft runs this family only without it`,
    );
  }
  return family(parsed.data);
}

function family(config: LlamaConfig): ModelFamily {
  const { hidden_size: hidden, vocab_size: vocabulary, num_hidden_layers: layers } = config;
  const heads = config.num_attention_heads;
  const groups = config.num_key_value_heads ?? heads;
  const headSize = config.head_dim ?? hidden / heads;
  if (!Number.isInteger(headSize) || heads % groups !== 0 || headSize % 2 !== 0) {
    throw new NodeError(
      "MODEL_CONFIG",
      `config.json: ${heads} heads, ${groups} key/value heads and hidden size ${hidden} do not fit`,
    );
  }
  const tied = config.tie_word_embeddings;
  const embedding: WeightShape = { name: "model.embed_tokens.weight", shape: [vocabulary, hidden] };
  const output: WeightShape = tied ? embedding : { name: "lm_head.weight", shape: [vocabulary, hidden] };
  const finalNorm: WeightShape = { name: "model.norm.weight", shape: [hidden] };
  const linears = Array.from({ length: layers }, (_, layer) => linearSites(config, layer, { groups, headSize })).flat();
  const biased = (site: LinearSite): boolean => {
    const part = site.path.split(".").at(-1)!;
    if (site.path.includes(".mlp.")) return config.mlp_bias;
    return config.model_type === "qwen2" ? part !== "o_proj" : config.attention_bias;
  };
  const norms = (layer: number): readonly WeightShape[] =>
    ["input_layernorm", "post_attention_layernorm"].map((part) => ({
      name: `model.layers.${layer}.${part}.weight`,
      shape: [hidden],
    }));
  const linearWeights = (site: LinearSite): readonly WeightShape[] => [
    { name: `${site.path}.weight`, shape: [site.outputs, site.inputs] },
    ...(biased(site) ? [{ name: `${site.path}.bias`, shape: [site.outputs] }] : []),
  ];
  const norm = (x: OnnxValue, weight: OnnxValue): OnnxValue => rmsNorm(x, weight, config.rms_norm_eps);

  return {
    shape: { layers, hidden, vocabulary, contextTokens: config.max_position_embeddings, linears },
    weights: [
      embedding,
      ...Array.from({ length: layers }, (_, layer) => [
        ...norms(layer),
        ...linears.filter((site) => site.layer === layer).flatMap(linearWeights),
      ]).flat(),
      finalNorm,
      ...(tied ? [] : [output]),
    ],
    hidden: ({ inputIds, weight, hooks }) => {
      const [batch, tokens] = inputIds.shape as [number, number];
      const rope = rotaryTables(tokens, headSize, config.rope_parameters?.rope_theta ?? config.rope_theta ?? 10000);
      const mask = causalMask(tokens);
      const linear = (site: LinearSite, x: OnnxValue, residual?: OnnxValue): OnnxValue => {
        const [w, bias] = linearWeights(site).map(weight);
        const y = gemm(x, w!, { transB: true, c: bias ?? (hooks.linear ? undefined : residual) });
        const changed = hooks.linear ? hooks.linear(site, x, y) : y;
        return residual && (bias || hooks.linear) ? add(residual, changed) : changed;
      };
      let h = reshape(gather(weight(embedding), inputIds), [batch * tokens, hidden]);
      for (let layer = 0; layer < layers; layer++) {
        const [q, k, v, o, gate, up, down] = linears.filter((site) => site.layer === layer) as [
          LinearSite,
          LinearSite,
          LinearSite,
          LinearSite,
          LinearSite,
          LinearSite,
          LinearSite,
        ];
        const [inputNorm, mlpNorm] = norms(layer).map(weight);
        const x = norm(h, inputNorm!);
        const mixed = attention(
          { q: linear(q, x), k: linear(k, x), v: linear(v, x) },
          { batch, tokens, heads, groups, headSize, rope, mask },
        );
        h = linear(o, mixed, h);
        const y = norm(h, mlpNorm!);
        const gated = linear(gate, y);
        h = linear(down, mul(mul(gated, sigmoid(gated)), linear(up, y)), h);
        h = hooks.block?.(layer, h) ?? h;
      }
      return h;
    },
    normalize: (rows, weight) => norm(rows, weight(finalNorm)),
    outputMatrix: (weight) => weight(output),
  };
}

/** In the order in which the forward pass takes them: q, k, v, o, gate, up, down. */
function linearSites(
  config: LlamaConfig,
  layer: number,
  { groups, headSize }: { groups: number; headSize: number },
): readonly LinearSite[] {
  const { hidden_size: hidden, intermediate_size: inner, num_attention_heads: heads } = config;
  const sizes: readonly (readonly [string, number, number])[] = [
    ["self_attn.q_proj", hidden, heads * headSize],
    ["self_attn.k_proj", hidden, groups * headSize],
    ["self_attn.v_proj", hidden, groups * headSize],
    ["self_attn.o_proj", heads * headSize, hidden],
    ["mlp.gate_proj", hidden, inner],
    ["mlp.up_proj", hidden, inner],
    ["mlp.down_proj", inner, hidden],
  ];
  return sizes.map(([part, inputs, outputs]) => ({ path: `model.layers.${layer}.${part}`, layer, inputs, outputs }));
}

/** x / sqrt(mean(x^2) + epsilon) * weight, over the last axis (Zhang and Sennrich 2019, arXiv:1910.07467). */
function rmsNorm(x: OnnxValue, weight: OnnxValue, epsilon: number): OnnxValue {
  const inverse = reciprocal(sqrt(add(reduceMean(mul(x, x), [-1], true), scalar(epsilon))));
  return mul(mul(x, inverse), weight);
}

interface Rotary {
  readonly cos: OnnxValue;
  readonly sin: OnnxValue;
}

/** cos and sin of t * theta^(-2i/headSize), f32[T, headSize]: both halves carry the same angles. */
function rotaryTables(tokens: number, headSize: number, theta: number): Rotary {
  const half = headSize / 2;
  const table = (f: (angle: number) => number): OnnxValue => {
    const values = new Float32Array(tokens * headSize);
    for (let t = 0; t < tokens; t++) {
      for (let i = 0; i < headSize; i++) values[t * headSize + i] = f(t * theta ** (-(i % half) / half));
    }
    return constantValue(float32([tokens, headSize], values));
  };
  return { cos: table(Math.cos), sin: table(Math.sin) };
}

/** Rotate the pairs (x_i, x_{i + headSize/2}) by their position's angle (Su et al. 2021, arXiv:2104.09864). */
function rotate(x: OnnxValue, { cos, sin }: Rotary): OnnxValue {
  const half = x.shape.at(-1)! / 2;
  const [a, b] = split(x, [half, half], x.shape.length - 1);
  return add(mul(x, cos), mul(concat([neg(b!), a!], x.shape.length - 1), sin));
}

/** 0 where a query may look (its own and earlier tokens), else a score that softmax turns into 0; f32[T, T]. */
function causalMask(tokens: number): OnnxValue {
  const values = new Float32Array(tokens * tokens);
  for (let t = 0; t < tokens; t++) values.fill(MASKED_SCORE, t * tokens + t + 1, (t + 1) * tokens);
  return constantValue(float32([tokens, tokens], values));
}

interface AttentionShape {
  readonly batch: number;
  readonly tokens: number;
  readonly heads: number;
  readonly groups: number;
  readonly headSize: number;
  readonly rope: Rotary;
  readonly mask: OnnxValue;
}

/**
 * softmax(Q K^T / sqrt(headSize) + mask) V; q f32[N, heads*headSize], k and v f32[N, groups*headSize] -> like q.
 * Padding stands to the right and every query looks left only, so no other mask is needed.
 */
function attention({ q, k, v }: Readonly<Record<"q" | "k" | "v", OnnxValue>>, shape: AttentionShape): OnnxValue {
  const { batch, tokens, heads, groups, headSize, rope, mask } = shape;
  const share = heads / groups;
  const perGroup = (x: OnnxValue): OnnxValue => transpose(reshape(x, [batch, tokens, groups, headSize]), [0, 2, 1, 3]);
  // The queries of one group stand below one another, so that a group's keys are used in one product.
  const queries = rotate(transpose(reshape(q, [batch, tokens, groups, share, headSize]), [0, 2, 3, 1, 4]), rope);
  const stacked = reshape(mul(queries, scalar(headSize ** -0.5)), [batch, groups, share * tokens, headSize]);
  const keys = transpose(rotate(perGroup(k), rope), [0, 1, 3, 2]);
  const scores = reshape(matMul(stacked, keys), [batch, groups, share, tokens, tokens]);
  const weights = reshape(softmax(add(scores, mask)), [batch, groups, share * tokens, tokens]);
  const mixed = reshape(matMul(weights, perGroup(v)), [batch, groups, share, tokens, headSize]);
  return reshape(transpose(mixed, [0, 3, 1, 2, 4]), [batch * tokens, heads * headSize]);
}

/** Names that this family goes by in config.json. */
export const LLAMA_MODEL_TYPES: readonly string[] = CONFIG.shape.model_type.options;

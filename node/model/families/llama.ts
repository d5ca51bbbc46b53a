/**
 * The Llama layout: RMS norms before attention and MLP, rotary positions, grouped key/value heads, a gated MLP.
 * Qwen 2 is the same with biases on q, k and v.
 * Source: Touvron et al. 2023, arXiv:2302.13971; weights and names as in Hugging Face transformers.
 */
import { z } from "zod";
import { NodeError } from "../../errors.ts";
import { add, gather, gemm, mul, reshape, sigmoid } from "../../onnx/operators.ts";
import type { OnnxValue } from "../../onnx/value.ts";
import type { LinearSite, ModelFamily, WeightShape } from "../base-model.ts";
import { readConfig } from "../config.ts";
import { attention, causalMask } from "../layers/attention.ts";
import { rmsNorm } from "../layers/norm.ts";
import { rotaryTables } from "../layers/rotary.ts";

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

/** Throws: MODEL_CONFIG naming the field of config.json that is missing or not supported. */
export function llama(config: unknown): ModelFamily {
  return family(readConfig(CONFIG, config));
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

/** Names that this family goes by in config.json. */
export const LLAMA_MODEL_TYPES: readonly string[] = CONFIG.shape.model_type.options;

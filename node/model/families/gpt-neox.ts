/**
 * GPT-NeoX and Pythia: attention and MLP side by side, rotary positions in a part of every head, and one matrix that
 * holds q, k and v of each head one after the other.
 * Source: Black et al. 2022, arXiv:2204.06745; Biderman et al. 2023, arXiv:2304.01373; Hugging Face transformers, which the
 * defaults are of.
 */
import { z } from "zod";
import type { ModelFamily } from "../base-model.ts";
import { architectureNames, COMMON_FIELDS, COUNT, LAYERS, readConfig, unsupported } from "../config.ts";
import { ACTIVATION_NAMES } from "../layers/activation.ts";
import { ROPE_FIELDS, ropeSettings } from "../layers/rope-settings.ts";
import { gptDecoder } from "./gpt-decoder.ts";

const SHARE = z.number().positive().max(1);

const GPT_NEOX = z.object({
  ...COMMON_FIELDS,
  ...ROPE_FIELDS,
  model_type: z.literal("gpt_neox"),
  architectures: architectureNames("GPTNeoXForCausalLM", "GPTNeoXModel"),
  vocab_size: COUNT,
  hidden_size: COUNT,
  intermediate_size: COUNT,
  num_hidden_layers: LAYERS,
  num_attention_heads: COUNT,
  max_position_embeddings: COUNT.default(2048),
  layer_norm_eps: z.number().positive().default(1e-5),
  hidden_act: z.enum(ACTIVATION_NAMES).default("gelu"),
  tie_word_embeddings: z.boolean().default(false),
  use_parallel_residual: z.boolean().default(true),
  attention_bias: z.boolean().default(true),
  /** Its own names of the rotation, which transformers wrote beside the usual ones for a time. */
  rotary_pct: SHARE.optional(),
  rotary_emb_base: z.number().positive().optional(),
  partial_rotary_factor: SHARE.optional(),
  is_decoder: z.boolean().optional(),
  is_causal: z.literal(true).optional(),
});

/** Throws: MODEL_CONFIG naming the field of config.json that is missing or not supported. */
export function gptNeox(config: unknown): ModelFamily {
  const fields = readConfig(GPT_NEOX, config);
  const biased = fields.attention_bias;
  return gptDecoder({
    vocabulary: fields.vocab_size,
    hidden: fields.hidden_size,
    inner: fields.intermediate_size,
    layers: fields.num_hidden_layers,
    heads: fields.num_attention_heads,
    groups: fields.num_attention_heads,
    contextTokens: fields.max_position_embeddings,
    epsilon: fields.layer_norm_eps,
    activation: fields.hidden_act,
    tied: fields.tie_word_embeddings,
    biases: { attention: biased, mlp: true, output: false },
    blocks: fields.use_parallel_residual ? "side by side" : "in turn",
    rope: ropeOf(fields),
    names: {
      embedding: "gpt_neox.embed_in",
      layers: "gpt_neox.layers",
      norms: ["input_layernorm", "post_attention_layernorm"],
      qkv: ["attention.query_key_value"],
      o: "attention.dense",
      up: "mlp.dense_h_to_4h",
      down: "mlp.dense_4h_to_h",
      finalNorm: "gpt_neox.final_layer_norm",
    },
  });
}

function ropeOf(fields: z.infer<typeof GPT_NEOX>) {
  const { rotary_pct, rotary_emb_base, rope_theta, partial_rotary_factor } = fields;
  const pairs = [
    ["rotary_pct", rotary_pct, partial_rotary_factor],
    ["rotary_emb_base", rotary_emb_base, rope_theta],
  ] as const;
  for (const [name, own, usual] of pairs) {
    if (own === undefined || usual === undefined || own === usual) continue;
    throw unsupported(name, own, `another field says ${usual}`);
  }
  const base = rotary_emb_base ?? rope_theta;
  const usual = { ...fields, partial_rotary_factor: rotary_pct ?? partial_rotary_factor ?? 0.25 };
  return ropeSettings(base === undefined ? usual : { ...usual, rope_theta: base }, { partial: true });
}

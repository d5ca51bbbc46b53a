/**
 * Phi-1, Phi-1.5 and Phi-2: attention and MLP side by side behind one norm, rotary positions in a part of every head,
 * biases everywhere, on the logits too.
 * Source: Li et al. 2023, arXiv:2309.05463; Hugging Face transformers, which the defaults are of.
 */
import { z } from "zod";
import type { ModelFamily } from "../base-model.ts";
import { architectureNames, COMMON_FIELDS, COUNT, LAYERS, readConfig } from "../config.ts";
import { ACTIVATION_NAMES } from "../layers/activation.ts";
import { ROPE_FIELDS, ropeSettings } from "../layers/rope-settings.ts";
import { gptDecoder } from "./gpt-decoder.ts";

const PHI = z.object({
  ...COMMON_FIELDS,
  ...ROPE_FIELDS,
  model_type: z.literal("phi"),
  architectures: architectureNames("PhiForCausalLM", "PhiModel"),
  vocab_size: COUNT,
  hidden_size: COUNT,
  intermediate_size: COUNT,
  num_hidden_layers: LAYERS,
  num_attention_heads: COUNT,
  num_key_value_heads: COUNT.nullish(),
  max_position_embeddings: COUNT.default(2048),
  layer_norm_eps: z.number().positive().default(1e-5),
  hidden_act: z.enum(ACTIVATION_NAMES).default("gelu_new"),
  tie_word_embeddings: z.boolean().default(false),
  partial_rotary_factor: z.number().positive().max(1).default(0.5),
  qk_layernorm: z.boolean().default(false),
  is_decoder: z.boolean().optional(),
  is_causal: z.literal(true).optional(),
});

/** Throws: MODEL_CONFIG naming the field of config.json that is missing or not supported. */
export function phi(config: unknown): ModelFamily {
  const fields = readConfig(PHI, config);
  return gptDecoder({
    vocabulary: fields.vocab_size,
    hidden: fields.hidden_size,
    inner: fields.intermediate_size,
    layers: fields.num_hidden_layers,
    heads: fields.num_attention_heads,
    groups: fields.num_key_value_heads ?? fields.num_attention_heads,
    contextTokens: fields.max_position_embeddings,
    epsilon: fields.layer_norm_eps,
    activation: fields.hidden_act,
    tied: fields.tie_word_embeddings,
    biases: { attention: true, mlp: true, output: true },
    blocks: "side by side, one norm",
    rope: ropeSettings(fields, { partial: true }),
    headNorms: fields.qk_layernorm,
    names: {
      embedding: "model.embed_tokens",
      layers: "model.layers",
      norms: ["input_layernorm"],
      qkv: ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
      o: "self_attn.dense",
      up: "mlp.fc1",
      down: "mlp.fc2",
      finalNorm: "model.final_layernorm",
    },
  });
}

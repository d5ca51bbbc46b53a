/**
 * GLM-4 (0414): the Llama layout with norms on both sides of attention and MLP, gate and up in one matrix, and rotated
 * pairs that are neighbours, in the first half of every head.
 * Source: GLM Team 2024, arXiv:2406.12793; Hugging Face transformers, which the defaults are of.
 */
import { z } from "zod";
import type { ModelFamily } from "../base-model.ts";
import { architectureNames, COUNT, readConfig } from "../config.ts";
import { ACTIVATION_NAMES } from "../layers/activation.ts";
import { ropeSettings } from "../layers/rope-settings.ts";
import { decoder } from "./decoder.ts";
import { DECODER_FIELDS, decoderSizes, sameLayers } from "./decoder-fields.ts";

const GLM4 = z.object({
  ...DECODER_FIELDS,
  model_type: z.literal("glm4"),
  architectures: architectureNames("Glm4ForCausalLM", "Glm4Model"),
  num_key_value_heads: COUNT.default(2),
  head_dim: COUNT.default(128),
  hidden_act: z.enum(ACTIVATION_NAMES).default("silu"),
  rms_norm_eps: z.number().positive().default(1.5625e-7),
  partial_rotary_factor: z.number().positive().max(1).default(0.5),
  attention_bias: z.boolean().default(true),
  mlp_bias: z.literal(false).optional(),
});

/** Throws: MODEL_CONFIG naming the field of config.json that is missing or not supported. */
export function glm4(config: unknown): ModelFamily {
  const fields = readConfig(GLM4, config);
  const rope = { ...ropeSettings(fields, { partial: true }), neighbours: true };
  return decoder({
    ...decoderSizes(fields),
    biases: { qkv: fields.attention_bias, o: false, mlp: false },
    norms: "around, as GLM names them",
    fused: "mlp",
    kinds: sameLayers(fields, { rope }),
  });
}

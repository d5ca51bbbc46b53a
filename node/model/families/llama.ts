/**
 * Llama (2, 3, 3.x, SmolLM2, TinyLlama) and Mistral, which is the same with a sliding window.
 * Source: Touvron et al. 2023, arXiv:2302.13971; Jiang et al. 2023, arXiv:2310.06825; Hugging Face transformers.
 */
import { z } from "zod";
import type { ModelFamily } from "../base-model.ts";
import { readConfig } from "../config.ts";
import { ropeSettings } from "../layers/rope-settings.ts";
import { decoder } from "./decoder.ts";
import { DECODER_FIELDS, decoderSizes } from "./decoder-fields.ts";

const LLAMA = z.object({
  ...DECODER_FIELDS,
  model_type: z.literal("llama"),
  architectures: z.array(z.enum(["LlamaForCausalLM", "LlamaModel"])).optional(),
  layer_types: z.array(z.literal("full_attention")).nullish(),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
});

const MISTRAL = z.object({
  ...DECODER_FIELDS,
  model_type: z.literal("mistral"),
  architectures: z.array(z.enum(["MistralForCausalLM", "MistralModel"])).optional(),
  layer_types: z.null().optional(),
  /** Absent means the value of the first published model. */
  sliding_window: z.number().int().positive().nullable().default(4096),
  attention_bias: z.literal(false).optional(),
  mlp_bias: z.literal(false).optional(),
});

/** Throws: MODEL_CONFIG naming the field of config.json that is missing or not supported. */
export function llama(config: unknown): ModelFamily {
  const fields = readConfig(LLAMA, config);
  const { attention_bias: attention, mlp_bias: mlp } = fields;
  return decoder({
    ...decoderSizes(fields),
    headSize: fields.head_dim ?? fields.hidden_size / fields.num_attention_heads,
    rope: ropeSettings(fields),
    biases: { qkv: attention, o: attention, mlp },
    headNorms: false,
  });
}

/** Throws: as `llama`. */
export function mistral(config: unknown): ModelFamily {
  const fields = readConfig(MISTRAL, config);
  return decoder({
    ...decoderSizes(fields),
    headSize: fields.head_dim ?? fields.hidden_size / fields.num_attention_heads,
    rope: ropeSettings(fields),
    biases: { qkv: false, o: false, mlp: false },
    headNorms: false,
    window: fields.sliding_window ?? undefined,
  });
}

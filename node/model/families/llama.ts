/**
 * Llama (2, 3, 3.x, SmolLM2, TinyLlama), Mistral, which is the same with a sliding window, and Ministral, where some
 * layers have one.
 * Source: Touvron et al. 2023, arXiv:2302.13971; Jiang et al. 2023, arXiv:2310.06825; Hugging Face transformers.
 */
import { z } from "zod";
import type { ModelFamily } from "../base-model.ts";
import { architectureNames, readConfig } from "../config.ts";
import { ropeSettings } from "../layers/rope-settings.ts";
import { decoder } from "./decoder.ts";
import { DECODER_FIELDS, decoderSizes, LAYER_TYPES, sameLayers, windowedLayers } from "./decoder-fields.ts";

const LLAMA = z.object({
  ...DECODER_FIELDS,
  model_type: z.literal("llama"),
  architectures: architectureNames("LlamaForCausalLM", "LlamaModel"),
  layer_types: z.array(z.literal("full_attention")).nullish(),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
});

const MISTRAL = z.object({
  ...DECODER_FIELDS,
  model_type: z.literal("mistral"),
  architectures: architectureNames("MistralForCausalLM", "MistralModel"),
  layer_types: z.null().optional(),
  /** Absent means the value of the first published model. */
  sliding_window: z.number().int().positive().nullable().default(4096),
  attention_bias: z.literal(false).optional(),
  mlp_bias: z.literal(false).optional(),
});

/** Mistral with layers of two kinds. */
const MINISTRAL = z.object({
  ...MISTRAL.shape,
  model_type: z.literal("ministral"),
  architectures: architectureNames("MinistralForCausalLM", "MinistralModel"),
  layer_types: LAYER_TYPES,
});

const NO_BIASES = { qkv: false, o: false, mlp: false };

/** Throws: MODEL_CONFIG naming the field of config.json that is missing or not supported. */
export function llama(config: unknown): ModelFamily {
  const fields = readConfig(LLAMA, config);
  const { attention_bias: attention, mlp_bias: mlp } = fields;
  return decoder({
    ...decoderSizes(fields),
    biases: { qkv: attention, o: attention, mlp },
    kinds: sameLayers(fields, { rope: ropeSettings(fields) }),
  });
}

/** Throws: as `llama`. */
export function mistral(config: unknown): ModelFamily {
  const fields = readConfig(MISTRAL, config);
  return decoder({
    ...decoderSizes(fields),
    biases: NO_BIASES,
    kinds: sameLayers(fields, { rope: ropeSettings(fields), window: fields.sliding_window ?? undefined }),
  });
}

/** Throws: as `llama`. */
export function ministral(config: unknown): ModelFamily {
  const fields = readConfig(MINISTRAL, config);
  const rope = ropeSettings(fields);
  const otherwise = (): boolean => fields.sliding_window !== null;
  return decoder({
    ...decoderSizes(fields),
    biases: NO_BIASES,
    kinds: windowedLayers(fields, { otherwise, ropes: { full: rope, sliding: rope } }),
  });
}

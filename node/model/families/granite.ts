/**
 * Granite 3: the Llama layout with four numbers to multiply by, of which the last divides the logits.
 * Source: IBM 2024, Granite 3.0 language models; Hugging Face transformers.
 */
import { z } from "zod";
import type { ModelFamily } from "../base-model.ts";
import { architectureNames, readConfig } from "../config.ts";
import { ropeSettings } from "../layers/rope-settings.ts";
import { decoder } from "./decoder.ts";
import { DECODER_FIELDS, decoderSizes, sameLayers } from "./decoder-fields.ts";

const MULTIPLIER = z.number().positive().default(1);

const GRANITE = z.object({
  ...DECODER_FIELDS,
  model_type: z.literal("granite"),
  architectures: architectureNames("GraniteForCausalLM", "GraniteModel"),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  embedding_multiplier: MULTIPLIER,
  residual_multiplier: MULTIPLIER,
  attention_multiplier: MULTIPLIER,
  logits_scaling: MULTIPLIER,
});

/** Throws: MODEL_CONFIG naming the field of config.json that is missing or not supported. */
export function granite(config: unknown): ModelFamily {
  const fields = readConfig(GRANITE, config);
  const { attention_bias: attention, mlp_bias: mlp } = fields;
  return decoder({
    ...decoderSizes(fields),
    biases: { qkv: attention, o: attention, mlp },
    kinds: sameLayers(fields, { rope: ropeSettings(fields) }),
    scales: {
      embedding: fields.embedding_multiplier,
      residual: fields.residual_multiplier,
      attention: fields.attention_multiplier,
      logits: 1 / fields.logits_scaling,
    },
  });
}

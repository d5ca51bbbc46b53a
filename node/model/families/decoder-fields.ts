/** The fields of config.json that all families of the Llama layout share. */
import { z } from "zod";
import { COMMON_FIELDS, COUNT, LAYERS } from "../config.ts";
import { ACTIVATION_NAMES } from "../layers/activation.ts";
import { ROPE_FIELDS } from "../layers/rope-settings.ts";
import type { DecoderLayout } from "./decoder.ts";

/** The fields, by name, as a schema's shape. */
export const DECODER_FIELDS = {
  ...COMMON_FIELDS,
  ...ROPE_FIELDS,
  vocab_size: COUNT,
  hidden_size: COUNT,
  intermediate_size: COUNT,
  num_hidden_layers: LAYERS,
  num_attention_heads: COUNT,
  num_key_value_heads: COUNT.nullish(),
  head_dim: COUNT.nullish(),
  max_position_embeddings: COUNT,
  rms_norm_eps: z.number().positive(),
  hidden_act: z.enum(ACTIVATION_NAMES),
  tie_word_embeddings: z.boolean().default(false),
  is_causal: z.literal(true).optional(),
};

const SHAPE = z.object(DECODER_FIELDS);

/** The settings that a layout takes from these fields as they are. */
export function decoderSizes(fields: z.infer<typeof SHAPE>) {
  return {
    vocabulary: fields.vocab_size,
    hidden: fields.hidden_size,
    inner: fields.intermediate_size,
    layers: fields.num_hidden_layers,
    heads: fields.num_attention_heads,
    groups: fields.num_key_value_heads ?? fields.num_attention_heads,
    contextTokens: fields.max_position_embeddings,
    epsilon: fields.rms_norm_eps,
    activation: fields.hidden_act,
    tied: fields.tie_word_embeddings,
  } satisfies Partial<DecoderLayout>;
}

/**
 * Ministral 3: the Mistral layout with a context extended by yarn, beyond whose original length queries grow with the
 * logarithm of their place.
 * Source: Mistral AI 2025; Hugging Face transformers, which the defaults are of.
 */
import { z } from "zod";
import type { ModelFamily } from "../base-model.ts";
import { architectureNames, COUNT, readConfig, unsupported } from "../config.ts";
import { ACTIVATION_NAMES } from "../layers/activation.ts";
import { ropeSettings } from "../layers/rope-settings.ts";
import { decoder } from "./decoder.ts";
import { DECODER_FIELDS, decoderSizes, sameLayers } from "./decoder-fields.ts";

const MINISTRAL3 = z.object({
  ...DECODER_FIELDS,
  model_type: z.literal("ministral3"),
  architectures: architectureNames("Ministral3ForCausalLM", "Ministral3Model"),
  num_key_value_heads: COUNT.nullable().default(8),
  head_dim: COUNT.nullable().default(128),
  hidden_act: z.enum(ACTIVATION_NAMES).default("silu"),
  max_position_embeddings: COUNT.default(262_144),
  rms_norm_eps: z.number().positive().default(1e-5),
  sliding_window: COUNT.nullish(),
  layer_types: z.null().optional(),
  attention_bias: z.literal(false).optional(),
  mlp_bias: z.literal(false).optional(),
});

/** Where config.json names none, as transformers has it. */
const ROPE = {
  rope_type: "yarn",
  rope_theta: 1_000_000,
  factor: 16,
  original_max_position_embeddings: 16_384,
  mscale: 1,
  mscale_all_dim: 1,
  llama_4_scaling_beta: 0.1,
};

/** Throws: MODEL_CONFIG naming the field of config.json that is missing or not supported. */
export function ministral3(config: unknown): ModelFamily {
  const fields = readConfig(MINISTRAL3, config);
  const { rope_parameters, rope_scaling, ...rest } = fields;
  const place = rope_parameters ? "rope_parameters" : "rope_scaling";
  // The context's length stands there a second time.
  const named: Readonly<Record<string, unknown>> = rope_parameters ?? rope_scaling ?? ROPE;
  const { llama_4_scaling_beta: by, max_position_embeddings: _, ...rope } = named;
  const every = rope.original_max_position_embeddings;
  if (rope_parameters && rope_scaling) {
    throw unsupported("rope_scaling", rope_scaling, "this family has rope_parameters");
  }
  if (typeof by !== "number") throw unsupported(`${place}.llama_4_scaling_beta`, by, "a number is needed");
  if (typeof every !== "number" || !(every > 0)) {
    throw unsupported(`${place}.original_max_position_embeddings`, every, "a positive number is needed");
  }
  return decoder({
    ...decoderSizes(fields),
    biases: { qkv: false, o: false, mlp: false },
    kinds: sameLayers(fields, {
      rope: ropeSettings({ ...rest, rope_parameters: rope }),
      window: fields.sliding_window ?? undefined,
    }),
    scales: { queryGrowth: { by, every } },
  });
}

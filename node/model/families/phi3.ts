/**
 * Phi-3, Phi-3.5 (mini) and Phi-4: the Llama layout with q, k and v in one matrix, gate and up in another; Phi-4-mini
 * turns a part of every head.
 * Source: Abdin et al. 2024, arXiv:2404.14219; Hugging Face transformers.
 */
import { z } from "zod";
import type { ModelFamily } from "../base-model.ts";
import { architectureNames, COUNT, readConfig, unsupported } from "../config.ts";
import { ropeSettings } from "../layers/rope-settings.ts";
import { decoder } from "./decoder.ts";
import { DECODER_FIELDS, decoderSizes, sameLayers } from "./decoder-fields.ts";

const PHI3 = z.object({
  ...DECODER_FIELDS,
  model_type: z.literal("phi3"),
  architectures: architectureNames("Phi3ForCausalLM", "Phi3Model"),
  original_max_position_embeddings: COUNT.default(4096),
  partial_rotary_factor: z.number().positive().max(1).optional(),
  sliding_window: z.number().int().positive().nullish(),
  attention_bias: z.literal(false).optional(),
  mlp_bias: z.literal(false).optional(),
  /** Files of its makers name the code that transformers has by now. */
  auto_map: z.unknown().optional(),
});

/** Throws: MODEL_CONFIG naming the field of config.json that is missing or not supported. */
export function phi3(config: unknown): ModelFamily {
  const fields = readConfig(PHI3, config);
  const rope = ropeSettings(fields, { partial: true });
  if (rope.scaling.kind !== "default" && rope.scaling.kind !== "longrope") {
    throw unsupported("rope_scaling.rope_type", rope.scaling.kind, "this family has default and longrope");
  }
  return decoder({
    ...decoderSizes(fields),
    biases: { qkv: false, o: false, mlp: false },
    fused: "all",
    kinds: sameLayers(fields, { rope, window: fields.sliding_window ?? undefined }),
  });
}

/**
 * Qwen 2, the Llama layout with biases on q, k and v, and Qwen 3, which has none but normalises every query and key
 * head and whose heads have a size of their own.
 * Source: Yang et al. 2024, arXiv:2407.10671; Yang et al. 2025, arXiv:2505.09388; Hugging Face transformers.
 */
import { z } from "zod";
import type { ModelFamily } from "../base-model.ts";
import { architectureNames, readConfig, unsupported } from "../config.ts";
import { type RopeFields, ropeSettings } from "../layers/rope-settings.ts";
import { decoder } from "./decoder.ts";
import { DECODER_FIELDS, decoderSizes, LAYER_TYPES, type WindowFields, windowedLayers } from "./decoder-fields.ts";

/** The window's size is in every config; it counts only where `use_sliding_window` is true. */
const QWEN_FIELDS = {
  ...DECODER_FIELDS,
  layer_types: LAYER_TYPES,
  use_sliding_window: z.boolean().default(false),
  sliding_window: z.number().nullish(),
  max_window_layers: z.number().default(28),
  mlp_bias: z.literal(false).optional(),
};

const QWEN2 = z.object({
  ...QWEN_FIELDS,
  model_type: z.literal("qwen2"),
  architectures: architectureNames("Qwen2ForCausalLM", "Qwen2Model"),
  attention_bias: z.literal(true).optional(),
});

/** The size of a head where config.json does not say it. */
const QWEN3_HEAD_SIZE = 128;

const QWEN3 = z.object({
  ...QWEN_FIELDS,
  model_type: z.literal("qwen3"),
  architectures: architectureNames("Qwen3ForCausalLM", "Qwen3Model"),
  attention_bias: z.boolean().default(false),
});

/** Throws: MODEL_CONFIG naming the field of config.json that is missing or not supported. */
export function qwen2(config: unknown): ModelFamily {
  const fields = readConfig(QWEN2, config);
  return decoder({
    ...decoderSizes(fields),
    biases: { qkv: true, o: false, mlp: false },
    kinds: qwenLayers(fields),
  });
}

/** Throws: as `qwen2`. */
export function qwen3(config: unknown): ModelFamily {
  const fields = readConfig(QWEN3, config);
  return decoder({
    ...decoderSizes(fields),
    headSize: fields.head_dim ?? QWEN3_HEAD_SIZE,
    biases: { qkv: fields.attention_bias, o: fields.attention_bias, mlp: false },
    queryKeyNorms: "each head",
    kinds: qwenLayers(fields),
  });
}

/** The window is that of the layers from `max_window_layers` on, or of those that `layer_types` names. */
function qwenLayers(
  fields: RopeFields & WindowFields & { readonly use_sliding_window: boolean; readonly max_window_layers: number },
) {
  const rope = ropeSettings(fields);
  const { use_sliding_window: isOn, sliding_window: window } = fields;
  if (isOn && typeof window !== "number") {
    throw unsupported("use_sliding_window", isOn, "sliding_window, its size, is needed");
  }
  const otherwise = (layer: number): boolean => isOn && layer >= fields.max_window_layers;
  const counted = { ...fields, sliding_window: isOn ? window : undefined };
  return windowedLayers(counted, { otherwise, ropes: { full: rope, sliding: rope } });
}

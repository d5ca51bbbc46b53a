/**
 * SmolLM3: the Llama layout, of which every fourth layer does not know positions.
 * Source: Bakouch et al. 2025, https://huggingface.co/blog/smollm3; Hugging Face transformers.
 */
import { z } from "zod";
import type { ModelFamily } from "../base-model.ts";
import { architectureNames, COUNT, readConfig, unsupported } from "../config.ts";
import { ropeSettings } from "../layers/rope-settings.ts";
import { decoder } from "./decoder.ts";
import { DECODER_FIELDS, decoderSizes, LAYER_TYPES, windowedLayers } from "./decoder-fields.ts";

const SMOLLM3 = z.object({
  ...DECODER_FIELDS,
  model_type: z.literal("smollm3"),
  architectures: architectureNames("SmolLM3ForCausalLM", "SmolLM3Model"),
  tie_word_embeddings: z.boolean().default(true),
  /** For each layer 1 where it knows positions. */
  no_rope_layers: z.array(z.union([z.literal(0), z.literal(1)])).nullish(),
  no_rope_layer_interval: COUNT.default(4),
  layer_types: LAYER_TYPES,
  use_sliding_window: z.boolean().default(false),
  sliding_window: z.number().nullish(),
  max_window_layers: z.number().nullish(),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
});

/** Where config.json names none, as transformers has it. */
const THETA = 2_000_000;

/** Throws: MODEL_CONFIG naming the field of config.json that is missing or not supported. */
export function smollm3(config: unknown): ModelFamily {
  const fields = readConfig(SMOLLM3, config);
  const { num_hidden_layers: layers, no_rope_layers: named, attention_bias: attention, mlp_bias: mlp } = fields;
  if (named && named.length !== layers) {
    throw unsupported("no_rope_layers", named, `${named.length} numbers for ${layers} layers`);
  }
  const hasPositions = (layer: number): boolean =>
    named ? named[layer] === 1 : (layer + 1) % fields.no_rope_layer_interval !== 0;
  const isOn = fields.use_sliding_window && typeof fields.sliding_window === "number";
  const rope = ropeSettings(fields, { theta: THETA });
  const windows = windowedLayers(isOn ? fields : { num_hidden_layers: layers }, {
    otherwise: (layer) => isOn && !hasPositions(layer),
    ropes: { full: rope, sliding: rope },
  });
  return decoder({
    ...decoderSizes(fields),
    biases: { qkv: attention, o: attention, mlp },
    kinds: windows.map(({ window }, layer) => ({ window, ...(hasPositions(layer) ? { rope } : {}) })),
  });
}

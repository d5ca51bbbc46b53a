/** The fields of config.json that all families of the Llama layout share. */
import { z } from "zod";
import { COMMON_FIELDS, COUNT, LAYERS, unsupported } from "../config.ts";
import { ACTIVATION_NAMES } from "../layers/activation.ts";
import { ROPE_FIELDS } from "../layers/rope-settings.ts";
import type { DecoderLayout, LayerKind } from "./decoder-layout.ts";

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
  is_decoder: z.boolean().optional(),
};

/** Kinds of layers by the names of `layer_types`. */
export const LAYER_TYPES = z.array(z.enum(["full_attention", "sliding_attention"])).nullish();

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
    headSize: fields.head_dim ?? fields.hidden_size / fields.num_attention_heads,
    contextTokens: fields.max_position_embeddings,
    epsilon: fields.rms_norm_eps,
    activation: fields.hidden_act,
    tied: fields.tie_word_embeddings,
  } satisfies Partial<DecoderLayout>;
}

/** All layers of one kind. */
export const sameLayers = (fields: { readonly num_hidden_layers: number }, kind: LayerKind): readonly LayerKind[] =>
  Array.from({ length: fields.num_hidden_layers }, () => kind);

/** What a config says of windows. */
export interface WindowFields {
  readonly num_hidden_layers: number;
  readonly layer_types?: readonly ("full_attention" | "sliding_attention")[] | null | undefined;
  readonly sliding_window?: number | null | undefined;
}

/**
 * Layers of which some see a window.
 * otherwise: whether a layer does, where `layer_types` does not say it.  ropes: positions of the two kinds.
 * Throws: MODEL_CONFIG when there is not one type for each layer, or a window is needed and none is given.
 */
export function windowedLayers(
  { num_hidden_layers: layers, layer_types: types, sliding_window: size }: WindowFields,
  options: { readonly otherwise: (layer: number) => boolean; readonly ropes: { full: Rope; sliding: Rope } },
): readonly LayerKind[] {
  if (types && types.length !== layers) {
    throw unsupported("layer_types", types, `${types.length} types for ${layers} layers`);
  }
  return Array.from({ length: layers }, (_, layer) => {
    const isSliding = types ? types[layer] === "sliding_attention" : options.otherwise(layer);
    if (!isSliding) return { rope: options.ropes.full };
    if (typeof size === "number" && Number.isInteger(size) && size > 0)
      return { rope: options.ropes.sliding, window: size };
    const what = `layer ${layer} sees a window, and sliding_window = ${size} is no size of one`;
    throw unsupported(types ? "layer_types" : "sliding_window", types ?? size, what);
  });
}

type Rope = LayerKind["rope"];

/**
 * Gemma 4 (text): Gemma 3 with norms stored as they are, values normalised, scores that nothing scales, layers that see
 * all with heads of a size of their own, last layers that attend to the keys and values of an earlier layer of their kind,
 * and inputs of every layer by itself.
 * Source: Hugging Face transformers 5, which the defaults are of. Mixtures of experts are not computed.
 */
import { z } from "zod";
import type { ModelFamily } from "../base-model.ts";
import { architectureNames, COUNT, readConfig, unsupported } from "../config.ts";
import { ACTIVATION_NAMES } from "../layers/activation.ts";
import { ropeSettingsOfKind } from "../layers/rope-settings.ts";
import { decoder } from "./decoder.ts";
import { DECODER_FIELDS, decoderSizes, LAYER_TYPES, windowedLayers } from "./decoder-fields.ts";
import type { LayerKind } from "./decoder-layout.ts";

const OWN_SIZES = z.strictObject({ head_dim: COUNT.optional(), num_key_value_heads: COUNT.optional() });

const GEMMA4 = z.object({
  ...DECODER_FIELDS,
  model_type: z.literal("gemma4_text"),
  architectures: architectureNames("Gemma4ForCausalLM", "Gemma4TextModel"),
  num_attention_heads: COUNT.default(8),
  num_key_value_heads: COUNT.default(4),
  head_dim: COUNT.default(256),
  rms_norm_eps: z.number().positive().default(1e-6),
  hidden_act: z.unknown().optional(),
  hidden_activation: z.enum(ACTIVATION_NAMES).default("gelu_pytorch_tanh"),
  max_position_embeddings: COUNT.default(131_072),
  tie_word_embeddings: z.boolean().default(true),
  attention_bias: z.boolean().default(false),
  final_logit_softcapping: z.number().positive().nullable().default(null),
  sliding_window: z.number().nullable().default(512),
  layer_types: LAYER_TYPES,
  /** Images see both ways, and a text has none. */
  use_bidirectional_attention: z.literal("vision").nullish(),
  global_head_dim: COUNT.default(512),
  num_global_key_value_heads: COUNT.nullish(),
  /** transformers 5.18 writes the two sizes for each layer instead. */
  per_layer_config: z.record(z.string().regex(/^\d+$/), OWN_SIZES).optional(),
  attention_k_eq_v: z.boolean().default(false),
  num_kv_shared_layers: z.number().int().nonnegative().nullish(),
  use_double_wide_mlp: z.boolean().default(false),
  vocab_size_per_layer_input: COUNT.default(262_144),
  hidden_size_per_layer_input: z.number().int().nonnegative().max(1_000_000).nullable().default(256),
  enable_moe_block: z.literal(false, { error: "a mixture of experts" }).default(false),
  num_experts: z.unknown().optional(),
  top_k_experts: z.unknown().optional(),
  moe_intermediate_size: z.unknown().optional(),
});

type Fields = z.infer<typeof GEMMA4>;

const FULL = "full_attention";
const SLIDING = "sliding_attention";

/** Throws: MODEL_CONFIG naming the field of config.json that is missing or not supported. */
export function gemma4(config: unknown): ModelFamily {
  const fields = readConfig(GEMMA4, config);
  const { hidden_size_per_layer_input: size, vocab_size_per_layer_input: vocabulary, attention_bias: biased } = fields;
  if (size && vocabulary < fields.vocab_size) {
    const what = `each of the ${fields.vocab_size} tokens needs a row`;
    throw unsupported("vocab_size_per_layer_input", vocabulary, what);
  }
  return decoder({
    ...decoderSizes({ ...fields, hidden_act: fields.hidden_activation }),
    biases: { qkv: biased, o: biased, mlp: false },
    kinds: layerKinds(fields),
    norms: "around",
    queryKeyNorms: "each head",
    valueNorms: true,
    layerScales: true,
    inputsOfLayers: size ? { size, vocabulary } : undefined,
    scales: {
      embedding: Math.sqrt(fields.hidden_size),
      attention: 1,
      logitCap: fields.final_logit_softcapping ?? undefined,
    },
  });
}

function layerKinds(fields: Fields): readonly LayerKind[] {
  const { num_hidden_layers: layers } = fields;
  // The last layer sees all, whatever the list says.
  const types = fields.layer_types?.with(-1, FULL);
  const rope = (kind: string, old: Readonly<Record<string, unknown>>) =>
    ropeSettingsOfKind(fields, { kind, old, theta: old.rope_theta as number });
  const ropes = {
    full: rope(FULL, { rope_type: "proportional", partial_rotary_factor: 0.25, rope_theta: 1_000_000 }),
    sliding: rope(SLIDING, { rope_theta: 10_000 }),
  };
  const otherwise = (layer: number): boolean => (layer + 1) % 6 !== 0 && layer !== layers - 1;
  const seen = windowedLayers({ ...fields, layer_types: types }, { otherwise, ropes });
  const own = layers - (fields.num_kv_shared_layers ?? 0);
  if (own < 1) throw unsupported("num_kv_shared_layers", fields.num_kv_shared_layers, `of ${layers} layers`);
  return seen.map((kind, layer) => ({
    ...kind,
    ...ownSizes(fields, layer, kind),
    ...(kind.window === undefined && fields.attention_k_eq_v ? { valuesAreKeys: true } : {}),
    ...(layer < own ? {} : sharing(fields, { seen, layer, own })),
  }));
}

/** Heads of a layer that sees all. */
function ownSizes(fields: Fields, layer: number, { window }: LayerKind): Pick<LayerKind, "groups" | "headSize"> {
  const { per_layer_config: written } = fields;
  if (written) {
    const { head_dim: headSize, num_key_value_heads: groups } = written[layer] ?? {};
    return { headSize, groups };
  }
  if (window !== undefined) return {};
  const groups = fields.attention_k_eq_v ? (fields.num_global_key_value_heads ?? undefined) : undefined;
  return { headSize: fields.global_head_dim, groups };
}

/** Of the last layers: whose keys and values they attend to, the last layer's of their kind that has its own. */
function sharing(
  fields: Fields,
  { seen, layer, own }: { readonly seen: readonly LayerKind[]; readonly layer: number; readonly own: number },
): Pick<LayerKind, "keysOf" | "inner"> {
  const isWindowed = seen[layer]!.window !== undefined;
  const keysOf = seen.slice(0, own).findLastIndex(({ window }) => (window !== undefined) === isWindowed);
  if (keysOf < 0) {
    const what = `layer ${layer} shares keys and values, and no earlier layer of its kind has its own`;
    throw unsupported("num_kv_shared_layers", fields.num_kv_shared_layers, what);
  }
  return { keysOf, ...(fields.use_double_wide_mlp ? { inner: 2 * fields.intermediate_size } : {}) };
}

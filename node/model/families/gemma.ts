/**
 * Gemma 2 and 3 (text): norms on both sides of attention and MLP whose weights are stored as what is added to 1, an
 * embedding times sqrt(hidden), and layers that see a window between layers that see all. Gemma 2 bounds scores and
 * logits; Gemma 3 normalises query and key heads, and its two kinds of layers turn by different angles.
 * Source: Gemma Team 2024, arXiv:2408.00118; 2025, arXiv:2503.19786; Hugging Face transformers, which the defaults are of.
 */
import { z } from "zod";
import type { ModelFamily } from "../base-model.ts";
import { architectureNames, COUNT, readConfig } from "../config.ts";
import { ACTIVATION_NAMES } from "../layers/activation.ts";
import { ropeSettings, ropeSettingsOfKind } from "../layers/rope-settings.ts";
import { decoder } from "./decoder.ts";
import { DECODER_FIELDS, decoderSizes, LAYER_TYPES, windowedLayers } from "./decoder-fields.ts";
import type { DecoderLayout } from "./decoder-layout.ts";

const CAP = z.number().positive().nullable();

/** `hidden_activation` counts; older files name another one in `hidden_act`, which nothing reads. */
const GEMMA_FIELDS = {
  ...DECODER_FIELDS,
  num_attention_heads: COUNT.default(8),
  num_key_value_heads: COUNT.default(4),
  head_dim: COUNT.default(256),
  rms_norm_eps: z.number().positive().default(1e-6),
  hidden_act: z.unknown().optional(),
  hidden_activation: z.enum(ACTIVATION_NAMES).default("gelu_pytorch_tanh"),
  tie_word_embeddings: z.boolean().default(true),
  query_pre_attn_scalar: z.number().positive().default(256),
  sliding_window: z.number().nullable().default(4096),
  layer_types: LAYER_TYPES,
  attention_bias: z.boolean().default(false),
  use_bidirectional_attention: z.literal(false).nullish(),
  mlp_bias: z.literal(false).optional(),
};

const GEMMA2 = z.object({
  ...GEMMA_FIELDS,
  model_type: z.literal("gemma2"),
  architectures: architectureNames("Gemma2ForCausalLM", "Gemma2Model"),
  attn_logit_softcapping: CAP.default(50),
  final_logit_softcapping: CAP.default(30),
  /** How the published model kept its memory of keys and values. */
  cache_implementation: z.unknown().optional(),
});

const GEMMA3 = z.object({
  ...GEMMA_FIELDS,
  model_type: z.literal("gemma3_text"),
  architectures: architectureNames("Gemma3ForCausalLM", "Gemma3TextModel"),
  vocab_size: COUNT.default(262_208),
  max_position_embeddings: COUNT.default(131_072),
  attn_logit_softcapping: z.null().optional(),
  final_logit_softcapping: CAP.default(null),
  rope_local_base_freq: z.number().positive().default(10_000),
  rope_scaling: z.record(z.string(), z.unknown()).nullish(),
  sliding_window_pattern: COUNT.default(6),
  cache_implementation: z.unknown().optional(),
});

const FULL = "full_attention";
const SLIDING = "sliding_attention";

/** Throws: MODEL_CONFIG naming the field of config.json that is missing or not supported. */
export function gemma2(config: unknown): ModelFamily {
  const fields = readConfig(GEMMA2, config);
  const rope = ropeSettings(fields);
  const attentionCap = fields.attn_logit_softcapping ?? undefined;
  return decoder({
    ...gemmaLayout(fields, { attentionCap }),
    kinds: windowedLayers(fields, { otherwise: (layer) => layer % 2 === 0, ropes: { full: rope, sliding: rope } }),
  });
}

/** Throws: as `gemma2`. */
export function gemma3(config: unknown): ModelFamily {
  const fields = readConfig(GEMMA3, config);
  const rope = (kind: string, old: Readonly<Record<string, unknown>>, theta: number) =>
    ropeSettingsOfKind(fields, { kind, old, theta });
  const ropes = {
    full: rope(FULL, { ...fields.rope_scaling, rope_theta: fields.rope_theta ?? 1_000_000 }, 1_000_000),
    sliding: rope(SLIDING, { rope_theta: fields.rope_local_base_freq }, 10_000),
  };
  return decoder({
    ...gemmaLayout(fields, {}),
    queryKeyNorms: "each head",
    kinds: windowedLayers(fields, { otherwise: (layer) => (layer + 1) % fields.sliding_window_pattern !== 0, ropes }),
  });
}

type GemmaFields = Omit<z.infer<typeof GEMMA2>, "model_type" | "architectures" | "attn_logit_softcapping">;

function gemmaLayout(fields: GemmaFields, scales: { readonly attentionCap?: number | undefined }) {
  const { attention_bias: biased } = fields;
  return {
    ...decoderSizes({ ...fields, hidden_act: fields.hidden_activation }),
    biases: { qkv: biased, o: biased, mlp: false },
    norms: "around",
    normsFromOne: true,
    scales: {
      ...scales,
      embedding: Math.sqrt(fields.hidden_size),
      attention: fields.query_pre_attn_scalar ** -0.5,
      logitCap: fields.final_logit_softcapping ?? undefined,
    },
  } satisfies Omit<DecoderLayout, "kinds">;
}

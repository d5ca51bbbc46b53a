/**
 * OLMo 2 and 3: norms behind attention and MLP instead of before them, and norms of all query and of all key heads
 * together; in OLMo 3 three of four layers see a window.
 * Source: OLMo Team 2024, arXiv:2501.00656; Hugging Face transformers.
 */
import { z } from "zod";
import type { ModelFamily } from "../base-model.ts";
import { architectureNames, readConfig } from "../config.ts";
import { ropeSettings, ropeSettingsOfKind } from "../layers/rope-settings.ts";
import { decoder } from "./decoder.ts";
import { DECODER_FIELDS, decoderSizes, LAYER_TYPES, sameLayers, windowedLayers } from "./decoder-fields.ts";
import type { DecoderLayout } from "./decoder-layout.ts";

const OLMO_FIELDS = {
  ...DECODER_FIELDS,
  rms_norm_eps: z.number().positive().default(1e-5),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.literal(false).optional(),
};

const OLMO2 = z.object({
  ...OLMO_FIELDS,
  model_type: z.literal("olmo2"),
  architectures: architectureNames("Olmo2ForCausalLM", "Olmo2Model"),
});

const OLMO3 = z.object({
  ...OLMO_FIELDS,
  model_type: z.literal("olmo3"),
  architectures: architectureNames("Olmo3ForCausalLM", "Olmo3Model"),
  sliding_window: z.number().nullable().default(4096),
  layer_types: LAYER_TYPES,
});

/** Of OLMo 3 where config.json names none, as transformers has it. */
const THETA = 500_000;

/** Throws: MODEL_CONFIG naming the field of config.json that is missing or not supported. */
export function olmo2(config: unknown): ModelFamily {
  const fields = readConfig(OLMO2, config);
  return decoder({ ...olmoLayout(fields), kinds: sameLayers(fields, { rope: ropeSettings(fields) }) });
}

/** Scaling is that of the layers that see all.  Throws: as `olmo2`. */
export function olmo3(config: unknown): ModelFamily {
  const fields = readConfig(OLMO3, config);
  const { rope_theta = THETA, rope_scaling } = fields;
  const rope = (kind: string, old: Readonly<Record<string, unknown>>) =>
    ropeSettingsOfKind(fields, { kind, old: { ...old, rope_theta }, theta: THETA });
  const ropes = { full: rope("full_attention", rope_scaling ?? {}), sliding: rope("sliding_attention", {}) };
  const otherwise = (layer: number): boolean => (layer + 1) % 4 !== 0;
  return decoder({ ...olmoLayout(fields), kinds: windowedLayers(fields, { otherwise, ropes }) });
}

function olmoLayout(fields: z.infer<typeof OLMO2> | z.infer<typeof OLMO3>) {
  const { attention_bias: biased } = fields;
  return {
    ...decoderSizes(fields),
    biases: { qkv: biased, o: biased, mlp: false },
    norms: "after",
    queryKeyNorms: "all heads",
  } satisfies Omit<DecoderLayout, "kinds">;
}

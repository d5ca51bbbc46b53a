/**
 * OPT: learned positions that begin at the third row of their table. OPT-350M has its norms behind every sum, none at the
 * end, and an embedding narrower than the stream.
 * Source: Zhang et al. 2022, arXiv:2205.01068; Hugging Face transformers, which the defaults are of.
 */
import { z } from "zod";
import type { ModelFamily } from "../base-model.ts";
import { architectureNames, COMMON_FIELDS, COUNT, LAYERS, readConfig } from "../config.ts";
import { ACTIVATION_NAMES } from "../layers/activation.ts";
import { gptDecoder } from "./gpt-decoder.ts";

const OPT = z.object({
  ...COMMON_FIELDS,
  model_type: z.literal("opt"),
  architectures: architectureNames("OPTForCausalLM", "OPTModel"),
  vocab_size: COUNT,
  hidden_size: COUNT,
  ffn_dim: COUNT,
  num_hidden_layers: LAYERS,
  num_attention_heads: COUNT,
  max_position_embeddings: COUNT.default(2048),
  word_embed_proj_dim: COUNT.nullish(),
  do_layer_norm_before: z.boolean().default(true),
  _remove_final_layer_norm: z.boolean().default(false),
  layer_norm_elementwise_affine: z.literal(true).optional(),
  activation_function: z.enum(ACTIVATION_NAMES).default("relu"),
  enable_bias: z.boolean().default(true),
  tie_word_embeddings: z.boolean().default(true),
  is_causal: z.literal(true).optional(),
});

/** Rows of the table of positions before that of the first token. */
const FIRST_POSITION = 2;

const DECODER = "model.decoder";

/** Throws: MODEL_CONFIG naming the field of config.json that is missing or not supported. */
export function opt(config: unknown): ModelFamily {
  const fields = readConfig(OPT, config);
  const { hidden_size: hidden, enable_bias: biased, do_layer_norm_before: isBefore } = fields;
  const width = fields.word_embed_proj_dim ?? hidden;
  const hasFinalNorm = isBefore && !fields._remove_final_layer_norm;
  return gptDecoder({
    vocabulary: fields.vocab_size,
    hidden,
    inner: fields.ffn_dim,
    layers: fields.num_hidden_layers,
    heads: fields.num_attention_heads,
    groups: fields.num_attention_heads,
    contextTokens: fields.max_position_embeddings,
    epsilon: 1e-5,
    activation: fields.activation_function,
    tied: fields.tie_word_embeddings,
    biases: { attention: biased, mlp: biased, output: false },
    blocks: isBefore ? "in turn" : "behind",
    embeddingWidth: width,
    names: {
      embedding: `${DECODER}.embed_tokens`,
      positions: {
        path: `${DECODER}.embed_positions`,
        first: FIRST_POSITION,
        rows: fields.max_position_embeddings + FIRST_POSITION,
      },
      layers: `${DECODER}.layers`,
      norms: ["self_attn_layer_norm", "final_layer_norm"],
      qkv: ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
      o: "self_attn.out_proj",
      up: "fc1",
      down: "fc2",
      ...(hasFinalNorm && { finalNorm: `${DECODER}.final_layer_norm` }),
      ...(width !== hidden && { projections: [`${DECODER}.project_in`, `${DECODER}.project_out`] as const }),
    },
  });
}

/**
 * DeBERTa 2 and 3 as classifiers of a text or of its tokens: the BERT layout with attention by distances, whose keys and
 * queries are made of one table by the layer's own matrices or by further ones.
 * Source: He et al. 2021, arXiv:2006.03654; 2023, arXiv:2111.09543; Hugging Face transformers, which the defaults are of.
 */
import { z } from "zod";
import type { ModelFamily } from "../base-model.ts";
import { COMMON_FIELDS, COUNT, LAYERS, readConfig, unsupported } from "../config.ts";
import { ACTIVATION_NAMES, activation } from "../layers/activation.ts";
import { BERT_LAYERS } from "./bert.ts";
import { CLASS_FIELDS, classesOf, classifierNames } from "./classes.ts";
import { encoder, type RelativeLayout } from "./encoder.ts";

const NO_MORE = z.union([z.literal(0), z.literal(-1), z.null()]).optional();

const DEBERTA2 = z.object({
  ...COMMON_FIELDS,
  ...CLASS_FIELDS,
  model_type: z.literal("deberta-v2"),
  architectures: classifierNames("DebertaV2", "DebertaV2ForMaskedLM"),
  vocab_size: COUNT,
  hidden_size: COUNT,
  num_hidden_layers: LAYERS,
  num_attention_heads: COUNT,
  intermediate_size: COUNT,
  hidden_act: z.enum(ACTIVATION_NAMES).default("gelu"),
  max_position_embeddings: COUNT.default(512),
  type_vocab_size: z.number().int().nonnegative().default(0),
  layer_norm_eps: z.number().positive().default(1e-7),
  relative_attention: z.boolean().default(false),
  max_relative_positions: z.number().int().default(-1),
  position_buckets: z.number().int().default(-1),
  norm_rel_ebd: z.string().default("none"),
  share_att_key: z.boolean().default(false),
  pos_att_type: z.union([z.string(), z.array(z.string())]).nullish(),
  position_biased_input: z.boolean().default(true),
  pooler_hidden_act: z.enum(ACTIVATION_NAMES).default("gelu"),
  pooler_hidden_size: COUNT.optional(),
  embedding_size: COUNT.optional(),
  attention_head_size: COUNT.optional(),
  /** A convolution behind the first layer, as DeBERTa-v2-xlarge has it. */
  conv_kernel_size: NO_MORE,
  conv_act: z.unknown().optional(),
  legacy: z.boolean().optional(),
});

type Fields = z.infer<typeof DEBERTA2>;

/** Throws: MODEL_CONFIG naming the field of config.json that is missing or not supported. */
export function deberta2(config: unknown): ModelFamily {
  const fields = readConfig(DEBERTA2, config);
  const { hidden_size: hidden, num_attention_heads: heads, max_position_embeddings: rows } = fields;
  for (const name of ["pooler_hidden_size", "embedding_size"] as const) {
    if (fields[name] !== undefined && fields[name] !== hidden) {
      throw unsupported(name, fields[name], "all are as wide as the stream");
    }
  }
  if (fields.attention_head_size !== undefined && fields.attention_head_size * heads !== hidden) {
    throw unsupported("attention_head_size", fields.attention_head_size, "heads share the stream's width");
  }
  const kinds = attentionKinds(fields);
  return encoder({
    vocabulary: fields.vocab_size,
    hidden,
    inner: fields.intermediate_size,
    layers: fields.num_hidden_layers,
    heads,
    contextTokens: rows,
    epsilon: fields.layer_norm_eps,
    activation: fields.hidden_act,
    prefix: "deberta",
    positions: fields.position_biased_input ? { rows, first: 0 } : undefined,
    types: fields.type_vocab_size,
    names: {
      ...BERT_LAYERS,
      linears: [
        ...(["attention.self.query_proj", "attention.self.key_proj", "attention.self.value_proj"] as const),
        ...(["attention.output.dense", "intermediate.dense", "output.dense"] as const),
      ],
    },
    relative: fields.relative_attention ? relativeOf(fields, kinds) : undefined,
    // As many products are added up.
    attentionScale: ((hidden / heads) * (1 + kinds.length)) ** -0.5,
    classes: classesOf(fields, "DebertaV2"),
    dense: { path: "pooler.dense", act: (x) => activation(fields.pooler_hidden_act, x) },
    output: "classifier",
  });
}

/** The sums beside queries times keys: "c2p" of content with distances, "p2c" of distances with content. */
function attentionKinds({ pos_att_type: named }: Fields): readonly ("c2p" | "p2c")[] {
  const kinds = typeof named === "string" ? named.toLowerCase().split("|") : (named ?? []);
  const trimmed = kinds.map((kind) => kind.trim());
  const other = trimmed.find((kind) => kind !== "c2p" && kind !== "p2c");
  if (other !== undefined) throw unsupported("pos_att_type", named, "c2p and p2c are the sums of this family");
  return (["c2p", "p2c"] as const).filter((kind) => trimmed.includes(kind));
}

function relativeOf(fields: Fields, kinds: readonly ("c2p" | "p2c")[]): RelativeLayout {
  const { max_relative_positions: most, position_buckets: buckets, norm_rel_ebd } = fields;
  const farthest = most < 1 ? fields.max_position_embeddings : most;
  const norms = norm_rel_ebd.toLowerCase().split("|");
  const shared = fields.share_att_key;
  return {
    distances: buckets > 0 ? { span: buckets, buckets: { size: buckets, farthest } } : { span: farthest },
    normed: norms.some((name) => name.trim() === "layer_norm"),
    parts: kinds.map((kind) => (kind === "c2p" ? "keys" : "queries")),
    ...(!shared && { names: { keys: "attention.self.pos_key_proj", queries: "attention.self.pos_query_proj" } }),
  };
}

/**
 * BERT, RoBERTa, XLM-RoBERTa and DistilBERT as classifiers of a text or of its tokens.
 * Head of a text: bert P = tanh(pooler h_0), roberta tanh(dense h_0), distilbert relu(dense h_0). DistilBERT's tokens have
 * no types.
 * Source: Devlin et al. 2018, arXiv:1810.04805; Liu et al. 2019, arXiv:1907.11692; Conneau et al. 2019,
 * arXiv:1911.02116; Sanh et al. 2019, arXiv:1910.01108; names as in Hugging Face transformers.
 */
import { z } from "zod";
import { apply } from "../../onnx/graph.ts";
import type { OnnxValue } from "../../onnx/value.ts";
import type { ModelFamily } from "../base-model.ts";
import { COMMON_FIELDS, COUNT, LAYERS, readConfig } from "../config.ts";
import { ACTIVATION_NAMES } from "../layers/activation.ts";
import { CLASS_FIELDS, classesOf, classifierNames } from "./classes.ts";
import { type EncoderLayout, type EncoderNames, encoder } from "./encoder.ts";

const FIELDS = {
  ...COMMON_FIELDS,
  vocab_size: COUNT,
  hidden_size: COUNT,
  num_hidden_layers: LAYERS,
  num_attention_heads: COUNT,
  intermediate_size: COUNT,
  hidden_act: z.enum(ACTIVATION_NAMES).default("gelu"),
  max_position_embeddings: COUNT,
  type_vocab_size: COUNT,
  layer_norm_eps: z.number().positive().default(1e-12),
  position_embedding_type: z.literal("absolute").nullish(),
  is_decoder: z.literal(false).optional(),
  is_causal: z.literal(false).optional(),
  add_cross_attention: z.literal(false).optional(),
  ...CLASS_FIELDS,
};

/** The bare encoder with a head for its pre-training is a start too; its classifier begins untrained. */
const BERT = z.object({
  ...FIELDS,
  model_type: z.literal("bert"),
  architectures: classifierNames("Bert", "BertForMaskedLM", "BertForPreTraining"),
});

const ROBERTA = z.object({
  ...FIELDS,
  model_type: z.literal("roberta"),
  architectures: classifierNames("Roberta", "RobertaForMaskedLM"),
  pad_token_id: z.number().int().nonnegative().default(1),
});

const XLM_ROBERTA = z.object({
  ...ROBERTA.shape,
  model_type: z.literal("xlm-roberta"),
  architectures: classifierNames("XLMRoberta", "XLMRobertaForMaskedLM"),
});

/** The same sizes under other names. */
const DISTILBERT = z.object({
  ...COMMON_FIELDS,
  model_type: z.literal("distilbert"),
  architectures: classifierNames("DistilBert", "DistilBertForMaskedLM"),
  vocab_size: COUNT,
  dim: COUNT,
  n_layers: LAYERS,
  n_heads: COUNT,
  hidden_dim: COUNT,
  activation: z.enum(ACTIVATION_NAMES).default("gelu"),
  max_position_embeddings: COUNT,
  /** How the stored positions began. */
  sinusoidal_pos_embds: z.boolean().optional(),
  is_decoder: z.literal(false).optional(),
  is_causal: z.literal(false).optional(),
  add_cross_attention: z.literal(false).optional(),
  ...CLASS_FIELDS,
});

/** Where BERT's layers are, and what is in them; DeBERTa has other names of q, k and v. */
export const BERT_LAYERS = {
  path: "encoder.layer",
  linears: [
    ...(["attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"] as const),
    ...(["intermediate.dense", "output.dense"] as const),
  ],
  norms: ["attention.output.LayerNorm", "output.LayerNorm"],
} as const satisfies EncoderNames;

const DISTILBERT_LAYERS = {
  path: "transformer.layer",
  linears: [
    ...(["attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin"] as const),
    ...(["ffn.lin1", "ffn.lin2"] as const),
  ],
  norms: ["sa_layer_norm", "output_layer_norm"],
} as const satisfies EncoderNames;

const tanh = (x: OnnxValue): OnnxValue => apply("Tanh", [x]);
const relu = (x: OnnxValue): OnnxValue => apply("Relu", [x]);

/** Throws: MODEL_CONFIG naming the field of config.json that is missing or not supported. */
export function bert(config: unknown): ModelFamily {
  const fields = readConfig(BERT, config);
  return encoder({
    ...encoderSizes(fields, 0),
    prefix: "bert",
    classes: classesOf(fields, "Bert"),
    dense: { path: "bert.pooler.dense", act: tanh },
    output: "classifier",
  });
}

/** Positions begin behind the padding's id. Throws: as `bert`. */
export const roberta = (config: unknown): ModelFamily => robertaLayout(readConfig(ROBERTA, config), "Roberta");

/** RoBERTa with words of many languages. Throws: as `bert`. */
export const xlmRoberta = (config: unknown): ModelFamily =>
  robertaLayout(readConfig(XLM_ROBERTA, config), "XLMRoberta");

function robertaLayout(fields: z.infer<typeof ROBERTA> | z.infer<typeof XLM_ROBERTA>, name: string): ModelFamily {
  const classes = classesOf(fields, name);
  return encoder({
    ...encoderSizes(fields, fields.pad_token_id + 1),
    prefix: "roberta",
    classes,
    dense: { path: "classifier.dense", act: tanh },
    output: classes.reads === "each token" ? "classifier" : "classifier.out_proj",
  });
}

/** Throws: as `bert`. */
export function distilbert(config: unknown): ModelFamily {
  const fields = readConfig(DISTILBERT, config);
  return encoder({
    vocabulary: fields.vocab_size,
    hidden: fields.dim,
    inner: fields.hidden_dim,
    layers: fields.n_layers,
    heads: fields.n_heads,
    contextTokens: fields.max_position_embeddings,
    epsilon: 1e-12,
    activation: fields.activation,
    prefix: "distilbert",
    positions: { rows: fields.max_position_embeddings, first: 0 },
    types: 0,
    names: DISTILBERT_LAYERS,
    classes: classesOf(fields, "DistilBert"),
    dense: { path: "pre_classifier", act: relu },
    output: "classifier",
  });
}

type Sizes = z.infer<ReturnType<typeof z.object<typeof FIELDS>>>;

function encoderSizes(fields: Sizes, first: number) {
  const rows = fields.max_position_embeddings;
  return {
    vocabulary: fields.vocab_size,
    hidden: fields.hidden_size,
    inner: fields.intermediate_size,
    layers: fields.num_hidden_layers,
    heads: fields.num_attention_heads,
    contextTokens: rows - first,
    epsilon: fields.layer_norm_eps,
    activation: fields.hidden_act,
    positions: { rows, first },
    types: fields.type_vocab_size,
    names: BERT_LAYERS,
  } satisfies Partial<EncoderLayout>;
}

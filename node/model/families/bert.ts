/**
 * BERT, RoBERTa, XLM-RoBERTa and DistilBERT as classifiers of a text: attention both ways, learned positions, norms after every sum, and a head
 * on the first token.  Block: n = LN(h + O att(h)), then LN(n + D act(U n)).
 * Head: bert P = tanh(pooler h_0), roberta tanh(dense h_0), distilbert relu(dense h_0); logits = that times a matrix, plus
 * a bias.  Texts are single: every token has token type 0; DistilBERT has no types.
 * Source: Devlin et al. 2018, arXiv:1810.04805; Liu et al. 2019, arXiv:1907.11692; Conneau et al. 2019,
 * arXiv:1911.02116; Sanh et al. 2019, arXiv:1910.01108; names as in Hugging Face transformers.
 */
import { z } from "zod";
import { NodeError } from "../../errors.ts";
import { apply } from "../../onnx/graph.ts";
import { add, chosenRows, gather, gemm, ints, reshape } from "../../onnx/operators.ts";
import type { OnnxValue } from "../../onnx/value.ts";
import type { LinearSite, ModelFamily, WeightShape, WeightSource } from "../base-model.ts";
import { COMMON_FIELDS, COUNT, LAYERS, readConfig, unsupported } from "../config.ts";
import { ACTIVATION_NAMES, activation } from "../layers/activation.ts";
import { attention, oneBlock, paddingMask } from "../layers/attention.ts";
import { layerNorm } from "../layers/norm.ts";
import { learnedPositions } from "../layers/positions.ts";

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
  problem_type: z.literal("single_label_classification").nullish(),
  id2label: z.record(z.string().regex(/^\d+$/), z.string()).optional(),
  num_labels: COUNT.optional(),
};

/** The bare encoder with a head for its pre-training is a start too; its classifier begins untrained. */
const BERT = z.object({
  ...FIELDS,
  model_type: z.literal("bert"),
  architectures: z.array(z.enum(["BertForSequenceClassification", "BertForMaskedLM", "BertForPreTraining"])).optional(),
});

const ROBERTA = z.object({
  ...FIELDS,
  model_type: z.literal("roberta"),
  architectures: z.array(z.enum(["RobertaForSequenceClassification", "RobertaForMaskedLM"])).optional(),
  pad_token_id: z.number().int().nonnegative().default(1),
});

const XLM_ROBERTA = z.object({
  ...ROBERTA.shape,
  model_type: z.literal("xlm-roberta"),
  architectures: z.array(z.enum(["XLMRobertaForSequenceClassification", "XLMRobertaForMaskedLM"])).optional(),
});

/** The same sizes under other names. */
const DISTILBERT = z.object({
  ...COMMON_FIELDS,
  model_type: z.literal("distilbert"),
  architectures: z.array(z.enum(["DistilBertForSequenceClassification", "DistilBertForMaskedLM"])).optional(),
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
  problem_type: FIELDS.problem_type,
  id2label: FIELDS.id2label,
  num_labels: FIELDS.num_labels,
});

type Fields = z.infer<ReturnType<typeof z.object<typeof FIELDS>>> & {
  readonly architectures?: readonly string[] | undefined;
};

/** In what the families differ beside their sizes. */
interface Encoder {
  /** What module paths begin with. */
  readonly prefix: string;
  /** The row of the first token's position. */
  readonly firstPosition: number;
  /** Whether tokens have types. */
  readonly types: boolean;
  /** Where the layers are, and what is in each of them. */
  readonly layers: LayerNames;
  /** Module paths of the head's two layers, and what is between them. */
  readonly head: readonly [dense: string, output: string];
  readonly headActivation: "Tanh" | "Relu";
  /** Class of transformers. */
  readonly architecture: string;
}

interface LayerNames {
  readonly path: string;
  /** q, k, v, o, up, down. */
  readonly linears: readonly [string, string, string, string, string, string];
  /** Behind attention, behind the MLP. */
  readonly norms: readonly [string, string];
}

const BERT_LAYERS = {
  path: "encoder.layer",
  linears: [
    ...(["attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"] as const),
    ...(["intermediate.dense", "output.dense"] as const),
  ],
  norms: ["attention.output.LayerNorm", "output.LayerNorm"],
} as const;

const DISTILBERT_LAYERS = {
  path: "transformer.layer",
  linears: [
    ...(["attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin"] as const),
    ...(["ffn.lin1", "ffn.lin2"] as const),
  ],
  norms: ["sa_layer_norm", "output_layer_norm"],
} as const;

/** Throws: MODEL_CONFIG naming the field of config.json that is missing or not supported. */
export function bert(config: unknown): ModelFamily {
  return encoder(readConfig(BERT, config), {
    prefix: "bert",
    firstPosition: 0,
    types: true,
    layers: BERT_LAYERS,
    head: ["bert.pooler.dense", "classifier"],
    headActivation: "Tanh",
    architecture: "BertForSequenceClassification",
  });
}

/** Positions begin behind the padding's id. Throws: as `bert`. */
export function roberta(config: unknown): ModelFamily {
  return robertaLayout(readConfig(ROBERTA, config), "RobertaForSequenceClassification");
}

/** RoBERTa with words of many languages. Throws: as `bert`. */
export function xlmRoberta(config: unknown): ModelFamily {
  return robertaLayout(readConfig(XLM_ROBERTA, config), "XLMRobertaForSequenceClassification");
}

function robertaLayout(fields: Fields & { readonly pad_token_id: number }, architecture: string): ModelFamily {
  return encoder(fields, {
    prefix: "roberta",
    firstPosition: fields.pad_token_id + 1,
    types: true,
    layers: BERT_LAYERS,
    head: ["classifier.dense", "classifier.out_proj"],
    headActivation: "Tanh",
    architecture,
  });
}

/** Throws: as `bert`. */
export function distilbert(config: unknown): ModelFamily {
  const { dim, n_layers, n_heads, hidden_dim, activation: hidden_act, ...rest } = readConfig(DISTILBERT, config);
  const sizes = { hidden_size: dim, num_hidden_layers: n_layers, num_attention_heads: n_heads };
  const fields = { ...rest, ...sizes, intermediate_size: hidden_dim, hidden_act, type_vocab_size: 1 };
  return encoder(
    { ...fields, layer_norm_eps: 1e-12 },
    {
      prefix: "distilbert",
      firstPosition: 0,
      types: false,
      layers: DISTILBERT_LAYERS,
      head: ["pre_classifier", "classifier"],
      headActivation: "Relu",
      architecture: "DistilBertForSequenceClassification",
    },
  );
}

function encoder(fields: Fields, family: Encoder): ModelFamily {
  const { prefix, firstPosition, head } = family;
  const { hidden_size: hidden, num_attention_heads: heads, num_hidden_layers: layers } = fields;
  const labels = labelNames(fields);
  const contextTokens = fields.max_position_embeddings - firstPosition;
  if (hidden % heads !== 0 || contextTokens < 1) {
    const what = `${heads} heads, hidden size ${hidden} and ${fields.max_position_embeddings} positions do not fit`;
    throw new NodeError("MODEL_CONFIG", `config.json: ${what}`);
  }
  const table = (name: string, rows: number): WeightShape => ({
    name: `${prefix}.embeddings.${name}_embeddings.weight`,
    shape: [rows, hidden],
  });
  const words = table("word", fields.vocab_size);
  const places = table("position", fields.max_position_embeddings);
  const types = table("token_type", fields.type_vocab_size);
  const sites = Array.from({ length: layers }, (_, layer) => linearSites(fields, family, layer));
  const linear = (x: OnnxValue, [w, bias]: readonly WeightShape[], weight: WeightSource): OnnxValue =>
    gemm(x, weight(w!), { transB: true, c: weight(bias!) });
  const norm = (x: OnnxValue, path: string, weight: WeightSource): OnnxValue => {
    const [scale, bias] = normWeights(path, hidden).map(weight) as [OnnxValue, OnnxValue];
    return layerNorm(x, { weight: scale, bias }, fields.layer_norm_eps);
  };
  const dense = linearWeights({ path: head[0], inputs: hidden, outputs: hidden });
  const output = linearWeights({ path: head[1], inputs: hidden, outputs: labels.length });

  return {
    shape: { layers, hidden, vocabulary: fields.vocab_size, contextTokens, linears: sites.flat() },
    classifier: { labels, head: [...dense, ...output], architecture: family.architecture },
    weights: [
      ...[words, places, ...(family.types ? [types] : [])],
      ...normWeights(`${prefix}.embeddings.LayerNorm`, hidden),
      ...sites.flatMap((perLayer, layer) => [
        ...perLayer.flatMap(linearWeights),
        ...normPaths(family, layer).flatMap((path) => normWeights(path, hidden)),
      ]),
      ...[...dense, ...output],
    ],
    hidden: ({ inputIds, attentionMask, weight, hooks, rows }) => {
      if (!attentionMask) throw new RangeError("a classifier's graph needs an attention mask");
      const [batch, tokens] = inputIds.shape as [number, number];
      const blocks = oneBlock(paddingMask(attentionMask), tokens);
      const shape = { batch, tokens, heads, groups: heads, headSize: hidden / heads, blocks };
      const adapted = (site: LinearSite, x: OnnxValue, at?: OnnxValue): OnnxValue => {
        const y = linear(x, linearWeights(site), weight);
        return hooks.linear?.(site, x, y, at) ?? y;
      };
      const placed = learnedPositions(weight(places), tokens, firstPosition);
      const fixed = family.types ? add(placed, gather(weight(types), ints([0]))) : placed;
      const embedded = reshape(add(gather(weight(words), inputIds), fixed), [batch * tokens, hidden]);
      let h = norm(embedded, `${prefix}.embeddings.LayerNorm`, weight);
      for (const [layer, perLayer] of sites.entries()) {
        const [q, k, v, o, up, down] = perLayer as SixSites;
        const [attentionNorm, outputNorm] = normPaths(family, layer);
        // What follows the attention treats every row by itself.
        const at = layer === layers - 1 ? rows : undefined;
        const mixed = chosenRows(attention({ q: adapted(q, h), k: adapted(k, h), v: adapted(v, h) }, shape), at);
        const n = norm(add(chosenRows(h, at), adapted(o, mixed, at)), attentionNorm, weight);
        const y = activation(fields.hidden_act, adapted(up, n, at));
        h = norm(add(n, adapted(down, y, at)), outputNorm, weight);
        h = hooks.block?.(layer, h, at) ?? h;
      }
      return h;
    },
    normalize: (rows, weight) => apply(family.headActivation, [linear(rows, dense, weight)]),
    outputMatrix: (weight) => weight(output[0]!),
    outputBias: (weight) => weight(output[1]!),
  };
}

type SixSites = readonly [LinearSite, LinearSite, LinearSite, LinearSite, LinearSite, LinearSite];

/** In the order in which the forward pass takes them. */
function linearSites(fields: Fields, { prefix, layers }: Encoder, layer: number): readonly LinearSite[] {
  const { hidden_size: hidden, intermediate_size: inner } = fields;
  return layers.linears.map((part, i) => ({
    path: `${prefix}.${layers.path}.${layer}.${part}`,
    layer,
    inputs: i === 5 ? inner : hidden,
    outputs: i === 4 ? inner : hidden,
  }));
}

/** Of the norms of one layer. */
function normPaths({ prefix, layers }: Encoder, layer: number): readonly [string, string] {
  const [attention, output] = layers.norms;
  return [`${prefix}.${layers.path}.${layer}.${attention}`, `${prefix}.${layers.path}.${layer}.${output}`];
}

function linearWeights({ path, inputs, outputs }: Omit<LinearSite, "layer">): readonly WeightShape[] {
  return [
    { name: `${path}.weight`, shape: [outputs, inputs] },
    { name: `${path}.bias`, shape: [outputs] },
  ];
}

const normWeights = (path: string, hidden: number): readonly WeightShape[] =>
  ["weight", "bias"].map((part) => ({ name: `${path}.${part}`, shape: [hidden] }));

/** Most classes: far more than any published classifier has, few enough to write their names down. */
const LABELS_MAX = 100_000;

/** The names of the classes, by number. */
function labelNames({ id2label, num_labels, architectures }: Fields): readonly string[] {
  const isClassifier = architectures?.some((name) => name.endsWith("ForSequenceClassification"));
  // transformers writes neither field for a classifier of two classes, its default.
  const count = num_labels ?? (isClassifier ? 2 : undefined);
  const size = id2label ? Object.keys(id2label).length : count;
  if (size === undefined) {
    throw new NodeError("MODEL_CONFIG", "config.json names no classes; add id2label, or num_labels for a new head", {
      field: "id2label",
    });
  }
  if (id2label && num_labels !== undefined && num_labels !== size) {
    throw unsupported("num_labels", num_labels, `id2label names ${size} classes`);
  }
  if (size < 2 || size > LABELS_MAX) {
    throw unsupported(id2label ? "id2label" : "num_labels", id2label ?? count, "a classifier has 2 or more classes");
  }
  return Array.from({ length: size }, (_, i) => {
    const name = id2label ? id2label[i] : `LABEL_${i}`;
    if (name === undefined) throw unsupported("id2label", id2label, `class ${i} has no name`);
    return name;
  });
}

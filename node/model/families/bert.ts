/**
 * BERT and RoBERTa as classifiers of a text: attention both ways, learned positions, norms after every sum, and a head
 * on the first token.  Block: n = LN(h + O att(h)), then LN(n + D act(U n)).
 * Head: bert P = tanh(pooler h_0), roberta tanh(dense h_0); logits = that times a matrix, plus a bias.
 * Texts are single: every token has token type 0.
 * Source: Devlin et al. 2018, arXiv:1810.04805; Liu et al. 2019, arXiv:1907.11692; names as in Hugging Face transformers.
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

type Fields = z.infer<ReturnType<typeof z.object<typeof FIELDS>>>;

interface Encoder {
  /** The beginning of module paths. */
  readonly prefix: "bert" | "roberta";
  /** The row of the first token's position. */
  readonly firstPosition: number;
  /** Module paths of the head's two layers. */
  readonly head: readonly [dense: string, output: string];
}

/** Throws: MODEL_CONFIG naming the field of config.json that is missing or not supported. */
export function bert(config: unknown): ModelFamily {
  return encoder(readConfig(BERT, config), {
    prefix: "bert",
    firstPosition: 0,
    head: ["bert.pooler.dense", "classifier"],
  });
}

/** Positions begin behind the padding's id. Throws: as `bert`. */
export function roberta(config: unknown): ModelFamily {
  const fields = readConfig(ROBERTA, config);
  return encoder(fields, {
    prefix: "roberta",
    firstPosition: fields.pad_token_id + 1,
    head: ["classifier.dense", "classifier.out_proj"],
  });
}

function encoder(fields: Fields, { prefix, firstPosition, head }: Encoder): ModelFamily {
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
  const sites = Array.from({ length: layers }, (_, layer) => linearSites(fields, `${prefix}.encoder`, layer));
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
    classifier: { labels, head: [...dense, ...output] },
    weights: [
      ...[words, places, types],
      ...normWeights(`${prefix}.embeddings`, hidden),
      ...sites.flatMap((perLayer, layer) => [
        ...perLayer.flatMap(linearWeights),
        ...["attention.output", "output"].flatMap((part) =>
          normWeights(`${prefix}.encoder.layer.${layer}.${part}`, hidden),
        ),
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
      const fixed = add(learnedPositions(weight(places), tokens, firstPosition), gather(weight(types), ints([0])));
      const embedded = reshape(add(gather(weight(words), inputIds), fixed), [batch * tokens, hidden]);
      let h = norm(embedded, `${prefix}.embeddings`, weight);
      for (const [layer, perLayer] of sites.entries()) {
        const [q, k, v, o, up, down] = perLayer as SixSites;
        const path = `${prefix}.encoder.layer.${layer}`;
        // What follows the attention treats every row by itself.
        const at = layer === layers - 1 ? rows : undefined;
        const mixed = chosenRows(attention({ q: adapted(q, h), k: adapted(k, h), v: adapted(v, h) }, shape), at);
        const n = norm(add(chosenRows(h, at), adapted(o, mixed, at)), `${path}.attention.output`, weight);
        const y = activation(fields.hidden_act, adapted(up, n, at));
        h = norm(add(n, adapted(down, y, at)), `${path}.output`, weight);
        h = hooks.block?.(layer, h, at) ?? h;
      }
      return h;
    },
    normalize: (rows, weight) => apply("Tanh", [linear(rows, dense, weight)]),
    outputMatrix: (weight) => weight(output[0]!),
    outputBias: (weight) => weight(output[1]!),
  };
}

type SixSites = readonly [LinearSite, LinearSite, LinearSite, LinearSite, LinearSite, LinearSite];

/** In the order in which the forward pass takes them. */
function linearSites(fields: Fields, path: string, layer: number): readonly LinearSite[] {
  const { hidden_size: hidden, intermediate_size: inner } = fields;
  const sizes: readonly (readonly [string, number, number])[] = [
    ["attention.self.query", hidden, hidden],
    ["attention.self.key", hidden, hidden],
    ["attention.self.value", hidden, hidden],
    ["attention.output.dense", hidden, hidden],
    ["intermediate.dense", hidden, inner],
    ["output.dense", inner, hidden],
  ];
  return sizes.map(([part, inputs, outputs]) => ({ path: `${path}.layer.${layer}.${part}`, layer, inputs, outputs }));
}

function linearWeights({ path, inputs, outputs }: Omit<LinearSite, "layer">): readonly WeightShape[] {
  return [
    { name: `${path}.weight`, shape: [outputs, inputs] },
    { name: `${path}.bias`, shape: [outputs] },
  ];
}

const normWeights = (path: string, hidden: number): readonly WeightShape[] =>
  ["weight", "bias"].map((part) => ({ name: `${path}.LayerNorm.${part}`, shape: [hidden] }));

/** Most classes: far more than any published classifier has, few enough to write their names down. */
const LABELS_MAX = 100_000;

/** The names of the classes, by number. */
function labelNames({ id2label, num_labels: count }: Fields): readonly string[] {
  const size = id2label ? Object.keys(id2label).length : count;
  if (size === undefined) {
    throw new NodeError("MODEL_CONFIG", "config.json names no classes; add id2label, or num_labels for a new head", {
      field: "id2label",
    });
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

/**
 * The BERT layout, which several encoders share: attention both ways, norms behind every sum, and a head on the first token
 * or on each.  Block: n = LN(h + O att(h)), then LN(n + D act(U n)).  Logits = head times a matrix, plus a bias.
 * Texts are single: every token has token type 0.
 * Source: Devlin et al. 2018, arXiv:1810.04805; names as in Hugging Face transformers.
 */
import { NodeError } from "../../errors.ts";
import { add, chosenRows, gather, gemm, ints, reshape } from "../../onnx/operators.ts";
import type { OnnxValue } from "../../onnx/value.ts";
import type { Classifier, ForwardOptions, LinearSite, ModelFamily, WeightShape, WeightSource } from "../base-model.ts";
import { type ActivationName, activation } from "../layers/activation.ts";
import { type AttentionShape, attention, oneBlock, paddingMask } from "../layers/attention.ts";
import { layerNorm } from "../layers/norm.ts";
import { learnedPositions } from "../layers/positions.ts";
import { type DistanceRows, type Distances, distanceRows, relativeBias } from "../layers/relative-attention.ts";

/** Everything in which the families of this layout differ. */
export interface EncoderLayout {
  readonly vocabulary: number;
  readonly hidden: number;
  /** Width of the MLP. */
  readonly inner: number;
  readonly layers: number;
  readonly heads: number;
  readonly contextTokens: number;
  readonly epsilon: number;
  readonly activation: ActivationName;
  /** What module paths begin with. */
  readonly prefix: string;
  /** Rows of the learned positions, and the row of the first token's; absent where tokens have none. */
  readonly positions?: { readonly rows: number; readonly first: number } | undefined;
  /** Types of tokens; 0 where these have none. */
  readonly types: number;
  readonly names: EncoderNames;
  /** Attention by distances; absent where there is none. */
  readonly relative?: RelativeLayout | undefined;
  /** Of query-key products; default headSize^-0.5. */
  readonly attentionScale?: number;
  readonly classes: Pick<Classifier, "labels" | "architecture" | "reads">;
  /** The head's first layer, where a class is given to a text. */
  readonly dense: { readonly path: string; readonly act: (x: OnnxValue) => OnnxValue };
  /** The path of the head's last layer. */
  readonly output: string;
}

/** Where the layers are, and what is in each of them. */
export interface EncoderNames {
  readonly path: string;
  /** q, k, v, o, up, down. */
  readonly linears: readonly [string, string, string, string, string, string];
  /** Behind attention, behind the MLP. */
  readonly norms: readonly [string, string];
}

/** How distances come into the scores. */
export interface RelativeLayout {
  readonly distances: Distances;
  /** Whether the table is normalised. */
  readonly normed: boolean;
  /** What becomes of the table: keys that queries see, queries that keys see. */
  readonly parts: readonly ("keys" | "queries")[];
  /** Module paths inside a layer of what makes these; the layer's own k and q where they are shared. */
  readonly names?: { readonly keys: string; readonly queries: string };
}

/** Throws: MODEL_CONFIG when the numbers of heads do not fit. */
export function encoder(layout: EncoderLayout): ModelFamily {
  const { hidden, heads, layers, classes, prefix, contextTokens, relative } = layout;
  if (hidden % heads !== 0 || contextTokens < 1) {
    const what = `${heads} heads, hidden size ${hidden} and ${layout.positions?.rows} positions do not fit`;
    throw new NodeError("MODEL_CONFIG", `config.json: ${what}`);
  }
  const sites = Array.from({ length: layers }, (_, layer) => encoderLayer(layout, layer));
  const dense = classes.reads === "each token" ? [] : linearWeights(layout.dense.path, hidden, hidden);
  const output = linearWeights(layout.output, hidden, classes.labels.length);
  const { words, places, types, distances } = tablesOf(layout);
  return {
    shape: { layers, hidden, vocabulary: layout.vocabulary, contextTokens, linears: sites.flatMap(layerLinears) },
    classifier: { ...classes, head: [...dense, ...output] },
    weights: [
      ...[words, places, types].filter((table) => table !== undefined),
      ...normWeights(`${prefix}.embeddings.LayerNorm`, hidden),
      ...(distances ? [distances] : []),
      ...(relative?.normed ? normWeights(`${prefix}.encoder.LayerNorm`, hidden) : []),
      ...sites.flatMap((site) => [
        ...layerLinears(site).flatMap(({ path, inputs, outputs }) => linearWeights(path, inputs, outputs)),
        ...site.norms.flatMap((path) => normWeights(path, hidden)),
      ]),
      ...[...dense, ...output],
    ],
    hidden: (options) => {
      const pass = new EncoderPass(layout, options);
      let h = pass.embedded();
      for (const [layer, site] of sites.entries()) h = pass.block(layer, site, h);
      return h;
    },
    normalize: (rows, weight) => (dense.length > 0 ? layout.dense.act(product(rows, dense, weight)) : rows),
    outputMatrix: (weight) => weight(output[0]!),
    outputBias: (weight) => weight(output[1]!),
  };
}

/** The linear layers of one layer, and the paths of its norms. */
interface EncoderLayer {
  readonly linears: readonly [LinearSite, LinearSite, LinearSite, LinearSite, LinearSite, LinearSite];
  /** Those that read the table of distances; the layer's own where they are shared. */
  readonly tables: Readonly<Partial<Record<"keys" | "queries", LinearSite>>>;
  readonly norms: readonly [string, string];
}

function encoderLayer({ hidden, inner, names, prefix, relative }: EncoderLayout, layer: number): EncoderLayer {
  const path = `${prefix}.${names.path}.${layer}`;
  const site = (part: string, inputs: number, outputs: number): LinearSite => ({
    ...{ path: `${path}.${part}`, layer, inputs, outputs },
  });
  const [q, k, v, o, up, down] = names.linears;
  const [queries, keys] = [site(q, hidden, hidden), site(k, hidden, hidden)];
  const shared = { queries, keys };
  const tables = (relative?.parts ?? []).map((part): readonly [string, LinearSite] => {
    const own = relative?.names?.[part];
    return [part, { ...(own === undefined ? shared[part] : site(own, hidden, hidden)), table: true }];
  });
  return {
    linears: [
      ...([queries, keys, site(v, hidden, hidden), site(o, hidden, hidden)] as const),
      ...([site(up, hidden, inner), site(down, inner, hidden)] as const),
    ],
    tables: Object.fromEntries(tables),
    norms: [`${path}.${names.norms[0]}`, `${path}.${names.norms[1]}`],
  };
}

/** Each linear layer once, in the order in which the forward pass takes them. */
function layerLinears({ linears, tables }: EncoderLayer): readonly LinearSite[] {
  const own = Object.values(tables).filter(({ path }) => !linears.some((site) => site.path === path));
  return [...linears.slice(0, 3), ...own, ...linears.slice(3)];
}

function tablesOf({ prefix, vocabulary, hidden, positions, types, relative }: EncoderLayout) {
  const table = (name: string, rows: number): WeightShape => ({
    name: `${prefix}.${name}.weight`,
    shape: [rows, hidden],
  });
  return {
    words: table("embeddings.word_embeddings", vocabulary),
    places: positions && table("embeddings.position_embeddings", positions.rows),
    types: types > 0 ? table("embeddings.token_type_embeddings", types) : undefined,
    distances: relative && table("encoder.rel_embeddings", 2 * relative.distances.span),
  };
}

/** One forward pass: what all its layers share, and their blocks. */
class EncoderPass {
  readonly #layout: EncoderLayout;
  readonly #options: ForwardOptions;
  readonly #shape: AttentionShape;
  /** The vectors of the distances that occur, and where they occur. */
  readonly #distances: { readonly rows: DistanceRows; readonly table: OnnxValue } | undefined;

  constructor(layout: EncoderLayout, options: ForwardOptions) {
    const { inputIds, attentionMask, weight } = options;
    if (!attentionMask) throw new RangeError("a classifier's graph needs an attention mask");
    const { heads, hidden, relative, attentionScale: scale } = layout;
    const [batch, tokens] = inputIds.shape as [number, number];
    const blocks = oneBlock(paddingMask(attentionMask), tokens);
    this.#layout = layout;
    this.#options = options;
    this.#shape = { batch, tokens, heads, groups: heads, headSize: hidden / heads, scale, blocks };
    const { distances } = tablesOf(layout);
    if (!relative || !distances) return;
    const rows = distanceRows(tokens, relative.distances);
    const read = gather(weight(distances), ints(Array.from({ length: rows.count }, (_, i) => rows.first + i)));
    const table = relative.normed ? this.#norm(read, `${layout.prefix}.encoder.LayerNorm`) : read;
    this.#distances = { rows, table };
  }

  /** The stream f32[B*T, hidden] before the first block. */
  embedded(): OnnxValue {
    const { hidden, positions, prefix } = this.#layout;
    const { inputIds, weight } = this.#options;
    const { words, places, types } = tablesOf(this.#layout);
    const [batch, tokens] = inputIds.shape as [number, number];
    const fixed = [
      ...(places && positions ? [learnedPositions(weight(places), tokens, positions.first)] : []),
      ...(types ? [gather(weight(types), ints([0]))] : []),
    ];
    const read = gather(weight(words), inputIds);
    const sum =
      fixed.length > 0
        ? add(
            read,
            fixed.reduce((a, b) => add(a, b)),
          )
        : read;
    return this.#norm(reshape(sum, [batch * tokens, hidden]), `${prefix}.embeddings.LayerNorm`);
  }

  /** The stream f32[B*T, hidden] behind a layer. */
  block(layer: number, { linears, tables, norms }: EncoderLayer, h: OnnxValue): OnnxValue {
    const { hooks, rows } = this.#options;
    const { layers, activation: name } = this.#layout;
    const [querySite, keySite, valueSite, o, up, down] = linears;
    // What follows the attention treats every row by itself.
    const at = layer === layers - 1 ? rows : undefined;
    const [q, k, v] = [querySite, keySite, valueSite].map((site) => this.#linear(site, h)) as [
      OnnxValue,
      OnnxValue,
      OnnxValue,
    ];
    const bias = this.#bias({ q, k }, tables);
    const mixed = chosenRows(attention({ q, k, v }, { ...this.#shape, bias }), at);
    const n = this.#norm(add(chosenRows(h, at), this.#linear(o, mixed, at)), norms[0]);
    const y = activation(name, this.#linear(up, n, at));
    const out = this.#norm(add(n, this.#linear(down, y, at)), norms[1]);
    return hooks.block?.(layer, out, at) ?? out;
  }

  #bias(
    parts: { readonly q: OnnxValue; readonly k: OnnxValue },
    tables: EncoderLayer["tables"],
  ): OnnxValue | undefined {
    if (!this.#distances) return undefined;
    const { rows, table } = this.#distances;
    const { scale = this.#shape.headSize ** -0.5 } = this.#shape;
    const { keys, queries } = tables;
    return relativeBias(
      {
        ...parts,
        ...(keys && { keys: this.#linear(keys, table) }),
        ...(queries && { queries: this.#linear(queries, table) }),
      },
      rows,
      { ...this.#shape, scale },
    );
  }

  #linear(site: LinearSite, x: OnnxValue, at?: OnnxValue): OnnxValue {
    const { hooks, weight } = this.#options;
    const y = product(x, linearWeights(site.path, site.inputs, site.outputs), weight);
    return hooks.linear?.(site, x, y, at) ?? y;
  }

  #norm(x: OnnxValue, path: string): OnnxValue {
    const { hidden, epsilon } = this.#layout;
    const [scale, bias] = normWeights(path, hidden).map(this.#options.weight) as [OnnxValue, OnnxValue];
    return layerNorm(x, { weight: scale, bias }, epsilon);
  }
}

const product = (x: OnnxValue, [w, bias]: readonly WeightShape[], weight: WeightSource): OnnxValue =>
  gemm(x, weight(w!), { transB: true, c: weight(bias!) });

const linearWeights = (path: string, inputs: number, outputs: number): readonly WeightShape[] => [
  { name: `${path}.weight`, shape: [outputs, inputs] },
  { name: `${path}.bias`, shape: [outputs] },
];

const normWeights = (path: string, hidden: number): readonly WeightShape[] =>
  ["weight", "bias"].map((part) => ({ name: `${path}.${part}`, shape: [hidden] }));

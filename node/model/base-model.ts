/** The frozen base model as the engine sees it: its shape, its weights, and how its graph is built around hooks. */
import type { ExternalData, SessionOptions } from "../interface/runtime.ts";
import type { GraphPass } from "../onnx/rewrite.ts";
import type { OnnxGraph, OnnxValue } from "../onnx/value.ts";
import type { BlockBits, Blocks } from "./base/blocks.ts";
import type { CacheShape, KeyValueCache } from "./layers/key-value-cache.ts";

/** A linear layer that an adapter may be attached to. */
export interface LinearSite {
  /** Module path, such as `model.layers.0.self_attn.q_proj`. */
  readonly path: string;
  readonly layer: number;
  readonly inputs: number;
  readonly outputs: number;
  /** Whether its input here is a table of the model instead of tokens, as where keys of distances are made. */
  readonly table?: true;
  /** How the weight is stored where that is not [outputs, inputs]. */
  readonly stored?: "inputs x outputs";
}

/** The sizes of a model, and its linear layers. */
export interface ModelShape {
  readonly layers: number;
  readonly hidden: number;
  /** Number of token ids. */
  readonly vocabulary: number;
  /** Longest sequence that the model has positions for. */
  readonly contextTokens: number;
  readonly linears: readonly LinearSite[];
}

/**
 * Where an adapter changes the forward pass. N = batch x tokens rows; where `rows` i64[N] is given, the values have not
 * all rows of the stream but those that it names, in its order.
 */
export interface AdapterHooks {
  /** x f32[N, inputs] and y = x W^T + bias f32[N, outputs] -> the changed y. */
  readonly linear?: (site: LinearSite, x: OnnxValue, y: OnnxValue, rows?: OnnxValue) => OnnxValue;
  /** Whether `linear` changes anything at a site; where it does not, the product takes in what is added to it. */
  readonly adapts?: (site: LinearSite) => boolean;
  /** Residual stream after a block, f32[N, hidden] -> the changed stream. */
  readonly block?: (layer: number, h: OnnxValue, rows?: OnnxValue) => OnnxValue;
}

/** A weight by its name in the family's layout, and its shape. */
export interface WeightShape {
  readonly name: string;
  readonly shape: readonly number[];
}

/** A weight by its Hugging Face name.  Throws: MODEL_MISSING, MODEL_CONFIG when it is absent or has another shape. */
export type WeightSource = (weight: WeightShape) => OnnxValue;

/** For examples that share the rows of a batch: i64[B, T] both. */
export interface PackedInputs {
  /** The place of each token in its example. */
  readonly positions: OnnxValue;
  /** The number of its example; a token sees those of its own example only. */
  readonly segments: OnnxValue;
}

/** What a forward pass is built from. */
export interface ForwardOptions {
  /** i64[B, T] */
  readonly inputIds: OnnxValue;
  /** i64[B, T], 1 for the tokens of a text, 0 for the padding to their right; needed by classifiers. */
  readonly attentionMask?: OnnxValue;
  readonly weight: WeightSource;
  readonly hooks: AdapterHooks;
  /**
   * i64[M], the rows b T + t of the result that are wanted, each as often as it is named; all when absent. Behind the
   * attention of the last block nothing else is computed.
   */
  readonly rows?: OnnxValue | undefined;
  /** For families of language models. */
  readonly packing?: PackedInputs | undefined;
  /** To generate one token at a time; only for families with `cache`. */
  readonly cache?: KeyValueCache;
}

/** A classifier's classes for a whole text, or for each of its tokens, instead of its next token. */
export interface Classifier {
  /** From which rows of the stream a class is read. */
  readonly reads: "first token" | "mean of tokens" | "each token";
  /** Names of the classes, by number. */
  readonly labels: readonly string[];
  /** The class of transformers that config.json names for it. */
  readonly architecture: string;
  /** The weights of the head alone; a checkpoint of the bare encoder lacks them. */
  readonly head: readonly WeightShape[];
}

/** A model's architecture for one config.json: its shape, its weights' names and its forward pass. */
export interface ModelFamily {
  readonly shape: ModelShape;
  /** Absent for language models. */
  readonly classifier?: Classifier;
  /** All weights that the forward pass reads, in a fixed order. */
  readonly weights: readonly WeightShape[];
  /** The shape of a layer's memory of a token; absent for models that do not generate. */
  readonly cache?: CacheShape;
  /** Residual stream after the last block, f32[B*T, hidden], or f32[M, hidden] of the rows asked for. */
  hidden(options: ForwardOptions): OnnxValue;
  /**
   * The last layer before the output matrix, f32[M, hidden] -> f32[M, W]: a norm, or a classifier's own layer. W is the
   * width of the output matrix, of nearly all models that of the stream.
   */
  normalize(rows: OnnxValue, weight: WeightSource): OnnxValue;
  /** f32[vocabulary or classes, W]: logits are normalised rows times its transpose, plus the bias. */
  outputMatrix(weight: WeightSource): OnnxValue;
  /** f32[vocabulary or classes]; absent where there is none. */
  outputBias?(weight: WeightSource): OnnxValue;
  /** Where logits z become c tanh(z / c). */
  readonly logitCap?: number;
}

/** A family together with the weights of one model. */
export interface BaseModel extends ModelFamily {
  /** `model_type` of config.json. */
  readonly family: string;
  /** What of the files is not as their config says, for people; empty where all is. */
  readonly notes: readonly string[];
  readonly weight: WeightSource;
  /** Whether the files hold a weight; only those of a classifier's head may be missing. */
  has(weight: WeightShape): boolean;
  /** A weight's values, or those of some of its rows, a copy.  Throws: MODEL_MISSING. */
  values(weight: WeightShape, rows?: { readonly from: number; readonly to: number }): Float32Array;
  /**
   * Rows of a matrix in blocks of so many bits, exactly as its file has them; undefined where it does not have it in such blocks.
   */
  blocks(
    weight: WeightShape,
    bits: BlockBits,
    rows: { readonly from: number; readonly to: number },
  ): Blocks | undefined;
  /** Files of weights that the graphs refer to. */
  readonly externalData: readonly ExternalData[];
  /**
   * Where the base is kept in a narrow form: the pass that every graph of the model goes through last, so that it reads
   * that form. Without it graphs read f32 weights.
   */
  readonly narrow?: GraphPass;
  /**
   * Where products with frozen matrices are computed in another arithmetic than f32: the pass that every graph of the model goes
   * through last, so that it reads the weights in that arithmetic. Never beside `narrow`.
   */
  readonly products?: GraphPass;
  /** Rows of the output matrix that are kept, and so read, together; as many as the logits' memory allows when absent. */
  readonly vocabularyRows?: number | undefined;
  /** Where `products` has nothing left that the runtime could fuse: its sessions are loaded without it looking. */
  readonly isFused?: boolean;
}

/** A graph of the model as the runtime is to read it: with the base in the form, or the arithmetic, in which it is kept. */
export function finishedGraph(
  { narrow, products }: Pick<BaseModel, "narrow" | "products">,
  graph: OnnxGraph,
): OnnxGraph {
  const pass = narrow ?? products;
  return pass ? pass(graph).graph : graph;
}

/** What sessions of a model's graphs are loaded with. */
export const modelSession = (
  { externalData, narrow, isFused }: Pick<BaseModel, "externalData" | "narrow" | "isFused">,
  { threads }: { readonly threads?: number | undefined },
): SessionOptions => ({
  externalData,
  ...(narrow && { weightsAsStored: true }),
  ...(isFused && { isFused }),
  ...(threads !== undefined && { threads }),
});

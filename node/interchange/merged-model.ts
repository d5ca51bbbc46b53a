/**
 * A LoRA kind merged into the weights that it changes: W <- W + s B A, of DoRA with its magnitudes, and the whole model as one file of float32
 * weights. Tensor by tensor, so that no more than one of them is in memory.
 * Source: Hu et al. 2021, arXiv:2106.09685, section 4.1.
 */
import { NodeError } from "../errors.ts";
import type { BaseModel, WeightShape } from "../model/base-model.ts";
import { unpackedConfig } from "../model/packed/quantization-config.ts";
import { safetensorsHeader } from "../model/safetensors.ts";
import { isTied } from "../model/stored-weights.ts";
import { textConfig } from "../model/text-config.ts";
import { sizeOf } from "../tensor.ts";
import type { LowRankProduct } from "./low-rank-product.ts";
import { lowRankProducts, lowRankSettings, siteStrides } from "./low-rank-product.ts";
import type { SavedAdapter } from "./saved-adapter.ts";
import { trainedHeadOf } from "./saved-adapter.ts";

/** A whole model whose weights have an adapter merged into them. */
export interface MergedModel {
  /** config.json. */
  readonly config: Readonly<Record<string, unknown>>;
  /** model.safetensors. */
  readonly fileBytes: number;
  /** The file in order, in pieces of one tensor each, the header first. */
  pieces(): Iterable<Uint8Array>;
  /** Linear layers that are different from the base model's. */
  readonly changed: number;
}

/**
 * config: the base model's, parsed.
 * Throws: ADAPTER_FORMAT for adapters that no weight can hold.
 */
export function mergedModel(adapter: SavedAdapter, model: BaseModel, config: unknown): MergedModel {
  const settings = lowRankSettings(adapter, { what: "a merged model holds weights" });
  const all = lowRankProducts(adapter, model, settings);
  const products = new Map(all.map((product) => [`${product.site.path}.weight`, product]));
  const biases = biasesOf(all, model);
  const head = new Map(trainedHeadOf(adapter, model).map((slot) => [slot.name, slot]));
  const weights = model.weights.filter((weight) => head.has(weight.name) || model.has(weight));
  const header = safetensorsHeader(weights, { format: "pt" });
  const valuesOf = (weight: WeightShape): Float32Array => {
    const slot = head.get(weight.name);
    if (slot) return adapter.values.slice(slot.offset, slot.offset + slot.length);
    const values = model.values(weight);
    const product = products.get(weight.name);
    if (product) addProduct(values, product);
    const added = biases.get(weight.name);
    return added ? values.map((value, o) => value + added.scale * added.bias[o]!) : values;
  };
  return {
    config: mergedConfig(config, model, head.size > 0),
    fileBytes: header.length + 4 * weights.reduce((sum, { shape }) => sum + sizeOf(shape), 0),
    changed: products.size,
    *pieces() {
      yield header;
      for (const weight of weights) {
        const { buffer, byteOffset, byteLength } = valuesOf(weight);
        yield new Uint8Array(buffer, byteOffset, byteLength);
      }
    },
  };
}

/** The biases behind B, by the names of the biases that take them in.  Throws: ADAPTER_FORMAT for a layer that has none. */
function biasesOf(
  products: readonly LowRankProduct[],
  model: BaseModel,
): ReadonlyMap<string, { readonly bias: Float32Array; readonly scale: number }> {
  const names = new Set(model.weights.map(({ name }) => name));
  const biased = products.flatMap(({ site, bias, scale }) =>
    bias ? [{ name: `${site.path}.bias`, bias, scale }] : [],
  );
  const missing = biased.find(({ name }) => !names.has(name));
  if (missing === undefined) return new Map(biased.map((one) => [one.name, one]));
  const text = `the model has no ${missing.name}, which a merged model needs for the bias beside this adapter's B`;
  throw new NodeError("ADAPTER_FORMAT", text, { problem: "peft-form-only" });
}

/** W <- W + s B A in place, of DoRA each row with its magnitude, sums in float64; W [outputs, inputs], or transposed where the layer stores it so. */
export function addProduct(W: Float32Array, { site, A, B, rank, scale, magnitudes }: LowRankProduct): void {
  const { inputs, outputs } = site;
  const { row: outStride, column: inStride } = siteStrides(site);
  const row = new Float64Array(inputs);
  for (let o = 0; o < outputs; o++) {
    row.fill(0);
    for (let j = 0; j < rank; j++) {
      const b = scale * B[o * rank + j]!;
      for (let i = 0; i < inputs; i++) row[i] = row[i]! + b * A[j * inputs + i]!;
    }
    let square = 0;
    for (let i = 0; i < inputs; i++) {
      row[i] = row[i]! + W[o * outStride + i * inStride]!;
      square += row[i]! ** 2;
    }
    const ratio = magnitudes && square > 0 ? magnitudes[o]! / Math.sqrt(square) : 1;
    for (let i = 0; i < inputs; i++) W[o * outStride + i * inStride] = ratio * row[i]!;
  }
}

/** The text model of a whole; its weights are float32 now, its output its own where it was, and an encoder whose head was trained is a classifier. */
function mergedConfig(whole: unknown, model: BaseModel, hasTrainedHead: boolean): Readonly<Record<string, unknown>> {
  const config = textConfig(unpackedConfig(whole).config).config as Readonly<Record<string, unknown>>;
  const dtypes = ["dtype", "torch_dtype"].filter((key) => key in config);
  return {
    ...config,
    ...Object.fromEntries(dtypes.map((key) => [key, "float32"])),
    ...(config.tie_word_embeddings === true && !isTied(model) ? { tie_word_embeddings: false } : {}),
    ...(hasTrainedHead && model.classifier ? { architectures: [model.classifier.architecture] } : {}),
  };
}

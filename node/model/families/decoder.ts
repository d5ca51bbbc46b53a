/**
 * The Llama layout, which many families share: RMS norms, rotary positions, grouped key/value heads, a gated MLP.
 * Block: h + O att(norm h), then h + D (act(G n) * U n) with n = norm of that; families vary where norms stand, what is
 * scaled or bounded, and what a layer sees (`DecoderLayout`).
 * Source: Touvron et al. 2023, arXiv:2302.13971; weights and names as in Hugging Face transformers.
 */
import { constantValue } from "../../onnx/graph.ts";
import { add, chosenRows, constantOnes, gather, gemm, mul, reshape, scalar, split } from "../../onnx/operators.ts";
import type { OnnxValue } from "../../onnx/value.ts";
import { float32 } from "../../tensor.ts";
import type { ForwardOptions, LinearSite, ModelFamily, WeightShape } from "../base-model.ts";
import { activation } from "../layers/activation.ts";
import type { AttentionParts, AttentionShape } from "../layers/attention.ts";
import { attention, causalBlocks, causalMask, memoryMask, oneBlock, packedMask } from "../layers/attention.ts";
import type { KeysAndValues } from "../layers/key-value-cache.ts";
import { attended } from "../layers/key-value-cache.ts";
import { rmsNorm } from "../layers/norm.ts";
import type { RopeSettings } from "../layers/rope-settings.ts";
import { type Rotary, rotaryTables } from "../layers/rotary.ts";
import type { DecoderLayout, LayerKind, LayerWeights, NormPair } from "./decoder-layout.ts";
import { checkLayout, layerSizes, layerWeights, linearSites, linearWeights, vectorWeights } from "./decoder-layout.ts";
import { inputsOfLayers, sharedInputWeights, withLayerInput } from "./per-layer-inputs.ts";

/** Throws: MODEL_CONFIG when the numbers of heads do not fit. */
export function decoder(layout: DecoderLayout): ModelFamily {
  checkLayout(layout);
  const { hidden, vocabulary, layers, scales = {} } = layout;
  const embedding: WeightShape = { name: "model.embed_tokens.weight", shape: [vocabulary, hidden] };
  const output: WeightShape = layout.tied ? embedding : { name: "lm_head.weight", shape: [vocabulary, hidden] };
  const finalNorm: WeightShape = { name: "model.norm.weight", shape: [hidden] };
  const perLayer = Array.from({ length: layers }, (_, layer) => layerWeights(layout, layer));
  const limits = layout.kinds.map(({ rope }) => rope?.contextTokens ?? layout.contextTokens);
  const linears = perLayer.flatMap(linearSites);
  const inputs = layout.inputsOfLayers && sharedInputWeights(layout.inputsOfLayers, layout);
  return {
    shape: { layers, hidden, vocabulary, contextTokens: Math.min(...limits), linears },
    weights: [
      embedding,
      ...(inputs ? [inputs.table, inputs.projection, inputs.norm] : []),
      ...perLayer.flatMap((weights) => [
        ...vectorWeights(weights),
        ...linearSites(weights).flatMap((site) => linearWeights(layout, site)),
      ]),
      finalNorm,
      ...(layout.tied ? [] : [output]),
    ],
    cache: { memories: memoriesOfLayers(layout), ...rereadingOf(layout) },
    hidden: (options) => {
      const [batch, tokens] = options.inputIds.shape as [number, number];
      const embedded = gather(options.weight(embedding), options.inputIds);
      let h = reshape(times(embedded, scales.embedding), [batch * tokens, hidden]);
      const pass = new ForwardPass(layout, options, h);
      for (const [layer, weights] of perLayer.entries()) h = pass.block(layer, weights, h);
      return h;
    },
    normalize: (rows, weight) => times(decoderNorm(layout, rows, weight(finalNorm)), scales.logits),
    outputMatrix: (weight) => weight(output),
    ...(scales.logitCap === undefined ? {} : { logitCap: scales.logitCap }),
  };
}

function memoriesOfLayers(layout: DecoderLayout): ReadonlyMap<number, { groups: number; headSize: number }> {
  const own = [...layout.kinds.entries()].filter(([, { keysOf }]) => keysOf === undefined);
  return new Map(
    own.map(([layer]) => {
      const { groups, headSize } = layerSizes(layout, layer);
      return [layer, { groups, headSize }];
    }),
  );
}

/** Of a text that outgrows the length up to which its keys were turned by other angles. */
function rereadingOf({ kinds }: DecoderLayout): { readonly rereadBeyond?: number } {
  const lengths = kinds.flatMap(({ rope }) => (rope?.scaling.kind === "longrope" ? [rope.scaling.longer.than] : []));
  return lengths.length === 0 ? {} : { rereadBeyond: Math.min(...lengths) };
}

/** x times a number; x itself where there is none. */
const times = (x: OnnxValue, scale: number | undefined): OnnxValue =>
  scale === undefined || scale === 1 ? x : mul(x, scalar(scale));

const decoderNorm = ({ epsilon, normsFromOne }: DecoderLayout, x: OnnxValue, weight: OnnxValue): OnnxValue =>
  rmsNorm(x, normsFromOne ? add(weight, scalar(1)) : weight, epsilon);

interface LinearOptions {
  /** What the product is added to. */
  readonly residual?: OnnxValue | undefined;
  /** Of which rows of the stream the input is. */
  readonly at?: OnnxValue | undefined;
}

/** One forward pass: what all its layers share, and their blocks. */
class ForwardPass {
  readonly #layout: DecoderLayout;
  readonly #options: ForwardOptions;
  /** What layers of one kind see and where their tokens stand, made once. */
  readonly #seen = new Map<string, Pick<AttentionShape, "rope" | "blocks">>();
  /** What layers attended to, for those that attend to the same. */
  readonly #keys = new Map<number, KeysAndValues>();
  readonly #inputs: readonly OnnxValue[];

  /** embedded: f32[B*T, hidden], the stream before the first layer. */
  constructor(layout: DecoderLayout, options: ForwardOptions, embedded: OnnxValue) {
    this.#layout = layout;
    this.#options = options;
    const { inputsOfLayers: inputs } = layout;
    this.#inputs = inputs ? inputsOfLayers(inputs, layout, { options, embedded }) : [];
  }

  /** The stream f32[B*T, hidden] behind a layer. */
  block(layer: number, weights: LayerWeights, h: OnnxValue): OnnxValue {
    const { hooks, rows } = this.#options;
    // What follows attention treats every row by itself.
    const at = layer === this.#layout.layers - 1 ? rows : undefined;
    const mixed = chosenRows(this.#attention(layer, weights, h), at);
    const o = weights.attention.at(-1)!;
    const n = this.#join(chosenRows(h, at), { site: o, x: mixed, norms: weights.attentionNorms, at });
    const gated = this.#gated(layer, weights, n, at);
    const down = weights.mlp.at(-1)!;
    const sum = this.#join(n, { site: down, x: gated, norms: weights.mlpNorms, at });
    const out = this.#finished(layer, weights, sum, at);
    return hooks.block?.(layer, out, at) ?? out;
  }

  #attention(layer: number, weights: LayerWeights, h: OnnxValue): OnnxValue {
    const { scales = {}, kinds } = this.#layout;
    const { heads, groups, headSize } = layerSizes(this.#layout, layer);
    const { inputIds, cache } = this.#options;
    const [batch, tokens] = inputIds.shape as [number, number];
    const attend = attended(cache, layer);
    return attention(this.#attentionParts(layer, weights, this.#norm(h, weights.attentionNorms.before)), {
      ...{ batch, tokens, heads, groups, headSize },
      ...this.#visible(kinds[layer]!, headSize),
      scale: scales.attention,
      cap: scales.attentionCap,
      attended: (now) => {
        const all = attend(now);
        this.#keys.set(layer, all);
        return all;
      },
    });
  }

  #attentionParts(layer: number, weights: LayerWeights, x: OnnxValue): AttentionParts {
    const { keysOf } = this.#layout.kinds[layer]!;
    const { headSize } = layerSizes(this.#layout, layer);
    const [queryNorm, keyNorm] = (weights.queryKeyNorms ?? []).map(this.#options.weight);
    const [q, k, v] = this.#projected(layer, weights.attention, x);
    const queries = this.#grown(this.#headNorm(q!, queryNorm, headSize));
    if (keysOf !== undefined) return { q: queries, seen: this.#keys.get(keysOf)! };
    const ones = this.#layout.valueNorms ? constantOnes([headSize]) : undefined;
    return { q: queries, k: this.#headNorm(k!, keyNorm, headSize), v: this.#headNorm(v ?? k!, ones, headSize) };
  }

  /** Queries, and where the layer has its own, keys and values, as the matrices give them. */
  #projected(layer: number, sites: readonly LinearSite[], x: OnnxValue): readonly OnnxValue[] {
    if (this.#layout.fused !== "all") return sites.slice(0, -1).map((site) => this.#linear(site, x));
    const { heads, groups, headSize } = layerSizes(this.#layout, layer);
    return split(this.#linear(sites[0]!, x), [heads * headSize, groups * headSize, groups * headSize], 1);
  }

  /** The stream behind attention and MLP with what some families do to it yet. */
  #finished(layer: number, { inputs, scale }: LayerWeights, h: OnnxValue, at: OnnxValue | undefined): OnnxValue {
    const { weight } = this.#options;
    const linear = (site: LinearSite, x: OnnxValue) => this.#linear(site, x, { at });
    const whole = inputs
      ? withLayerInput(
          h,
          { own: this.#inputs[layer]!, norm: weight(inputs.norm), at },
          { layout: this.#layout, weights: inputs, linear },
        )
      : h;
    return scale ? mul(whole, weight(scale)) : whole;
  }

  #gated(layer: number, { mlp, mlpNorms }: LayerWeights, h: OnnxValue, at: OnnxValue | undefined): OnnxValue {
    const { fused, activation: name } = this.#layout;
    const { inner } = layerSizes(this.#layout, layer);
    const y = this.#norm(h, mlpNorms.before);
    const [gate, up] = fused
      ? split(this.#linear(mlp[0]!, y, { at }), [inner, inner], 1)
      : mlp.slice(0, 2).map((site) => this.#linear(site, y, { at }));
    return mul(activation(name, gate!), up!);
  }

  /** h + s norm(W x): what attention or MLP adds to the stream. */
  #join(
    h: OnnxValue,
    { site, x, norms, at }: { site: LinearSite; x: OnnxValue; norms: NormPair; at: OnnxValue | undefined },
  ): OnnxValue {
    const scale = this.#layout.scales?.residual;
    if (!norms.after && (scale === undefined || scale === 1)) return this.#linear(site, x, { residual: h, at });
    return add(h, times(this.#norm(this.#linear(site, x, { at }), norms.after), scale));
  }

  #norm(x: OnnxValue, weight: WeightShape | undefined): OnnxValue {
    return weight ? decoderNorm(this.#layout, x, this.#options.weight(weight)) : x;
  }

  #headNorm(x: OnnxValue, weight: OnnxValue | undefined, headSize: number): OnnxValue {
    const { queryKeyNorms } = this.#layout;
    if (!weight) return x;
    if (queryKeyNorms === "all heads") return decoderNorm(this.#layout, x, weight);
    const perHead = reshape(x, [x.shape[0]!, x.shape[1]! / headSize, headSize]);
    return reshape(decoderNorm(this.#layout, perHead, weight), x.shape);
  }

  /** Queries by the growth of their places; as they are where no place grows. */
  #grown(q: OnnxValue): OnnxValue {
    const { queryGrowth: growth } = this.#layout.scales ?? {};
    const { inputIds, cache, packing } = this.#options;
    const [batch, tokens] = inputIds.shape as [number, number];
    const places = cache?.past ? cache.past.capacity + 1 : tokens;
    if (!growth || places <= growth.every) return q;
    const values = Float32Array.from(
      { length: places },
      (_, t) => 1 + growth.by * Math.log1p(Math.floor(t / growth.every)),
    );
    const table = constantValue(float32([places, 1], values));
    const at = cache?.past?.position ?? packing?.positions;
    const scales = at ? gather(table, at) : table;
    return reshape(mul(reshape(q, [batch, tokens, q.shape[1]!]), scales), q.shape);
  }

  #linear(site: LinearSite, x: OnnxValue, { residual, at }: LinearOptions = {}): OnnxValue {
    const { hooks, weight } = this.#options;
    const [w, bias] = linearWeights(this.#layout, site).map(weight);
    const hook = hooks.adapts?.(site) === false ? undefined : hooks.linear;
    const y = gemm(x, w!, { transB: true, c: bias ?? (hook ? undefined : residual) });
    const changed = hook ? hook(site, x, y, at) : y;
    return residual && (bias || hook) ? add(residual, changed) : changed;
  }

  #visible({ window, rope }: LayerKind, headSize: number): Pick<AttentionShape, "rope" | "blocks"> {
    const key = JSON.stringify({ window, rope, headSize });
    const known = this.#seen.get(key) ?? this.#seenBy({ window, rope }, headSize);
    this.#seen.set(key, known);
    return known;
  }

  #tables(rope: RopeSettings, headSize: number): Rotary {
    const { inputIds, cache } = this.#options;
    const past = cache?.past;
    const rows = past ? past.capacity + 1 : inputIds.shape[1]!;
    return rotaryTables(rows, headSize, { rope, length: past ? "up to each row" : "all rows" });
  }

  #seenBy({ window, rope }: LayerKind, headSize: number): Pick<AttentionShape, "rope" | "blocks"> {
    const { inputIds, cache, packing } = this.#options;
    const tokens = inputIds.shape[1]!;
    const past = cache?.past;
    const table = rope && this.#tables(rope, headSize);
    const mask = packing ? packedMask(packing.segments, window) : causalMask(tokens, window);
    const blocks = past ? oneBlock(memoryMask(past, window), tokens) : causalBlocks(mask, tokens, window);
    const positions = past?.position ?? packing?.positions ?? table?.positions;
    return { blocks, ...(table && positions && { rope: { ...table, positions } }) };
  }
}

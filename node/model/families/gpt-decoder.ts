/**
 * The GPT layout, which several families share: layer norms, an MLP of two matrices, learned or rotary positions, attention
 * and MLP in turn or side by side (`GptLayout`).
 * Source: Radford et al. 2019; Wang and Komatsuzaki 2021 (GPT-J) for blocks side by side; names as in Hugging Face
 * transformers.
 */
import { add, chosenRows, gather, gemm, ints, reshape, split } from "../../onnx/operators.ts";
import type { OnnxValue } from "../../onnx/value.ts";
import type { ForwardOptions, ModelFamily, WeightShape, WeightSource } from "../base-model.ts";
import { activation } from "../layers/activation.ts";
import type { AttentionShape } from "../layers/attention.ts";
import { attention, causalBlocks, causalMask, memoryMask, oneBlock, packedMask } from "../layers/attention.ts";
import { attended, memoriesOf } from "../layers/key-value-cache.ts";
import { layerNorm } from "../layers/norm.ts";
import { learnedPositions } from "../layers/positions.ts";
import { rotaryTables } from "../layers/rotary.ts";
import type { GptLayer, GptLayout, GptLinear } from "./gpt-layout.ts";
import { checkGptLayout, gptEnds, gptLayer, gptLinears } from "./gpt-layout.ts";

/** Throws: MODEL_CONFIG when the numbers of heads do not fit. */
export function gptDecoder(layout: GptLayout): ModelFamily {
  checkGptLayout(layout);
  const { hidden, vocabulary, layers, heads, groups, rope } = layout;
  const ends = gptEnds(layout);
  const perLayer = Array.from({ length: layers }, (_, layer) => gptLayer(layout, layer));
  const linears = perLayer.flatMap(gptLinears).map(({ site }) => site);
  const contextTokens = rope?.contextTokens ?? layout.contextTokens;
  const { outputBias: bias } = ends;
  return {
    shape: { layers, hidden, vocabulary, contextTokens, linears },
    weights: [
      ...[ends.embedding, ends.positions, ends.into],
      ...perLayer.flatMap((weights) => [
        ...[...weights.norms, ...weights.headNorms].flat(),
        ...gptLinears(weights).flatMap((linear) => linear.weights),
      ]),
      ...[...ends.finalNorm, ends.out, ...(layout.tied ? [] : [ends.output]), bias],
    ].filter((weight) => weight !== undefined),
    cache: { memories: memoriesOf(layers, { groups, headSize: hidden / heads }) },
    hidden: (options) => {
      const pass = new GptPass(layout, options);
      let h = pass.embedded();
      for (const [layer, weights] of perLayer.entries()) h = pass.block(layer, weights, h);
      return h;
    },
    normalize: (rows, weight) => {
      const x = normed(rows, ends.finalNorm, { layout, weight });
      return ends.out ? gemm(x, weight(ends.out), { transB: true }) : x;
    },
    outputMatrix: (weight) => weight(ends.output),
    ...(bias && { outputBias: (weight: WeightSource) => weight(bias) }),
  };
}

/** x normalised by a scale and a shift; x itself where there are none. */
function normed(
  x: OnnxValue,
  [scale, shift]: readonly WeightShape[],
  { layout, weight }: { readonly layout: GptLayout; readonly weight: WeightSource },
): OnnxValue {
  if (!scale || !shift) return x;
  return layerNorm(x, { weight: weight(scale), bias: weight(shift) }, layout.epsilon);
}

/** One forward pass: what all its layers share, and their blocks. */
class GptPass {
  readonly #layout: GptLayout;
  readonly #options: ForwardOptions;
  /** What every layer's attention sees, and where its tokens stand. */
  readonly #shape: Omit<AttentionShape, "attended">;

  constructor(layout: GptLayout, options: ForwardOptions) {
    this.#layout = layout;
    this.#options = options;
    const { inputIds, cache, packing } = options;
    const [batch, tokens] = inputIds.shape as [number, number];
    const { heads, groups, hidden, rope } = layout;
    const headSize = hidden / heads;
    const past = cache?.past;
    const mask = packing ? packedMask(packing.segments) : causalMask(tokens);
    const blocks = past ? oneBlock(memoryMask(past), tokens) : causalBlocks(mask, tokens);
    const length = past ? "up to each row" : "all rows";
    const table = rope && rotaryTables(past ? past.capacity + 1 : tokens, headSize, { rope, length });
    const positions = this.#positions() ?? table?.positions;
    this.#shape = {
      ...{ batch, tokens, heads, groups, headSize, blocks },
      ...(table && positions && { rope: { ...table, positions } }),
    };
  }

  /** The stream f32[B*T, hidden] before the first block. */
  embedded(): OnnxValue {
    const { inputIds, weight } = this.#options;
    const { hidden, embeddingWidth = hidden, names } = this.#layout;
    const [batch, tokens] = inputIds.shape as [number, number];
    const { embedding, into, positions } = gptEnds(this.#layout);
    const words = reshape(gather(weight(embedding), inputIds), [batch * tokens, embeddingWidth]);
    const stream = into ? gemm(words, weight(into), { transB: true }) : words;
    if (!positions) return stream;
    const { first } = names.positions!;
    const at = this.#positions();
    // A place given by its number stands `first` rows further down in the table.
    const places = at
      ? gather(weight(positions), add(at, ints([first])))
      : learnedPositions(weight(positions), tokens, first);
    return reshape(add(reshape(stream, [batch, tokens, hidden]), places), [batch * tokens, hidden]);
  }

  /** The stream f32[B*T, hidden] behind a layer. */
  block(layer: number, weights: GptLayer, h: OnnxValue): OnnxValue {
    const { hooks, rows } = this.#options;
    const { blocks, layers } = this.#layout;
    // What follows attention treats every row by itself.
    const at = layer === layers - 1 ? rows : undefined;
    const [first, second = first] = weights.norms as [readonly WeightShape[], (readonly WeightShape[])?];
    const x = blocks === "behind" ? h : this.#norm(h, first);
    const mixed = this.#linear(weights.o, chosenRows(this.#attention(layer, weights, x), at), at);
    const chosen = chosenRows(h, at);
    const sum = add(chosen, mixed);
    let out: OnnxValue;
    if (blocks === "in turn") out = add(sum, this.#mlp(weights, this.#norm(sum, second), at));
    else if (blocks === "behind") {
      const n = this.#norm(sum, first);
      out = this.#norm(add(n, this.#mlp(weights, n, at)), second);
    } else {
      const shared = first === second;
      out = add(sum, this.#mlp(weights, shared ? chosenRows(x, at) : this.#norm(chosen, second), at));
    }
    return hooks.block?.(layer, out, at) ?? out;
  }

  #attention(layer: number, { qkv, headNorms }: GptLayer, x: OnnxValue): OnnxValue {
    const { q, k, v } = this.#projected(qkv, x);
    const [queryNorm, keyNorm] = headNorms;
    const parts = { q: this.#headNorm(q, queryNorm), k: this.#headNorm(k, keyNorm), v };
    return attention(parts, { ...this.#shape, attended: attended(this.#options.cache, layer) });
  }

  #projected(qkv: readonly GptLinear[], x: OnnxValue): Record<"q" | "k" | "v", OnnxValue> {
    const products = qkv.map((linear) => this.#linear(linear, x));
    if (products.length > 1) return { q: products[0]!, k: products[1]!, v: products[2]! };
    const { heads, headSize } = this.#shape;
    const n = x.shape[0]!;
    const [q, k, v] = split(reshape(products[0]!, [n, heads, 3 * headSize]), [headSize, headSize, headSize], 2).map(
      (part) => reshape(part, [n, heads * headSize]),
    );
    return { q: q!, k: k!, v: v! };
  }

  #mlp({ up, down }: GptLayer, x: OnnxValue, at: OnnxValue | undefined): OnnxValue {
    return this.#linear(down, activation(this.#layout.activation, this.#linear(up, x, at)), at);
  }

  #norm(x: OnnxValue, weights: readonly WeightShape[]): OnnxValue {
    return normed(x, weights, { layout: this.#layout, weight: this.#options.weight });
  }

  #headNorm(x: OnnxValue, weights: readonly WeightShape[] | undefined): OnnxValue {
    if (!weights) return x;
    const { headSize } = this.#shape;
    return reshape(this.#norm(reshape(x, [x.shape[0]!, x.shape[1]! / headSize, headSize]), weights), x.shape);
  }

  #linear({ site, weights }: GptLinear, x: OnnxValue, at?: OnnxValue): OnnxValue {
    const { hooks, weight } = this.#options;
    const [w, bias] = weights.map(weight);
    const y = gemm(x, w!, { transB: true, c: bias });
    return hooks.linear?.(site, x, y, at) ?? y;
  }

  /** Where tokens stand, where it is not simply one after the other from the first. */
  #positions(): OnnxValue | undefined {
    const { cache, packing } = this.#options;
    return cache?.past?.position ?? packing?.positions;
  }
}

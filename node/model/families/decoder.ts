/**
 * The Llama layout, which several families share: RMS norms before attention and MLP, rotary positions, grouped
 * key/value heads, a gated MLP.  Block: h + O att(norm h), then h + D (act(G n) * U n) with n = norm of that.
 * Source: Touvron et al. 2023, arXiv:2302.13971; weights and names as in Hugging Face transformers.
 */
import { NodeError } from "../../errors.ts";
import { add, chosenRows, gather, gemm, mul, reshape } from "../../onnx/operators.ts";
import type { OnnxValue } from "../../onnx/value.ts";
import type { LinearSite, ModelFamily, WeightShape } from "../base-model.ts";
import type { ActivationName } from "../layers/activation.ts";
import { activation } from "../layers/activation.ts";
import { attention, causalBlocks, causalMask, memoryMask, oneBlock, packedMask } from "../layers/attention.ts";
import { attended } from "../layers/key-value-cache.ts";
import { rmsNorm } from "../layers/norm.ts";
import type { RopeSettings } from "../layers/rope-settings.ts";
import { rotaryTables } from "../layers/rotary.ts";

/** Everything in which the families of this layout differ. */
export interface DecoderLayout {
  readonly vocabulary: number;
  readonly hidden: number;
  /** Width of the MLP. */
  readonly inner: number;
  readonly layers: number;
  readonly heads: number;
  /** Key/value heads. */
  readonly groups: number;
  readonly headSize: number;
  readonly contextTokens: number;
  readonly epsilon: number;
  readonly rope: RopeSettings;
  readonly activation: ActivationName;
  /** Whether the output matrix is the embedding. */
  readonly tied: boolean;
  readonly biases: { readonly qkv: boolean; readonly o: boolean; readonly mlp: boolean };
  /** RMS norms of every query and key head, before the rotation. */
  readonly headNorms: boolean;
  /** Tokens that a query sees, itself included; all earlier ones when absent. */
  readonly window?: number | undefined;
}

/** Throws: MODEL_CONFIG when the numbers of heads do not fit. */
export function decoder(layout: DecoderLayout): ModelFamily {
  const { hidden, vocabulary, layers, heads, groups, headSize } = layout;
  if (!Number.isInteger(headSize) || heads % groups !== 0 || headSize % 2 !== 0) {
    throw new NodeError(
      "MODEL_CONFIG",
      `config.json: ${heads} heads of size ${headSize}, ${groups} key/value heads and hidden size ${hidden} do not fit`,
    );
  }
  const embedding: WeightShape = { name: "model.embed_tokens.weight", shape: [vocabulary, hidden] };
  const output: WeightShape = layout.tied ? embedding : { name: "lm_head.weight", shape: [vocabulary, hidden] };
  const finalNorm: WeightShape = { name: "model.norm.weight", shape: [hidden] };
  const perLayer = Array.from({ length: layers }, (_, layer) => layerWeights(layout, layer));
  const norm = (x: OnnxValue, weight: OnnxValue): OnnxValue => rmsNorm(x, weight, layout.epsilon);
  const headNorm = (x: OnnxValue, weight: OnnxValue): OnnxValue =>
    reshape(norm(reshape(x, [x.shape[0]!, x.shape[1]! / headSize, headSize]), weight), x.shape);

  return {
    shape: {
      layers,
      hidden,
      vocabulary,
      contextTokens: layout.contextTokens,
      linears: perLayer.flatMap((weights) => weights.sites),
    },
    weights: [
      embedding,
      ...perLayer.flatMap(({ norms, headNorms, sites }) => [
        ...norms,
        ...headNorms,
        ...sites.flatMap((site) => linearWeights(layout, site)),
      ]),
      finalNorm,
      ...(layout.tied ? [] : [output]),
    ],
    cache: { groups, headSize },
    hidden: ({ inputIds, weight, hooks, cache, packing, rows }) => {
      const [batch, tokens] = inputIds.shape as [number, number];
      const past = cache?.past;
      const table = rotaryTables(past ? past.capacity + 1 : tokens, headSize, layout.rope);
      const rope = { ...table, positions: past?.position ?? packing?.positions ?? table.positions };
      const mask = packing ? packedMask(packing.segments, layout.window) : causalMask(tokens, layout.window);
      const blocks = past
        ? oneBlock(memoryMask(past, layout.window), tokens)
        : causalBlocks(mask, tokens, layout.window);
      const shape = { batch, tokens, heads, groups, headSize, rope, blocks };
      const linear = (site: LinearSite, x: OnnxValue, { residual, at }: LinearOptions = {}): OnnxValue => {
        const [w, bias] = linearWeights(layout, site).map(weight);
        const hook = hooks.adapts?.(site) === false ? undefined : hooks.linear;
        const y = gemm(x, w!, { transB: true, c: bias ?? (hook ? undefined : residual) });
        const changed = hook ? hook(site, x, y, at) : y;
        return residual && (bias || hook) ? add(residual, changed) : changed;
      };
      let h = reshape(gather(weight(embedding), inputIds), [batch * tokens, hidden]);
      for (const [layer, { norms, headNorms, sites }] of perLayer.entries()) {
        const [q, k, v, o, gate, up, down] = sites as SevenSites;
        const [inputNorm, mlpNorm] = norms.map(weight);
        const [queryNorm, keyNorm] = headNorms.map(weight);
        const x = norm(h, inputNorm!);
        const [queries, keys] = [linear(q, x), linear(k, x)];
        const parts = {
          q: queryNorm ? headNorm(queries, queryNorm) : queries,
          k: keyNorm ? headNorm(keys, keyNorm) : keys,
          v: linear(v, x),
        };
        // What follows treats every row by itself.
        const at = layer === layers - 1 ? rows : undefined;
        const mixed = chosenRows(attention(parts, { ...shape, attended: attended(cache, layer) }), at);
        h = linear(o, mixed, { residual: chosenRows(h, at), at });
        const y = norm(h, mlpNorm!);
        const gated = mul(activation(layout.activation, linear(gate, y, { at })), linear(up, y, { at }));
        h = linear(down, gated, { residual: h, at });
        h = hooks.block?.(layer, h, at) ?? h;
      }
      return h;
    },
    normalize: (rows, weight) => norm(rows, weight(finalNorm)),
    outputMatrix: (weight) => weight(output),
  };
}

interface LinearOptions {
  /** The value that the product is added to. */
  readonly residual?: OnnxValue;
  /** The rows of the stream that the input holds. */
  readonly at?: OnnxValue | undefined;
}

type SevenSites = readonly [LinearSite, LinearSite, LinearSite, LinearSite, LinearSite, LinearSite, LinearSite];

interface LayerWeights {
  /** Before attention, before the MLP. */
  readonly norms: readonly WeightShape[];
  /** Norms of queries and keys; none in most families. */
  readonly headNorms: readonly WeightShape[];
  /** In the order in which the forward pass takes them: q, k, v, o, gate, up, down. */
  readonly sites: readonly LinearSite[];
}

function layerWeights(layout: DecoderLayout, layer: number): LayerWeights {
  const { hidden, inner, heads, groups, headSize } = layout;
  const path = `model.layers.${layer}`;
  const sizes: readonly (readonly [string, number, number])[] = [
    ["self_attn.q_proj", hidden, heads * headSize],
    ["self_attn.k_proj", hidden, groups * headSize],
    ["self_attn.v_proj", hidden, groups * headSize],
    ["self_attn.o_proj", heads * headSize, hidden],
    ["mlp.gate_proj", hidden, inner],
    ["mlp.up_proj", hidden, inner],
    ["mlp.down_proj", inner, hidden],
  ];
  const vector = (part: string, size: number): WeightShape => ({ name: `${path}.${part}.weight`, shape: [size] });
  return {
    norms: [vector("input_layernorm", hidden), vector("post_attention_layernorm", hidden)],
    headNorms: layout.headNorms ? [vector("self_attn.q_norm", headSize), vector("self_attn.k_norm", headSize)] : [],
    sites: sizes.map(([part, inputs, outputs]) => ({ path: `${path}.${part}`, layer, inputs, outputs })),
  };
}

/** The matrix [outputs, inputs] of a linear layer, and its bias where it has one. */
function linearWeights({ biases }: DecoderLayout, site: LinearSite): readonly WeightShape[] {
  const part = site.path.split(".").at(-1);
  const biased = site.path.includes(".mlp.") ? biases.mlp : part === "o_proj" ? biases.o : biases.qkv;
  return [
    { name: `${site.path}.weight`, shape: [site.outputs, site.inputs] },
    ...(biased ? [{ name: `${site.path}.bias`, shape: [site.outputs] }] : []),
  ];
}

/**
 * The GPT-2 layout: layer norms before attention and MLP, learned positions, one product for q, k and v.
 * Its linear layers store their weight as [inputs, outputs].
 * Source: Radford et al. 2019; weights and names as in Hugging Face transformers.
 */
import { z } from "zod";
import { NodeError } from "../../errors.ts";
import { add, chosenRows, gather, gemm, reshape, split } from "../../onnx/operators.ts";
import type { OnnxValue } from "../../onnx/value.ts";
import type { LinearSite, ModelFamily, WeightShape, WeightSource } from "../base-model.ts";
import { architectureNames, COMMON_FIELDS, COUNT, LAYERS, readConfig } from "../config.ts";
import { ACTIVATION_NAMES, activation } from "../layers/activation.ts";
import { attention, causalBlocks, causalMask, memoryMask, oneBlock, packedMask } from "../layers/attention.ts";
import { attended, memoriesOf } from "../layers/key-value-cache.ts";
import { layerNorm } from "../layers/norm.ts";
import { learnedPositions } from "../layers/positions.ts";

const CONFIG = z.object({
  ...COMMON_FIELDS,
  model_type: z.literal("gpt2"),
  architectures: architectureNames("GPT2LMHeadModel", "GPT2Model"),
  vocab_size: COUNT,
  n_embd: COUNT,
  n_layer: LAYERS,
  n_head: COUNT,
  n_positions: COUNT,
  n_inner: COUNT.nullish(),
  activation_function: z.enum(ACTIVATION_NAMES).default("gelu_new"),
  layer_norm_epsilon: z.number().positive().default(1e-5),
  scale_attn_weights: z.literal(true).optional(),
  scale_attn_by_inverse_layer_idx: z.literal(false).optional(),
  add_cross_attention: z.literal(false).optional(),
  tie_word_embeddings: z.boolean().default(true),
  is_causal: z.literal(true).optional(),
});

/** Throws: MODEL_CONFIG naming the field of config.json that is missing or not supported. */
export function gpt2(config: unknown): ModelFamily {
  const { n_embd: hidden, n_layer: layers, n_head: heads, ...rest } = readConfig(CONFIG, config);
  if (hidden % heads !== 0) {
    throw new NodeError("MODEL_CONFIG", `config.json: ${heads} heads do not divide the hidden size ${hidden}`);
  }
  const inner = rest.n_inner ?? 4 * hidden;
  const embedding: WeightShape = { name: "transformer.wte.weight", shape: [rest.vocab_size, hidden] };
  const output: WeightShape = rest.tie_word_embeddings
    ? embedding
    : { name: "lm_head.weight", shape: [rest.vocab_size, hidden] };
  const positions: WeightShape = { name: "transformer.wpe.weight", shape: [rest.n_positions, hidden] };
  const linears = Array.from({ length: layers }, (_, layer) => linearSites(layer, hidden, inner)).flat();
  const linearWeights = ({ path, inputs, outputs }: LinearSite): readonly WeightShape[] => [
    { name: `${path}.weight`, shape: [inputs, outputs] },
    { name: `${path}.bias`, shape: [outputs] },
  ];
  const normWeights = (path: string): readonly WeightShape[] =>
    ["weight", "bias"].map((part) => ({ name: `${path}.${part}`, shape: [hidden] }));
  const norm = (x: OnnxValue, path: string, weight: WeightSource): OnnxValue => {
    const [scale, bias] = normWeights(path).map(weight) as [OnnxValue, OnnxValue];
    return layerNorm(x, { weight: scale, bias }, rest.layer_norm_epsilon);
  };
  const perLayer = (layer: number) =>
    linears.filter((site) => site.layer === layer) as [LinearSite, LinearSite, LinearSite, LinearSite];

  return {
    shape: { layers, hidden, vocabulary: rest.vocab_size, contextTokens: rest.n_positions, linears },
    weights: [
      embedding,
      positions,
      ...Array.from({ length: layers }, (_, layer) => [
        ...["ln_1", "ln_2"].flatMap((part) => normWeights(`transformer.h.${layer}.${part}`)),
        ...perLayer(layer).flatMap(linearWeights),
      ]).flat(),
      ...normWeights("transformer.ln_f"),
      ...(rest.tie_word_embeddings ? [] : [output]),
    ],
    cache: { memories: memoriesOf(layers, { groups: heads, headSize: hidden / heads }) },
    hidden: ({ inputIds, weight, hooks, cache, packing, rows }) => {
      const [batch, tokens] = inputIds.shape as [number, number];
      const past = cache?.past;
      const mask = packing ? packedMask(packing.segments) : causalMask(tokens);
      const blocks = past ? oneBlock(memoryMask(past), tokens) : causalBlocks(mask, tokens);
      const linear = (site: LinearSite, x: OnnxValue, at?: OnnxValue): OnnxValue => {
        const [w, bias] = linearWeights(site).map(weight);
        const y = gemm(x, w!, { c: bias });
        return hooks.linear?.(site, x, y, at) ?? y;
      };
      const at = past?.position ?? packing?.positions;
      const places = at ? gather(weight(positions), at) : learnedPositions(weight(positions), tokens);
      let h = reshape(add(gather(weight(embedding), inputIds), places), [batch * tokens, hidden]);
      for (let layer = 0; layer < layers; layer++) {
        const [qkv, o, up, down] = perLayer(layer);
        const x = norm(h, `transformer.h.${layer}.ln_1`, weight);
        const [q, k, v] = split(linear(qkv, x), [hidden, hidden, hidden], 1) as [OnnxValue, OnnxValue, OnnxValue];
        const shape = { batch, tokens, heads, groups: heads, headSize: hidden / heads, blocks };
        // What follows treats every row by itself.
        const at = layer === layers - 1 ? rows : undefined;
        const mixed = chosenRows(attention({ q, k, v }, { ...shape, attended: attended(cache, layer) }), at);
        h = add(chosenRows(h, at), linear(o, mixed, at));
        const y = linear(up, norm(h, `transformer.h.${layer}.ln_2`, weight), at);
        h = add(h, linear(down, activation(rest.activation_function, y), at));
        h = hooks.block?.(layer, h, at) ?? h;
      }
      return h;
    },
    normalize: (rows, weight) => norm(rows, "transformer.ln_f", weight),
    outputMatrix: (weight) => weight(output),
  };
}

/** In the order in which the forward pass takes them. */
function linearSites(layer: number, hidden: number, inner: number): readonly LinearSite[] {
  const sizes: readonly (readonly [string, number, number])[] = [
    ["attn.c_attn", hidden, 3 * hidden],
    ["attn.c_proj", hidden, hidden],
    ["mlp.c_fc", hidden, inner],
    ["mlp.c_proj", inner, hidden],
  ];
  const stored = "inputs x outputs";
  return sizes.map(([part, inputs, outputs]) => ({
    path: `transformer.h.${layer}.${part}`,
    layer,
    inputs,
    outputs,
    stored,
  }));
}

/**
 * Inputs of every layer by itself, beside the stream (Gemma 3n and 4): p = (norm(P e) + E') / sqrt(2), where e is the
 * token's embedding, P a projection times hidden^-0.5, and E' the token's row of a second table times sqrt(size).
 * A layer adds norm(W (act(G h) * p)) to its stream h.
 * Source: transformers 5, to which it is held.
 */
import { add, chosenRows, gather, gemm, mul, reshape, scalar, split } from "../../onnx/operators.ts";
import type { OnnxValue } from "../../onnx/value.ts";
import type { ForwardOptions, LinearSite, WeightShape } from "../base-model.ts";
import type { ActivationName } from "../layers/activation.ts";
import { activation } from "../layers/activation.ts";
import { rmsNorm } from "../layers/norm.ts";

/** Sizes of these inputs. */
export interface InputsOfLayers {
  /** Values of one layer's input. */
  readonly size: number;
  /** Rows of the second table. */
  readonly vocabulary: number;
}

/** What of a layout they are made by. */
export interface InputsLayout {
  readonly hidden: number;
  readonly layers: number;
  readonly epsilon: number;
  readonly activation: ActivationName;
}

/** The weights that all layers share. */
export interface SharedInputWeights {
  readonly table: WeightShape;
  readonly projection: WeightShape;
  readonly norm: WeightShape;
}

/** The weights of one layer. */
export interface LayerInputWeights {
  readonly gate: LinearSite;
  readonly projection: LinearSite;
  readonly norm: WeightShape;
}

/** Names as in transformers. */
export function sharedInputWeights(
  { size, vocabulary }: InputsOfLayers,
  { hidden, layers }: InputsLayout,
): SharedInputWeights {
  return {
    table: { name: "model.embed_tokens_per_layer.weight", shape: [vocabulary, layers * size] },
    projection: { name: "model.per_layer_model_projection.weight", shape: [layers * size, hidden] },
    norm: { name: "model.per_layer_projection_norm.weight", shape: [size] },
  };
}

/** path: of the layer. */
export function layerInputWeights(
  { size }: InputsOfLayers,
  { path, layer, hidden }: { readonly path: string; readonly layer: number; readonly hidden: number },
): LayerInputWeights {
  return {
    gate: { path: `${path}.per_layer_input_gate`, layer, inputs: hidden, outputs: size },
    projection: { path: `${path}.per_layer_projection`, layer, inputs: size, outputs: hidden },
    norm: { name: `${path}.post_per_layer_input_norm.weight`, shape: [hidden] },
  };
}

/** Of every layer f32[N, size].  embedded: f32[N, hidden], as it goes into the stream. */
export function inputsOfLayers(
  { size, vocabulary }: InputsOfLayers,
  layout: InputsLayout,
  { options, embedded }: { readonly options: ForwardOptions; readonly embedded: OnnxValue },
): readonly OnnxValue[] {
  const { hidden, layers, epsilon } = layout;
  const { weight, inputIds } = options;
  const weights = sharedInputWeights({ size, vocabulary }, layout);
  const rows = embedded.shape[0]!;
  const projected = mul(gemm(embedded, weight(weights.projection), { transB: true }), scalar(hidden ** -0.5));
  const context = rmsNorm(reshape(projected, [rows, layers, size]), weight(weights.norm), epsilon);
  const own = mul(gather(weight(weights.table), inputIds), scalar(Math.sqrt(size)));
  const both = mul(add(context, reshape(own, context.shape)), scalar(Math.SQRT1_2));
  const sizes = Array.from({ length: layers }, () => size);
  return split(reshape(both, [rows, layers * size]), sizes, 1);
}

/** How a layer multiplies by one of its matrices, an adapter's part included. */
export type Linear = (site: LinearSite, x: OnnxValue, at: OnnxValue | undefined) => OnnxValue;

/** The stream with its layer's input added; h: f32[M, hidden] of the rows `at`, own: f32[N, size] of all. */
export function withLayerInput(
  h: OnnxValue,
  { own, norm, at }: { readonly own: OnnxValue; readonly norm: OnnxValue; readonly at: OnnxValue | undefined },
  { layout, weights, linear }: { layout: InputsLayout; weights: LayerInputWeights; linear: Linear },
): OnnxValue {
  const gated = mul(activation(layout.activation, linear(weights.gate, h, at)), chosenRows(own, at));
  return add(h, rmsNorm(linear(weights.projection, gated, at), norm, layout.epsilon));
}

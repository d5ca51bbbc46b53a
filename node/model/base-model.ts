/** The frozen base model as the engine sees it: its shape, its weights, and how its graph is built around hooks. */
import type { ExternalData } from "../interface/runtime.ts";
import type { OnnxValue } from "../onnx/value.ts";

/** A linear layer that an adapter may be attached to. */
export interface LinearSite {
  /** Module path, such as `model.layers.0.self_attn.q_proj`. */
  readonly path: string;
  readonly layer: number;
  readonly inputs: number;
  readonly outputs: number;
}

export interface ModelShape {
  readonly layers: number;
  readonly hidden: number;
  readonly vocabulary: number;
  /** Longest sequence that the model has positions for. */
  readonly contextTokens: number;
  readonly linears: readonly LinearSite[];
}

/** Where an adapter changes the forward pass. N = batch x tokens. */
export interface AdapterHooks {
  /** x f32[N, inputs] and y = x W^T + bias f32[N, outputs] -> the changed y. */
  readonly linear?: (site: LinearSite, x: OnnxValue, y: OnnxValue) => OnnxValue;
  /** Residual stream after a block, f32[N, hidden] -> the changed stream. */
  readonly block?: (layer: number, h: OnnxValue) => OnnxValue;
}

export interface WeightShape {
  readonly name: string;
  readonly shape: readonly number[];
}

/** A weight by its Hugging Face name.  Throws: MODEL_MISSING, MODEL_CONFIG when it is absent or has another shape. */
export type WeightSource = (weight: WeightShape) => OnnxValue;

export interface ForwardOptions {
  /** i64[B, T] */
  readonly inputIds: OnnxValue;
  readonly weight: WeightSource;
  readonly hooks: AdapterHooks;
}

export interface ModelFamily {
  readonly shape: ModelShape;
  /** All weights that the forward pass reads, in a fixed order. */
  readonly weights: readonly WeightShape[];
  /** Residual stream after the last block, f32[B*T, hidden]. */
  hidden(options: ForwardOptions): OnnxValue;
  /** The final normalisation of chosen rows, f32[M, hidden] -> f32[M, hidden]. */
  normalize(rows: OnnxValue, weight: WeightSource): OnnxValue;
  /** The output matrix f32[vocabulary, hidden]: logits are normalised rows times its transpose. */
  outputMatrix(weight: WeightSource): OnnxValue;
}

export interface BaseModel extends ModelFamily {
  /** `model_type` of config.json. */
  readonly family: string;
  readonly weight: WeightSource;
  /** Files of weights that the graphs refer to. */
  readonly externalData: readonly ExternalData[];
}

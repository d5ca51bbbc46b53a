/**
 * What the module of an adapter kind of one's own is written with: its types, and the operators that an edit of the forward pass
 * is built from. Gradients follow by themselves.
 *
 * @packageDocumentation
 */

export type { AdapterSlot } from "../../protocol/adapter-spec.ts";
export type { Prng } from "../../protocol/prng.ts";
export type { Drop, DropoutSite } from "../adapter/dropout.ts";
export type { AdapterPart, FrozenModel, InjectionContext, TensorRole } from "../adapter/method.ts";
export type { OwnKind, OwnKindOptions } from "../adapter/own-kind.ts";
export type { InterventionInputs, PositionCounts } from "../adapter/positions.ts";
export type { AdapterHooks, LinearSite, ModelShape } from "../model/base-model.ts";
export {
  add,
  div,
  exp,
  type GemmOptions,
  gemm,
  log,
  matMul,
  mul,
  neg,
  reciprocal,
  reduceMean,
  reduceSum,
  reshape,
  scalar,
  sigmoid,
  softmax,
  sqrt,
  sub,
  transpose,
} from "../onnx/operators.ts";
export type { OnnxValue, ValueSource } from "../onnx/value.ts";
export type { Dtype } from "../tensor.ts";

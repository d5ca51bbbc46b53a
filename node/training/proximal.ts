/** The term that holds local training back near the reference model (FedRef, arXiv:2506.23210, in-loss form). */
import { inputValue } from "../onnx/graph.ts";
import { mul, reduceSum, scalar, sub } from "../onnx/operators.ts";
import type { OnnxValue } from "../onnx/value.ts";
import type { Tensor } from "../tensor.ts";
import { float32 } from "../tensor.ts";

/**
 * l2/2 |theta - m|^2, whose gradient is l2 (theta - m).  Inputs: reference m f32[P], proximal l2 f32[].
 * theta f32[P] -> f32[].
 */
export function proximalTerm(theta: OnnxValue): { readonly inputs: readonly OnnxValue[]; readonly term: OnnxValue } {
  const reference = inputValue("reference", "float32", theta.shape);
  const weight = inputValue("proximal", "float32", []);
  const distance = sub(theta, reference);
  const term = mul(mul(weight, scalar(0.5)), reduceSum(mul(distance, distance), [0], false));
  return { inputs: [reference, weight], term };
}

/** What to feed it; theta itself as the reference, or a weight of 0, is no term at all. */
export function proximalFeeds(reference: Float32Array, weight: number): Readonly<Record<string, Tensor>> {
  return { reference: float32([reference.length], reference), proximal: float32([], [weight]) };
}

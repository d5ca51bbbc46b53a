/** The term that holds local training back near the reference model (FedRef, arXiv:2506.23210, in-loss form). */
import { inputValue } from "../onnx/graph.ts";
import { mul, reduceSum, scalar, sub } from "../onnx/operators.ts";
import type { OnnxValue } from "../onnx/value.ts";
import type { Tensor } from "../tensor.ts";
import { float32 } from "../tensor.ts";

/** Whether every value is held alike, or by weights of its own. */
export type Holding = "alike" | "weighted";

/**
 * l2/2 |theta - m|^2, whose gradient is l2 (theta - m); weighted: l2/2 sum_i f_i (theta_i - m_i)^2, whose gradient is
 * l2 f (theta - m).  Inputs: reference m f32[P], proximal l2 f32[], and when weighted fisher f f32[P].
 * theta f32[P] -> f32[].
 */
export function proximalTerm(
  theta: OnnxValue,
  holding: Holding = "alike",
): { readonly inputs: readonly OnnxValue[]; readonly term: OnnxValue } {
  const reference = inputValue("reference", "float32", theta.shape);
  const weight = inputValue("proximal", "float32", []);
  const distance = sub(theta, reference);
  const squares = mul(distance, distance);
  const fisher = holding === "weighted" ? inputValue("fisher", "float32", theta.shape) : undefined;
  const term = mul(mul(weight, scalar(0.5)), reduceSum(fisher ? mul(fisher, squares) : squares, [0], false));
  return { inputs: [reference, weight, ...(fisher ? [fisher] : [])], term };
}

/** The feeds of the term. With theta itself as the reference, or with a weight of 0, there is no term. */
export function proximalFeeds(
  reference: Float32Array,
  weight: number,
  fisher?: Float32Array,
): Readonly<Record<string, Tensor>> {
  const held = { reference: float32([reference.length], reference), proximal: float32([], [weight]) };
  return fisher ? { ...held, fisher: float32([fisher.length], fisher) } : held;
}

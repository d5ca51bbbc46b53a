/** Values kept within bounds: z becomes c tanh(z / c) (Gemma Team 2024, arXiv:2408.00118, section 2). */
import { apply } from "../../onnx/graph.ts";
import { mul, scalar } from "../../onnx/operators.ts";
import type { OnnxValue } from "../../onnx/value.ts";

/** The bounded values; z itself where no bound is given. */
export function capped(z: OnnxValue, cap: number | undefined): OnnxValue {
  return cap === undefined ? z : mul(apply("Tanh", [mul(z, scalar(1 / cap))]), scalar(cap));
}

/**
 * Products with frozen weights in numbers of 16 bits, forward and backward: y = a f32(f16(x / a) W_16), as IEEE 754
 * binary16 has them. Everything else stays in f32: the residual stream, norms, attention, the adapter, the output matrix,
 * the loss and the gradient.
 * Source of what stays in f32: Micikevicius et al. 2017, arXiv:1710.03740, section 3.
 */
import type { HalfWeights } from "../model/half-weights.ts";
import { cast, gemm } from "../onnx/operators.ts";
import type { Replacement } from "../onnx/rewrite.ts";
import { inOtherArithmetic } from "./frozen-products.ts";

export function inHalves(weights: HalfWeights): Replacement {
  return inOtherArithmetic(weights, (x, { matrix, transposed }) =>
    cast(gemm(cast(x, "float16"), matrix, { transB: transposed }), "float32"),
  );
}

/** Gradient rules of matrix products. */

import { floatAttribute, intAttribute } from "../../onnx/attributes.ts";
import { gemm, matMul, mul, reduceSum, reshape, scalar, transpose } from "../../onnx/operators.ts";
import type { OnnxValue } from "../../onnx/value.ts";
import { recomputed } from "../recomputed.ts";
import type { GradientRule } from "../rule.ts";
import { single } from "../rule.ts";

/** Swap the last two axes. */
function swapped(x: OnnxValue): OnnxValue {
  const rank = x.shape.length;
  return transpose(x, [...Array(rank - 2).keys(), rank - 1, rank - 2]);
}

/** Rules of matrix products by operator. */
export const LINEAR: Readonly<Record<string, GradientRule>> = {
  /** Y = A B: dA = dY B^T, dB = A^T dY, batch axes broadcast. */
  MatMul: single(({ inputs: [a, b] }, dy) => {
    if (a!.shape.length < 2 || b!.shape.length < 2) return vectorProduct(a!, b!, dy);
    return [
      () => matMul(dy, swapped(b!)),
      () => {
        // Many rows times one matrix: fold the batch into the rows, so that no batch of products is summed afterwards.
        if (b!.shape.length === 2 && a!.shape.length > 2) {
          const k = a!.shape.at(-1)!;
          const n = dy.shape.at(-1)!;
          return gemm(reshape(a!, [rows(a!), k]), reshape(dy, [rows(dy), n]), { transA: true });
        }
        return matMul(swapped(a!), dy);
      },
    ];
  }),
  /** Y = alpha A' B' + beta C with A' = A or A^T: dA' = alpha dY B'^T, dB' = alpha A'^T dY, dC = beta dY. */
  Gemm: single(({ inputs: [a, b], attributes }, dy) => {
    const transA = intAttribute(attributes, "transA", 0) === 1;
    const transB = intAttribute(attributes, "transB", 0) === 1;
    const alpha = floatAttribute(attributes, "alpha", 1);
    const beta = floatAttribute(attributes, "beta", 1);
    return [
      () => (transA ? gemm(b!, dy, { transA: transB, transB: true, alpha }) : gemm(dy, b!, { transB: !transB, alpha })),
      () => {
        const left = recomputed(a!);
        return transB
          ? gemm(dy, left, { transA: true, transB: transA, alpha })
          : gemm(left, dy, { transA: !transA, alpha });
      },
      () => (beta === 1 ? dy : mul(dy, scalar(beta, dy.dtype))),
    ];
  }),
};

const rows = (x: OnnxValue): number => x.shape.slice(0, -1).reduce((product, n) => product * n, 1);

/** A vector is a matrix of one row (on the left) or of one column (on the right). */
function vectorProduct(a: OnnxValue, b: OnnxValue, dy: OnnxValue): readonly (() => OnnxValue)[] {
  const left = a.shape.length === 1 ? reshape(a, [1, ...a.shape]) : a;
  const right = b.shape.length === 1 ? reshape(b, [...b.shape, 1]) : b;
  const batch = left.shape.length > right.shape.length ? left.shape.slice(0, -2) : right.shape.slice(0, -2);
  const g = reshape(dy, [...batch, left.shape.at(-2)!, right.shape.at(-1)!]);
  const back = (x: OnnxValue, to: OnnxValue): OnnxValue => {
    if (to.shape.length > 1) return x;
    const front = x.shape.slice(0, -2).map((_, axis) => axis);
    return reshape(front.length > 0 ? reduceSum(x, front, false) : x, to.shape);
  };
  return [() => back(matMul(g, swapped(right)), a), () => back(matMul(swapped(left), g), b)];
}

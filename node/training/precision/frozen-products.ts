/** The graph pass that moves products with the frozen matrices of the blocks to another arithmetic than f32. */

import type { CopiedWeights } from "../../model/copied-weights.ts";
import { floatAttribute, intAttribute } from "../../onnx/attributes.ts";
import { apply, applyAll, externalRows } from "../../onnx/graph.ts";
import { add, ints, scalar } from "../../onnx/operators.ts";
import { type GraphPass, type Replacement, rewrite } from "../../onnx/rewrite.ts";
import type { OnnxNode, OnnxValue } from "../../onnx/value.ts";

/**
 * Gemm with a frozen matrix on its right becomes `product`. Other nodes read the copies of their weights.
 * product: x f32[M,K], the copy of W -> x W f32[M,N].
 *
 * It is to scale x row by row, y_m = a_m (x_m / a_m) W with a_m = max_k |x_mk|. So a small row keeps its precision beside a
 * large one, and no row of activations or gradients is too large or too small for the other arithmetic. No scale on the loss is
 * needed.
 */
export function inOtherArithmetic<Matrix>(
  weights: CopiedWeights<Matrix>,
  product: (x: OnnxValue, matrix: Matrix, label: string) => OnnxValue,
): GraphPass {
  const parts = new Map<OnnxValue, OnnxValue>();
  /** The copy of a value, or the rows of a copy where the value is rows of a weight. */
  const copyOf = (value: OnnxValue): OnnxValue => {
    const rows = value.source.kind === "external" ? value.source.rows : undefined;
    const copy = weights.copy(rows?.whole ?? value);
    if (!rows || !copy) return copy ?? value;
    const part = parts.get(value) ?? externalRows(copy, { from: rows.from, to: rows.from + value.shape[0]! });
    parts.set(value, part);
    return part;
  };
  const inOther: Replacement = (node, inputs) => {
    const frozen = isPlainGemm(node)
      ? weights.matrix(node.inputs[1]!, intAttribute(node.attributes, "transB", 0) === 1)
      : undefined;
    if (frozen) {
      const y = product(inputs[0]!, frozen, node.label);
      return [inputs[2] ? add(y, copyOf(inputs[2])) : y];
    }
    const copies = inputs.map((input) => input && copyOf(input));
    if (copies.every((copy, i) => copy === inputs[i])) return undefined;
    return applyAll(node.op, copies, { ...node, outputs: node.outputs.length });
  };
  return (graph) => rewrite(graph, inOther);
}

/** op(x) W + c, where nothing is scaled and x is not transposed. */
function isPlainGemm({ op, domain, attributes }: OnnxNode): boolean {
  if (op !== "Gemm" || domain !== "" || intAttribute(attributes, "transA", 0) === 1) return false;
  return floatAttribute(attributes, "alpha", 1) === 1 && floatAttribute(attributes, "beta", 1) === 1;
}

/** Keeps the division finite for a row of zeros, and is nothing beside the size of any other. */
const SMALLEST = scalar(1e-30);
const ROW = ints([1]);

/** a f32[M,1] of x f32[M,K]. */
export function sizeOfRows(x: OnnxValue): OnnxValue {
  const keep = { attributes: { keepdims: { int: 1 } } };
  const sizes = isSoftmax(x) ? x : apply("Abs", [x]);
  return add(apply("ReduceMax", [sizes, ROW], keep), SMALLEST);
}

/** Whether values are at least 0 by what computes them. */
export const isSoftmax = ({ source }: OnnxValue): boolean => source.kind === "node" && source.node.op === "Softmax";

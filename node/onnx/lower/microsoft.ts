/**
 * Fused operators of the domain com.microsoft that exports and optimised models contain.
 * Source: onnxruntime docs/ContribOperators.md.
 */
import { floatAttribute, intAttribute } from "../attributes.ts";
import { apply } from "../graph.ts";
import { add, matMul, mul, scalar, sigmoid, transpose } from "../operators.ts";
import type { Attributes, OnnxValue } from "../value.ts";
import { type ImportedNode, type Lowering, required } from "./lowering.ts";

function gelu(node: ImportedNode, x: OnnxValue, attributes: Attributes = {}): readonly OnnxValue[] {
  return [apply("Gelu", [x], { attributes, label: node.label })];
}

const biased = (x: OnnxValue, bias: OnnxValue | undefined): OnnxValue => (bias ? add(x, bias) : x);

/** x + skip + bias, normalised; outputs: y, two statistics that only training wants, the sum. */
function skip(op: string, places: { readonly beta?: number; readonly bias: number }): Lowering {
  return (node) => {
    const sum = biased(add(required(node, 0), required(node, 1)), node.inputs[places.bias]);
    const beta = places.beta === undefined ? undefined : node.inputs[places.beta];
    const epsilon = { float: floatAttribute(node.attributes, "epsilon", 1e-12) };
    const inputs = beta ? [sum, required(node, 2), beta] : [sum, required(node, 2)];
    const y = apply(op, inputs, { attributes: { axis: { int: -1 }, epsilon }, label: node.label });
    return [y, undefined, undefined, sum];
  };
}

/** The same operator of the standard set, where onnxruntime first had it. */
const standard: Lowering = (node) => {
  const { attributes, label } = node;
  return [apply(node.op, node.inputs, { attributes, label })];
};

/** Lowerings by operator, without the domain. */
export const MICROSOFT: Readonly<Record<string, Lowering>> = {
  Gelu: (node) => gelu(node, required(node, 0)),
  BiasGelu: (node) => gelu(node, add(required(node, 0), required(node, 1))),
  FastGelu: (node) => gelu(node, biased(required(node, 0), node.inputs[1]), { approximate: { string: "tanh" } }),
  QuickGelu: (node) => {
    const x = required(node, 0);
    return [mul(x, sigmoid(mul(x, scalar(floatAttribute(node.attributes, "alpha", 1.702), x.dtype))))];
  },
  LayerNormalization: standard,
  SimplifiedLayerNormalization: standard,
  SkipLayerNormalization: skip("LayerNormalization", { beta: 3, bias: 4 }),
  SkipSimplifiedLayerNormalization: skip("SimplifiedLayerNormalization", { bias: 3 }),
  /** alpha op(A) op(B) */
  FusedMatMul: (node) => {
    if (intAttribute(node.attributes, "transBatchA", 0) || intAttribute(node.attributes, "transBatchB", 0)) {
      throw new RangeError("transBatchA and transBatchB are not supported");
    }
    const side = (index: number, name: string): OnnxValue => {
      const x = required(node, index);
      const rank = x.shape.length;
      if (intAttribute(node.attributes, name, 0) === 0 || rank < 2) return x;
      return transpose(x, [...x.shape.keys()].slice(0, -2).concat(rank - 1, rank - 2));
    };
    const product = matMul(side(0, "transA"), side(1, "transB"));
    const alpha = floatAttribute(node.attributes, "alpha", 1);
    return [alpha === 1 ? product : mul(product, scalar(alpha, product.dtype))];
  },
};

/** Activations by their definitions.  Source: ONNX operators, https://onnx.ai/onnx/operators. */
import { floatAttribute } from "../attributes.ts";
import { apply } from "../graph.ts";
import { add, div, exp, mul, scalar, sigmoid, sub, where } from "../operators.ts";
import type { OnnxValue } from "../value.ts";
import { type ImportedNode, type Lowering, required } from "./lowering.ts";

/** y = f(x) with numbers of x's data type. */
function activation(
  f: (x: OnnxValue, number: (value: number) => OnnxValue, node: ImportedNode) => OnnxValue,
): Lowering {
  return (node) => {
    const x = required(node, 0);
    return [f(x, (value) => scalar(value, x.dtype), node)];
  };
}

const positive = (x: OnnxValue): OnnxValue => apply("Greater", [x, scalar(0, x.dtype)]);

/** exp(x) - 1 where x < 0; the other branch of a Where must not overflow. */
const negativeExp = (x: OnnxValue): OnnxValue => sub(exp(apply("Min", [x, scalar(0, x.dtype)])), scalar(1, x.dtype));

/** max(0, min(1, alpha x + beta)) */
const hardSigmoid = (x: OnnxValue, alpha: number, beta: number): OnnxValue =>
  apply("Clip", [add(mul(x, scalar(alpha, x.dtype)), scalar(beta, x.dtype)), scalar(0, x.dtype), scalar(1, x.dtype)]);

/** Constants of Klambauer et al. 2017, arXiv:1706.02515, to f64. */
const SELU_ALPHA = 1.6732632423543772;
const SELU_GAMMA = 1.0507009873554805;

/** Lowerings of activations by operator. */
export const ACTIVATIONS: Readonly<Record<string, Lowering>> = {
  LeakyRelu: activation((x, number, { attributes }) =>
    where(positive(x), x, mul(x, number(floatAttribute(attributes, "alpha", 0.01)))),
  ),
  PRelu: (node) => {
    const x = required(node, 0);
    return [where(positive(x), x, mul(x, required(node, 1)))];
  },
  Elu: activation((x, number, { attributes }) =>
    where(positive(x), x, mul(negativeExp(x), number(floatAttribute(attributes, "alpha", 1)))),
  ),
  Selu: activation((x, number, { attributes }) => {
    const alpha = number(floatAttribute(attributes, "alpha", SELU_ALPHA));
    const gamma = number(floatAttribute(attributes, "gamma", SELU_GAMMA));
    return mul(gamma, where(positive(x), x, mul(negativeExp(x), alpha)));
  }),
  Celu: activation((x, number, { attributes }) => {
    const alpha = number(floatAttribute(attributes, "alpha", 1));
    return where(positive(x), x, mul(negativeExp(div(x, alpha)), alpha));
  }),
  ThresholdedRelu: activation((x, number, { attributes }) => {
    const alpha = number(floatAttribute(attributes, "alpha", 1));
    return where(apply("Greater", [x, alpha]), x, number(0));
  }),
  HardSigmoid: activation((x, _, { attributes }) =>
    hardSigmoid(x, floatAttribute(attributes, "alpha", 0.2), floatAttribute(attributes, "beta", 0.5)),
  ),
  HardSwish: activation((x) => mul(x, hardSigmoid(x, 1 / 6, 0.5))),
  Softsign: activation((x, number) => div(x, add(number(1), apply("Abs", [x])))),
  Mish: activation((x) => mul(x, apply("Tanh", [apply("Softplus", [x])]))),
  Swish: activation((x, number, { attributes }) =>
    mul(x, sigmoid(mul(x, number(floatAttribute(attributes, "alpha", 1))))),
  ),
};

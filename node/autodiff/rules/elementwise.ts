/** Gradient rules of operators that work element by element (with broadcasting). */

import { intAttribute } from "../../onnx/attributes.ts";
import { apply } from "../../onnx/graph.ts";
import { add, div, exp, mul, neg, scalar, sigmoid, sub, zeros } from "../../onnx/operators.ts";
import type { OnnxValue } from "../../onnx/value.ts";
import type { GradientRule } from "../rule.ts";
import { single } from "../rule.ts";

const square = (x: OnnxValue): OnnxValue => mul(x, x);
const oneMinus = (x: OnnxValue): OnnxValue => sub(scalar(1), x);
const where = (condition: OnnxValue, a: OnnxValue, b: OnnxValue): OnnxValue => apply("Where", [condition, a, b]);

/** 2 / sqrt(pi): the derivative of erf is (2 / sqrt(pi)) exp(-x^2). */
const TWO_OVER_SQRT_PI = 2 / Math.sqrt(Math.PI);
/** 1 / sqrt(2 pi): the density of the standard normal distribution at 0. */
const NORMAL_DENSITY_AT_ZERO = 1 / Math.sqrt(2 * Math.PI);
/** The tanh form of GELU: x/2 (1 + tanh(k (x + c x^3))), k = sqrt(2/pi), c = 0.044715 (Hendrycks and Gimpel 2016). */
const GELU_K = Math.sqrt(2 / Math.PI);
const GELU_C = 0.044715;

/** Phi(x) + x phi(x), with Phi and phi of the standard normal distribution. */
function geluExactSlope(x: OnnxValue): OnnxValue {
  const phi = mul(exp(mul(square(x), scalar(-0.5))), scalar(NORMAL_DENSITY_AT_ZERO));
  const cumulative = mul(add(apply("Erf", [mul(x, scalar(Math.SQRT1_2))]), scalar(1)), scalar(0.5));
  return add(cumulative, mul(x, phi));
}

/** (1 + t)/2 + x/2 (1 - t^2) k (1 + 3 c x^2), t = tanh(k (x + c x^3)). */
function geluTanhSlope(x: OnnxValue): OnnxValue {
  const inner = mul(mul(x, add(scalar(1), mul(square(x), scalar(GELU_C)))), scalar(GELU_K));
  const t = apply("Tanh", [inner]);
  const slope = mul(add(scalar(1), mul(square(x), scalar(3 * GELU_C))), scalar(GELU_K));
  const half = mul(x, scalar(0.5));
  return add(mul(add(t, scalar(1)), scalar(0.5)), mul(mul(half, oneMinus(square(t))), slope));
}

/** The exponent of a Pow whose exponent is one constant number. */
function constantExponent(p: OnnxValue): number | undefined {
  return p.source.kind === "constant" && p.source.data.length === 1 ? Number(p.source.data[0]) : undefined;
}

export const ELEMENTWISE: Readonly<Record<string, GradientRule>> = {
  Add: single((_, dy) => [() => dy, () => dy]),
  Sub: single((_, dy) => [() => dy, () => neg(dy)]),
  Mul: single(({ inputs: [a, b] }, dy) => [() => mul(dy, b!), () => mul(dy, a!)]),
  Div: single(({ inputs: [, b] }, dy, y) => [() => div(dy, b!), () => neg(div(mul(dy, y), b!))]),
  Sum: single(({ inputs }, dy) => inputs.map(() => () => dy)),
  Neg: single((_, dy) => [() => neg(dy)]),
  Identity: single((_, dy) => [() => dy]),
  Abs: single(({ inputs: [x] }, dy) => [() => mul(dy, apply("Sign", [x]))]),
  Sqrt: single((_, dy, y) => [() => div(mul(dy, scalar(0.5)), y)]),
  Reciprocal: single((_, dy, y) => [() => neg(mul(dy, square(y)))]),
  Exp: single((_, dy, y) => [() => mul(dy, y)]),
  Log: single(({ inputs: [x] }, dy) => [() => div(dy, x!)]),
  Sin: single(({ inputs: [x] }, dy) => [() => mul(dy, apply("Cos", [x]))]),
  Cos: single(({ inputs: [x] }, dy) => [() => neg(mul(dy, apply("Sin", [x])))]),
  Sigmoid: single((_, dy, y) => [() => mul(dy, mul(y, oneMinus(y)))]),
  Softplus: single(({ inputs: [x] }, dy) => [() => mul(dy, sigmoid(x!))]),
  Tanh: single((_, dy, y) => [() => mul(dy, oneMinus(square(y)))]),
  Erf: single(({ inputs: [x] }, dy) => [() => mul(dy, mul(exp(neg(square(x!))), scalar(TWO_OVER_SQRT_PI)))]),
  Relu: single((_, dy, y) => [() => where(apply("Greater", [y, scalar(0)]), dy, zeros(dy.shape))]),
  Gelu: single(({ inputs: [x], attributes }, dy) => {
    const tanh =
      attributes.approximate && "string" in attributes.approximate && attributes.approximate.string === "tanh";
    return [() => mul(dy, tanh ? geluTanhSlope(x!) : geluExactSlope(x!))];
  }),
  Pow: single(({ inputs: [x, p] }, dy, y) => [
    () => {
      const exponent = constantExponent(p!);
      if (exponent === 2) return mul(dy, mul(x!, scalar(2)));
      return mul(dy, mul(p!, apply("Pow", [x, sub(p!, scalar(1))])));
    },
    () => mul(dy, mul(y, apply("Log", [x]))),
  ]),
  Where: single(({ inputs: [condition] }, dy) => [
    undefined,
    () => where(condition!, dy, zeros(dy.shape)),
    () => where(condition!, zeros(dy.shape), dy),
  ]),
  Cast: single(({ inputs: [x], attributes }, dy) => {
    const codes: Readonly<Record<string, number>> = { float32: 1, float16: 10, float64: 11 };
    const from = codes[x!.dtype];
    if (from === undefined || from === intAttribute(attributes, "to", 1)) return [() => dy];
    return [() => apply("Cast", [dy], { attributes: { to: { int: from } } })];
  }),
  Max: extremum("GreaterOrEqual", "Greater"),
  Min: extremum("LessOrEqual", "Less"),
};

/** Of two operands the larger (smaller) one receives the gradient; on a tie the first. */
function extremum(first: string, second: string): GradientRule {
  return single(({ op, inputs: [a, b, ...more] }, dy) => {
    if (!a || !b || more.length > 0) throw new RangeError(`${op} is differentiated with two operands only`);
    return [
      () => where(apply(first, [a, b]), dy, zeros(dy.shape)),
      () => where(apply(second, [b, a]), dy, zeros(dy.shape)),
    ];
  });
}

/** Gradient rules of operators that work element by element (with broadcasting). */

import { intAttribute } from "../../onnx/attributes.ts";
import { isFloat } from "../../onnx/dtype.ts";
import { apply } from "../../onnx/graph.ts";
import { add, cast, div, exp, mul, neg, scalar, sigmoid, sqrt, sub, where, zeros } from "../../onnx/operators.ts";
import type { OnnxValue } from "../../onnx/value.ts";
import { recomputed } from "../recomputed.ts";
import type { GradientRule } from "../rule.ts";
import { single } from "../rule.ts";

const square = (x: OnnxValue): OnnxValue => mul(x, x);
const times = (x: OnnxValue, factor: number): OnnxValue => mul(x, scalar(factor, x.dtype));
const plus = (x: OnnxValue, number: number): OnnxValue => add(x, scalar(number, x.dtype));
const oneMinus = (x: OnnxValue): OnnxValue => sub(scalar(1, x.dtype), x);
const nothing = (dy: OnnxValue): OnnxValue => zeros(dy.shape, dy.dtype);
/** dy where the condition holds, 0 elsewhere. */
const only = (condition: OnnxValue, dy: OnnxValue): OnnxValue => where(condition, dy, nothing(dy));

/** 2 / sqrt(pi): the derivative of erf is (2 / sqrt(pi)) exp(-x^2). */
const TWO_OVER_SQRT_PI = 2 / Math.sqrt(Math.PI);
/** 1 / sqrt(2 pi): the density of the standard normal distribution at 0. */
const NORMAL_DENSITY_AT_ZERO = 1 / Math.sqrt(2 * Math.PI);
/** The tanh form of GELU: x/2 (1 + tanh(k (x + c x^3))), k = sqrt(2/pi), c = 0.044715 (Hendrycks and Gimpel 2016). */
const GELU_K = Math.sqrt(2 / Math.PI);
const GELU_C = 0.044715;

/** Phi(x) + x phi(x), with Phi and phi of the standard normal distribution. */
function geluExactSlope(x: OnnxValue): OnnxValue {
  const phi = times(exp(times(square(x), -0.5)), NORMAL_DENSITY_AT_ZERO);
  const cumulative = times(plus(apply("Erf", [times(x, Math.SQRT1_2)]), 1), 0.5);
  return add(cumulative, mul(x, phi));
}

/** (1 + t)/2 + x/2 (1 - t^2) k (1 + 3 c x^2), t = tanh(k (x + c x^3)). */
function geluTanhSlope(x: OnnxValue): OnnxValue {
  const inner = times(mul(x, plus(times(square(x), GELU_C), 1)), GELU_K);
  const t = apply("Tanh", [inner]);
  const slope = times(plus(times(square(x), 3 * GELU_C), 1), GELU_K);
  return add(times(plus(t, 1), 0.5), mul(mul(times(x, 0.5), oneMinus(square(t))), slope));
}

const one = (like: OnnxValue): OnnxValue => (isFloat(like.dtype) ? scalar(1, like.dtype) : cast(scalar(1), like.dtype));

/** The exponent of a Pow whose exponent is one constant number. */
function constantExponent(p: OnnxValue): number | undefined {
  return p.source.kind === "constant" && p.source.data.length === 1 ? Number(p.source.data[0]) : undefined;
}

/** Rules by operator. Sums over axes that were broadcast are the engine's. */
export const ELEMENTWISE: Readonly<Record<string, GradientRule>> = {
  Add: single((_, dy) => [() => dy, () => dy]),
  Sub: single((_, dy) => [() => dy, () => neg(dy)]),
  Mul: single(({ inputs: [a, b] }, dy) => [() => mul(dy, recomputed(b!)), () => mul(dy, recomputed(a!))]),
  Div: single(({ inputs: [, b] }, dy, y) => [() => div(dy, b!), () => neg(div(mul(dy, y), b!))]),
  Sum: single(({ inputs }, dy) => inputs.map(() => () => dy)),
  Neg: single((_, dy) => [() => neg(dy)]),
  Identity: single((_, dy) => [() => dy]),
  Abs: single(({ inputs: [x] }, dy) => [() => mul(dy, apply("Sign", [x]))]),
  Sqrt: single((_, dy, y) => [() => div(times(dy, 0.5), y)]),
  Reciprocal: single((_, dy, y) => [() => neg(mul(dy, square(y)))]),
  Exp: single((_, dy, y) => [() => mul(dy, y)]),
  Log: single(({ inputs: [x] }, dy) => [() => div(dy, x!)]),
  Sin: single(({ inputs: [x] }, dy) => [() => mul(dy, apply("Cos", [x]))]),
  Cos: single(({ inputs: [x] }, dy) => [() => neg(mul(dy, apply("Sin", [x])))]),
  Tan: single((_, dy, y) => [() => mul(dy, plus(square(y), 1))]),
  Asin: single(({ inputs: [x] }, dy) => [() => div(dy, sqrt(oneMinus(square(x!))))]),
  Acos: single(({ inputs: [x] }, dy) => [() => neg(div(dy, sqrt(oneMinus(square(x!)))))]),
  Atan: single(({ inputs: [x] }, dy) => [() => div(dy, plus(square(x!), 1))]),
  Sinh: single(({ inputs: [x] }, dy) => [() => mul(dy, apply("Cosh", [x]))]),
  Cosh: single(({ inputs: [x] }, dy) => [() => mul(dy, apply("Sinh", [x]))]),
  Asinh: single(({ inputs: [x] }, dy) => [() => div(dy, sqrt(plus(square(x!), 1)))]),
  Acosh: single(({ inputs: [x] }, dy) => [() => div(dy, sqrt(plus(square(x!), -1)))]),
  Atanh: single(({ inputs: [x] }, dy) => [() => div(dy, oneMinus(square(x!)))]),
  /** Steps: flat wherever they have a slope at all. */
  Floor: single((_, dy) => [() => nothing(dy)]),
  Ceil: single((_, dy) => [() => nothing(dy)]),
  Round: single((_, dy) => [() => nothing(dy)]),
  Sign: single((_, dy) => [() => nothing(dy)]),
  Sigmoid: single((_, dy, y) => [() => mul(dy, mul(y, oneMinus(y)))]),
  Softplus: single(({ inputs: [x] }, dy) => [() => mul(dy, sigmoid(x!))]),
  Tanh: single((_, dy, y) => [() => mul(dy, oneMinus(square(y)))]),
  Erf: single(({ inputs: [x] }, dy) => [() => mul(dy, times(exp(neg(square(x!))), TWO_OVER_SQRT_PI))]),
  Relu: single((_, dy, y) => [() => only(apply("Greater", [y, scalar(0, y.dtype)]), dy)]),
  Gelu: single(({ inputs: [x], attributes }, dy) => {
    const tanh =
      attributes.approximate && "string" in attributes.approximate && attributes.approximate.string === "tanh";
    return [() => mul(dy, tanh ? geluTanhSlope(x!) : geluExactSlope(x!))];
  }),
  Pow: single(({ inputs: [x, p] }, dy, y) => [
    () => {
      const exponent = constantExponent(p!);
      if (exponent === 2) return mul(dy, times(x!, 2));
      return mul(dy, mul(cast(p!, dy.dtype), apply("Pow", [x, sub(p!, one(p!))])));
    },
    () => mul(dy, mul(y, apply("Log", [x]))),
  ]),
  Where: single(({ inputs: [condition] }, dy) => [
    undefined,
    () => only(condition!, dy),
    () => where(condition!, nothing(dy), dy),
  ]),
  /** Inside its bounds, the bounds included; a bound itself gets no gradient. */
  Clip: single(({ inputs: [x, low, high] }, dy) => [
    () => {
      const above = low ? only(apply("GreaterOrEqual", [x, low]), dy) : dy;
      return high ? only(apply("LessOrEqual", [x, high]), above) : above;
    },
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

/** The larger (smaller) of two operands receives the gradient; on a tie the first one. */
function extremum(first: string, second: string): GradientRule {
  return single(({ op, inputs: [a, b, ...more] }, dy) => {
    if (!a || !b || more.length > 0) throw new RangeError(`${op} has one with two operands only`);
    return [() => only(apply(first, [a, b]), dy), () => only(apply(second, [b, a]), dy)];
  });
}

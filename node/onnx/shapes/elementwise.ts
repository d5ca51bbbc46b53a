/** Shape rules of operators that work element by element, with numpy broadcasting. */
import type { Dtype } from "../../tensor.ts";
import { intAttribute } from "../attributes.ts";
import { DTYPE_BY_CODE } from "../dtype.ts";
import type { OnnxValue } from "../value.ts";
import { broadcastShapes, each, input, likeFirst, type Rule } from "./rule.ts";

const present = (values: readonly (OnnxValue | undefined)[]): readonly OnnxValue[] =>
  values.filter((value) => value !== undefined);

function sameDtype(values: readonly OnnxValue[]): Dtype {
  const [first] = values;
  if (!first) throw new RangeError("it has no operand");
  const other = values.find((value) => value.dtype !== first.dtype);
  if (other) throw new RangeError(`${first.dtype} and ${other.dtype} do not mix; cast one of them`);
  return first.dtype;
}

const broadcast: Rule = (a) => {
  const values = present(a.inputs);
  return [{ dtype: sameDtype(values), shape: values.map((v) => v.shape).reduce(broadcastShapes) }];
};

const compare: Rule = (a) => {
  const [x, y] = [input(a, 0), input(a, 1)];
  sameDtype([x, y]);
  return [{ dtype: "bool", shape: broadcastShapes(x.shape, y.shape) }];
};

/** Rules by operator. */
export const ELEMENTWISE: Readonly<Record<string, Rule>> = {
  ...each(["Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mod"], broadcast),
  ...each(["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Xor"], compare),
  ...each(
    [
      ...["Neg", "Abs", "Sqrt", "Reciprocal", "Exp", "Log", "Sigmoid", "Tanh", "Erf", "Relu", "Sin", "Cos", "Tan"],
      ...["Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh"],
      ...[
        "Identity",
        "Softmax",
        "LogSoftmax",
        "Gelu",
        "QuickGelu",
        "RotaryEmbedding",
        "Softplus",
        "Not",
        "Floor",
        "Ceil",
        "Round",
        "Sign",
      ],
    ],
    likeFirst,
  ),
  ...each(["IsNaN", "IsInf"], (a) => [{ dtype: "bool", shape: input(a, 0).shape }]),
  /** The exponent may have another data type than the base. */
  Pow: (a) => [{ dtype: input(a, 0).dtype, shape: broadcastShapes(input(a, 0).shape, input(a, 1).shape) }],
  Clip: (a) => {
    for (const bound of present(a.inputs.slice(1))) {
      if (bound.shape.some((n) => n !== 1)) throw new RangeError(`a bound of shape [${bound.shape}]`);
    }
    return [{ dtype: sameDtype(present(a.inputs)), shape: input(a, 0).shape }];
  },
  Where: (a) => {
    const [condition, x, y] = [input(a, 0), input(a, 1), input(a, 2)];
    if (condition.dtype !== "bool") throw new RangeError(`the condition is ${condition.dtype}, not bool`);
    return [{ dtype: sameDtype([x, y]), shape: broadcastShapes(condition.shape, broadcastShapes(x.shape, y.shape)) }];
  },
  Cast: (a) => {
    const code = intAttribute(a.attributes, "to", 1);
    const dtype = DTYPE_BY_CODE[code];
    if (!dtype) throw new RangeError(`a cast to data type ${code} is not supported`);
    return [{ dtype, shape: input(a, 0).shape }];
  },
};

import { apply, applyAll, constantValue } from "../../onnx/graph.ts";
import * as op from "../../onnx/operators.ts";
import type { OnnxValue } from "../../onnx/value.ts";
import { float32, int64 } from "../../tensor.ts";
import { ELEMENTWISE } from "./elementwise.ts";
import { LINEAR } from "./linear.ts";
import { MOVEMENT } from "./movement.ts";
import { NORMALIZATION } from "./normalization.ts";
import { REDUCTION } from "./reduction.ts";
import { attributes, axisOf, distinct, ruleCases, sample, testRules } from "./rules.suite.ts";

const { cases, check } = ruleCases();

for (const operator of ["Add", "Sub", "Mul", "Div", "Max", "Min"]) {
  check(
    "same shape",
    operator,
    [
      [2, 3],
      [2, 3],
    ],
    ([a, b]) => apply(operator, [a, b]),
  );
  check(
    "broadcast both ways",
    operator,
    [
      [2, 1, 3],
      [4, 1],
    ],
    ([a, b]) => apply(operator, [a, b]),
  );
  check("scalar", operator, [[2, 3], []], ([a, b]) => apply(operator, [a, b]));
}
check("three operands", "Sum", [[2, 3], [3], [2, 1]], (x) => apply("Sum", x));
for (const operator of [
  "Neg",
  "Identity",
  "Abs",
  "Exp",
  "Sigmoid",
  "Softplus",
  "Tanh",
  "Erf",
  "Relu",
  "Sin",
  "Cos",
  "Gelu",
  "Sinh",
  "Cosh",
  "Asinh",
  "Atan",
]) {
  check("", operator, [[2, 5]], ([x]) => apply(operator, [x]));
}
check("tanh form", "Gelu", [[2, 5]], ([x]) => apply("Gelu", [x], attributes({ approximate: { string: "tanh" } })));
for (const operator of ["Sqrt", "Reciprocal", "Log"]) {
  check("", operator, [sample(operator, [2, 5], 0.7, 2)], ([x]) => apply(operator, [x]));
}
for (const operator of ["Tan", "Asin", "Acos", "Atanh"]) {
  check("", operator, [sample(operator, [2, 5], -0.7, 0.7)], ([x]) => apply(operator, [x]));
}
check("", "Acosh", [sample("Acosh", [2, 5], 1.5, 3)], ([x]) => apply("Acosh", [x]));
for (const operator of ["Floor", "Ceil", "Round", "Sign"]) {
  const between = float32([4], [-1.7, -0.2, 0.3, 2.2]);
  check("", operator, [between], ([x]) => op.mul(apply(operator, [x]), x!));
}
const [low, high] = [op.scalar(-0.5), op.scalar(0.75)];
check("both bounds", "Clip", [[2, 5]], ([x]) => apply("Clip", [x, low, high]));
check("from above", "Clip", [[2, 5]], ([x]) => apply("Clip", [x, undefined, high]));
check("square", "Pow", [[2, 3]], ([x]) => apply("Pow", [x, op.scalar(2)]));
check("cube", "Pow", [[2, 3]], ([x]) => apply("Pow", [x, op.scalar(3)]));
check("trained exponent", "Pow", [sample("base", [2, 3], 0.7, 2), [2, 3]], ([x, p]) => apply("Pow", [x, p]));
check("condition from a value", "Where", [[2, 3], [3]], ([a, b]) =>
  apply("Where", [apply("Greater", [a, op.scalar(0.1)]), a, b]),
);
check("same type", "Cast", [[2, 3]], ([x]) => apply("Cast", [x], attributes({ to: { int: 1 } })));
check("via double", "Cast", [[2, 3]], ([x]) => {
  const double = apply("Cast", [x], attributes({ to: { int: 11 } }));
  return apply("Cast", [apply("Mul", [double, double])], attributes({ to: { int: 1 } }));
});

check(
  "matrices",
  "MatMul",
  [
    [2, 3],
    [3, 4],
  ],
  ([a, b]) => op.matMul(a!, b!),
);
check(
  "batches",
  "MatMul",
  [
    [2, 2, 3],
    [2, 3, 2],
  ],
  ([a, b]) => op.matMul(a!, b!),
);
check(
  "batch times matrix",
  "MatMul",
  [
    [2, 2, 3],
    [3, 2],
  ],
  ([a, b]) => op.matMul(a!, b!),
);
check(
  "broadcast batches",
  "MatMul",
  [
    [2, 1, 2, 3],
    [3, 3, 2],
  ],
  ([a, b]) => op.matMul(a!, b!),
);
for (const [transA, transB] of [
  [false, false],
  [false, true],
  [true, false],
  [true, true],
] as const) {
  check(
    `transA ${transA} transB ${transB}`,
    "Gemm",
    [transA ? [3, 2] : [2, 3], transB ? [4, 3] : [3, 4], [4]],
    ([a, b, c]) => op.gemm(a!, b!, { transA, transB, alpha: 0.7, beta: -1.3, c }),
  );
}
check("vector times matrix", "MatMul", [[3], [3, 2]], ([a, b]) => op.matMul(a!, b!));
check("vector times batch", "MatMul", [[3], [2, 3, 2]], ([a, b]) => op.matMul(a!, b!));
check("batch times vector", "MatMul", [[2, 2, 3], [3]], ([a, b]) => op.matMul(a!, b!));
check("two vectors", "MatMul", [[3], [3]], ([a, b]) => op.matMul(a!, b!));
check(
  "full C",
  "Gemm",
  [
    [2, 3],
    [3, 4],
    [2, 4],
  ],
  ([a, b, c]) => op.gemm(a!, b!, { c }),
);

check("", "Reshape", [[2, 6]], ([x]) => op.reshape(x!, [3, 4]));
check("", "Unsqueeze", [[2, 3]], ([x]) => apply("Unsqueeze", [x, op.ints([1])]));
check("", "Squeeze", [[2, 1, 3]], ([x]) => apply("Squeeze", [x, op.ints([1])]));
check("", "Flatten", [[2, 2, 3]], ([x]) => apply("Flatten", [x], axisOf(1)));
check("", "Expand", [[2, 1]], ([x]) => op.expand(x!, [3, 2, 4]));
check("three axes", "Transpose", [[2, 3, 4]], ([x]) => op.transpose(x!, [2, 0, 1]));
check("default order", "Transpose", [[2, 3, 4]], ([x]) => apply("Transpose", [x]));
check(
  "inner axis",
  "Concat",
  [
    [2, 1, 3],
    [2, 2, 3],
  ],
  (x) => op.concat(x, 1),
);
check("all parts", "Split", [[2, 6]], ([x]) => {
  const [a, b, c] = op.split(x!, [1, 2, 3], 1);
  return op.concat([c!, op.mul(a!, a!), b!], 1);
});
check("one part unused", "Split", [[2, 6]], ([x]) => op.split(x!, [2, 4], 1)[1]!);
const slice = (x: OnnxValue | undefined, ...rest: (readonly number[])[]) => apply("Slice", [x, ...rest.map(op.ints)]);
check("two axes", "Slice", [[4, 5]], ([x]) => slice(x, [1, 0], [3, 2], [0, 1]));
check("negative and past the end", "Slice", [[4, 5]], ([x]) => slice(x, [-3], [99], [1]));
check("stride", "Slice", [[4, 5]], ([x]) => slice(x, [0], [5], [1], [2]));
check("backwards", "Slice", [[4, 5]], ([x]) => slice(x, [3], [-99], [0], [-1]));
const rows = constantValue(int64([3], [0, 2, 0]));
check("rows, one twice", "Gather", [[3, 2]], ([x]) => op.gather(x!, rows));
check("negative row", "Gather", [[3, 2]], ([x]) => op.gather(x!, constantValue(int64([2], [-1, 0]))));
check("inner axis, matrix of indices", "Gather", [[2, 3, 2]], ([x]) =>
  op.gather(x!, constantValue(int64([2, 2], [0, 2, 1, 2])), 1),
);
check("index fed at run time", "Gather", [[3, 2], int64([2], [2, -3])], ([x, i]) => op.gather(x!, i!));
const places = constantValue(int64([2, 1], [2, 0]));
check("", "GatherND", [[3, 2]], ([x]) => apply("GatherND", [x, places]));
check(
  "replace",
  "ScatterND",
  [
    [3, 2],
    [2, 2],
  ],
  ([x, u]) => apply("ScatterND", [x, places, u]),
);
check(
  "add, one row twice",
  "ScatterND",
  [
    [3, 2],
    [2, 2],
  ],
  ([x, u]) => op.scatterAdd(x!, constantValue(int64([2, 1], [1, 1])), u!),
);

check("some axes", "ReduceSum", [[2, 3, 2]], ([x]) => op.reduceSum(x!, [0, 2], false));
check("kept", "ReduceSum", [[2, 3, 2]], ([x]) => op.reduceSum(x!, [1], true));
check("all axes", "ReduceSum", [[2, 3]], ([x]) => apply("ReduceSum", [x], attributes({ keepdims: { int: 0 } })));
check("", "ReduceMean", [[2, 3, 2]], ([x]) => op.reduceMean(x!, [-1], true));
check("", "ReduceSumSquare", [[2, 3]], ([x]) => apply("ReduceSumSquare", [x, op.ints([1])]));
check("last axis", "ReduceLogSumExp", [[2, 4]], ([x]) => op.logSumExp(x!));
check("two axes", "ReduceLogSumExp", [[2, 2, 3]], ([x]) => apply("ReduceLogSumExp", [x, op.ints([0, 2])]));
check("", "ReduceMax", [[2, 4]], ([x]) => apply("ReduceMax", [x, op.ints([1])]));
check("last axis", "Softmax", [[2, 4]], ([x]) => op.softmax(x!));
check("first axis", "Softmax", [[3, 2]], ([x]) => apply("Softmax", [x], axisOf(0)));
check("", "LogSoftmax", [[2, 4]], ([x]) => apply("LogSoftmax", [x], axisOf(-1)));
check("with bias", "LayerNormalization", [[2, 5], [5], [5]], (x) => apply("LayerNormalization", x, axisOf(-1)));
check("no bias", "LayerNormalization", [[2, 5], [5]], (x) => apply("LayerNormalization", x, axisOf(-1)));
check("", "SimplifiedLayerNormalization", [[2, 5], [5]], (x) => apply("SimplifiedLayerNormalization", x, axisOf(-1)));
check("", "ReduceMin", [distinct([2, 4])], ([x]) => apply("ReduceMin", [x, op.ints([0])]));
const cumulated = (reverse: number, exclusive: number) =>
  attributes({ reverse: { int: reverse }, exclusive: { int: exclusive } });
const second = constantValue(int64([], [1]));
check("", "CumSum", [[2, 4]], ([x]) => apply("CumSum", [x, second], cumulated(0, 0)));
check("backwards without itself", "CumSum", [[2, 4]], ([x]) => apply("CumSum", [x, second], cumulated(1, 1)));
for (const largest of [0, 1]) {
  check(`largest ${largest}`, "TopK", [distinct([2, 5])], ([x]) => {
    return applyAll("TopK", [x, op.ints([2])], attributes({ largest: { int: largest } }))[0]!;
  });
}
const elements = constantValue(int64([2, 3], [0, 2, 2, 1, 1, 0]));
check("a place read twice", "GatherElements", [[2, 4]], ([x]) => apply("GatherElements", [x, elements], axisOf(1)));
const elsewhere = constantValue(int64([2, 2], [0, 2, 3, 1]));
check(
  "replace",
  "ScatterElements",
  [
    [2, 4],
    [2, 2],
  ],
  ([x, u]) => apply("ScatterElements", [x, elsewhere, u], axisOf(1)),
);
check(
  "add, a place twice",
  "ScatterElements",
  [
    [2, 4],
    [2, 3],
  ],
  ([x, u]) =>
    apply("ScatterElements", [x, elements, u], attributes({ axis: { int: 1 }, reduction: { string: "add" } })),
);
check("both ends", "Pad", [[2, 3]], ([x]) => apply("Pad", [x, op.ints([1, 0, 2, 1]), op.scalar(0.3)]));
check("upper", "Trilu", [[3, 3]], ([x]) => apply("Trilu", [x, constantValue(int64([], [1]))]));
check("lower", "Trilu", [[2, 3, 2]], ([x]) => apply("Trilu", [x], attributes({ upper: { int: 0 } })));

testRules({ ...ELEMENTWISE, ...LINEAR, ...MOVEMENT, ...NORMALIZATION, ...REDUCTION }, cases);

import { afterAll, describe, expect, it } from "vitest";
import { createPrng } from "../../../protocol/prng.ts";
import { apply, constantValue } from "../../onnx/graph.ts";
import * as op from "../../onnx/operators.ts";
import type { Attributes, OnnxValue } from "../../onnx/value.ts";
import { createOnnxRuntime } from "../../system/onnxruntime.ts";
import type { Tensor } from "../../tensor.ts";
import { float32, int64, sizeOf } from "../../tensor.ts";
import { compareWithFiniteDifferences } from "../finite-difference.ts";
import { RULES } from "./index.ts";

const runtime = createOnnxRuntime();
const prng = createPrng(7);

/** Values away from 0, where Abs, Relu and the like have their kink. */
function sample(name: string, shape: readonly number[], low = -2, high = 2): Tensor {
  const stream = prng.fork(name);
  const values = Array.from({ length: sizeOf(shape) }, () => {
    const x = low + (high - low) * stream.uniform();
    return Math.abs(x) < 0.1 ? 0.1 + Math.abs(x) : x;
  });
  return float32(shape, values);
}

interface Case {
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly Tensor[];
  readonly f: (inputs: readonly OnnxValue[]) => OnnxValue;
}

const cases: Case[] = [];
const check = (name: string, operator: string, shapes: readonly (readonly number[] | Tensor)[], f: Case["f"]) => {
  const inputs = shapes.map((s, i) =>
    "data" in s
      ? s
      : operator === "Div"
        ? sample(`${operator}${name}${i}`, s, 0.8, 2)
        : sample(`${operator}${name}${i}`, s),
  );
  cases.push({ name, op: operator, inputs, f });
};
const attributes = (a: Attributes) => ({ attributes: a });
const axisOf = (axis: number) => attributes({ axis: { int: axis } });

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
]) {
  check("", operator, [[2, 5]], ([x]) => apply(operator, [x]));
}
check("tanh form", "Gelu", [[2, 5]], ([x]) => apply("Gelu", [x], attributes({ approximate: { string: "tanh" } })));
for (const operator of ["Sqrt", "Reciprocal", "Log"]) {
  check("", operator, [sample(operator, [2, 5], 0.7, 2)], ([x]) => apply(operator, [x]));
}
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

describe("gradient rules agree with finite differences", () => {
  const seen = new Set<string>();
  afterAll(() => expect(Object.keys(RULES).filter((name) => !seen.has(name))).toEqual([]));
  for (const { name, op: operator, inputs, f } of cases) {
    seen.add(operator);
    it(`${operator} ${name}`, async () => {
      const { error } = await compareWithFiniteDifferences(runtime, inputs, f);
      // Truncation h^2/6 f''' reaches 1e-3 for the steepest of these functions at h = 1e-2.
      expect(error).toBeLessThan(2e-3);
    });
  }
});

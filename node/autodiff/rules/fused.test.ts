import { rmsNorm } from "../../model/layers/norm.ts";
import { rotaryTables, rotate } from "../../model/layers/rotary.ts";
import { apply, constantValue } from "../../onnx/graph.ts";
import { gemm, ints, mul } from "../../onnx/operators.ts";
import type { OnnxValue } from "../../onnx/value.ts";
import { float32 } from "../../tensor.ts";
import { FUSED } from "./fused.ts";
import { ruleCases, testRules } from "./rules.suite.ts";

const { cases, check } = ruleCases();
const swish = (x: OnnxValue | undefined, alpha: number): OnnxValue =>
  apply("QuickGelu", [x], { domain: "com.microsoft", attributes: { alpha: { float: alpha } } });

check("alpha 1", "com.microsoft.QuickGelu", [[2, 5]], ([x]) => swish(x, 1));
check("alpha 1.7", "com.microsoft.QuickGelu", [[2, 5]], ([x]) => swish(x, 1.7));
// The gate of a feed-forward layer: the product's gradient computes the activation again.
check(
  "gate of a product",
  "com.microsoft.QuickGelu",
  [
    [2, 5],
    [2, 5],
  ],
  ([gate, up]) => mul(swish(gate, 1), up!),
);
check(
  "gate of a product, alpha 1.7",
  "com.microsoft.QuickGelu",
  [
    [2, 5],
    [2, 5],
  ],
  ([gate, up]) => mul(up!, swish(gate, 1.7)),
);

// Two heads of four values, the first token at place 2.
const angles = rotaryTables(5, 4, { rope: { theta: 10, scaling: { kind: "default" } }, length: "all rows" });
check("two heads", "com.microsoft.RotaryEmbedding", [[2, 3, 8]], ([x]) =>
  rotate(x!, { ...angles, positions: ints([2]) }),
);
// A product with a normalisation, whose gradient computes that again.
check(
  "of a normalisation",
  "Gemm",
  [
    [4, 3],
    [3, 2],
  ],
  ([x, w]) => gemm(rmsNorm(x!, constantValue(float32([3], [0.5, 2, -1])), 1e-5), w!),
);

testRules(FUSED, cases);

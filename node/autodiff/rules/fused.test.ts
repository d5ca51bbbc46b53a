import { apply } from "../../onnx/graph.ts";
import { mul } from "../../onnx/operators.ts";
import type { OnnxValue } from "../../onnx/value.ts";
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

testRules(FUSED, cases);

import { describe, expect, it } from "vitest";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { float32 } from "../tensor.ts";
import { checkGraph } from "./check.ts";
import { encodeModel } from "./codec.ts";
import { forSpeed } from "./for-speed.ts";
import { apply, inputValue, nodesInOrder } from "./graph.ts";
import { add, ints, logSumExp, mul, scalar } from "./operators.ts";
import { rewrite } from "./rewrite.ts";
import type { OnnxGraph, OnnxValue } from "./value.ts";

async function evaluate(graph: OnnxGraph, values: readonly number[]): Promise<readonly number[]> {
  const session = await createOnnxRuntime().load(encodeModel(graph), { threads: 1 });
  const { y } = await session.run({ x: float32(graph.inputs[0]!.shape, values) });
  await session.close();
  return Array.from(y!.data as Float32Array);
}

const graphOf = (f: (x: OnnxValue) => OnnxValue): OnnxGraph => {
  const x = inputValue("x", "float32", [3, 4]);
  return { inputs: [x], outputs: { y: f(x) } };
};

describe("rewriting for speed", () => {
  const rows = [
    [0, 1, 2, 3],
    [-1000, -1001, -1000, -1002],
    [500, 1000, 700, 999],
  ];
  /** Plain f64, stable by the largest term. */
  const expected = rows.map((row) => {
    const largest = Math.max(...row);
    return largest + Math.log(row.reduce((sum, x) => sum + Math.exp(x - largest), 0));
  });

  it("keeps the meaning of log sum exp, also for large values, and drops the slow operator", async () => {
    const { graph, replaced } = forSpeed(graphOf((x) => add(mul(logSumExp(x), scalar(2)), scalar(1))));
    expect(replaced).toBe(1);
    expect(nodesInOrder(Object.values(graph.outputs)).map((node) => node.op)).not.toContain("ReduceLogSumExp");
    const actual = await evaluate(graph, rows.flat());
    for (const [i, y] of actual.entries()) expect(y).toBeCloseTo(2 * expected[i]! + 1, 3);
  });

  it("leaves a log sum exp over another axis, and graphs without one, as they are", () => {
    const other = graphOf((x) => apply("ReduceLogSumExp", [x, ints([0])]));
    expect(forSpeed(other)).toEqual({ graph: other, replaced: 0 });
    const plain = graphOf((x) => add(x, x));
    expect(forSpeed(plain).graph.outputs.y).toBe(plain.outputs.y);
  });

  it("refuses a replacement of another shape, and a graph that reads what it does not declare", () => {
    const graph = graphOf((x) => add(x, x));
    expect(() => rewrite(graph, () => [scalar(1)])).toThrow(/replacement of Add/);
    expect(() => checkGraph({ ...graph, inputs: [] })).toThrow(/reads x, which is not declared/);
    const x = graph.inputs[0]!;
    expect(() => checkGraph({ ...graph, inputs: [x, x] })).toThrow(/two inputs are called x/);
  });
});

import { describe, expect, it } from "vitest";
import { gradient } from "../autodiff/gradient.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { float32 } from "../tensor.ts";
import { encodeModel } from "./codec.ts";
import { inputValue, nodesInOrder } from "./graph.ts";
import { add, mul, reduceSum, scalar } from "./operators.ts";
import { SPLIT_OUTPUTS_MAX, splitTree } from "./split-tree.ts";
import type { OnnxValue } from "./value.ts";

const runtime = createOnnxRuntime();

async function run(inputs: readonly OnnxValue[], outputs: Record<string, OnnxValue>, x: Float32Array) {
  const session = await runtime.load(encodeModel({ inputs, outputs }), { threads: 1 });
  const results = await session.run({ x: float32([x.length], x) });
  await session.close();
  return results;
}

describe("a tree of splits", () => {
  it.each([2, 7, 8, 49, 50, 120])("into %i parts gives the parts in order", async (count) => {
    const sizes = Array.from({ length: count }, (_, i) => 1 + (i % 3));
    const values = Float32Array.from({ length: sizes.reduce((sum, n) => sum + n, 0) }, (_, i) => i);
    const x = inputValue("x", "float32", [values.length]);
    const parts = splitTree(x, sizes);
    const results = await run([x], Object.fromEntries(parts.map((part, i) => [`part${i}`, part])), values);
    let at = 0;
    for (const [i, size] of sizes.entries()) {
      const expected = values.subarray(at, at + size);
      expect([...(results[`part${i}`]!.data as Float32Array)]).toEqual([...expected]);
      at += size;
    }
    expect(at).toBe(values.length);
    for (const node of nodesInOrder(parts)) expect(node.outputs.length).toBeLessThanOrEqual(SPLIT_OUTPUTS_MAX);
  });

  it("has the gradient of the whole, from operators as narrow as itself", async () => {
    const sizes = Array.from({ length: 60 }, (_, i) => 1 + (i % 2));
    const values = Float32Array.from({ length: 90 }, (_, i) => Math.sin(i));
    const x = inputValue("x", "float32", [90]);
    // Sum over parts of i |part_i|^2, whose gradient is 2 i part_i.
    const terms = splitTree(x, sizes).map((part, i) => mul(scalar(i), reduceSum(mul(part, part), [0], false)));
    const loss = terms.reduce((sum, term) => add(sum, term));
    const [flat] = gradient(loss, [x]);
    const { g } = await run([x], { g: flat! }, values);
    const expected = sizes.flatMap((size, i) => new Array<number>(size).fill(i)).map((i, at) => 2 * i * values[at]!);
    for (const [at, wanted] of expected.entries()) expect((g!.data as Float32Array)[at]).toBeCloseTo(wanted, 4);
    for (const node of nodesInOrder([flat!]))
      expect(node.inputs.length, node.op).toBeLessThanOrEqual(SPLIT_OUTPUTS_MAX);
  });
});

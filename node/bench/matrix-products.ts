/** How much of a training step is matrix products, and how fast this machine can multiply at best. */

import { encodeModel } from "../onnx/codec.ts";
import { inputValue, nodesInOrder } from "../onnx/graph.ts";
import { gemm } from "../onnx/operators.ts";
import type { OnnxGraph } from "../onnx/value.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { float32, sizeOf } from "../tensor.ts";

/** Multiplications and additions of all Gemm and MatMul nodes of a graph, in units of 10^9. */
export function matrixGflop(graph: OnnxGraph): number {
  let sum = 0;
  for (const { op, inputs, outputs, attributes } of nodesInOrder(Object.values(graph.outputs))) {
    if (op !== "Gemm" && op !== "MatMul") continue;
    const a = inputs[0]!.shape;
    const transA = attributes.transA && "int" in attributes.transA && attributes.transA.int === 1;
    const inner = op === "Gemm" && transA ? a[0]! : a.at(-1)!;
    sum += 2 * sizeOf(outputs[0]!.shape) * inner;
  }
  return sum / 1e9;
}

/** Best rate of this machine on a matrix product of [512, 2048] x [2048, 2048], in GFLOP/s. */
export async function peakGflops(threads: number): Promise<number> {
  const [m, n, k] = [512, 2048, 2048];
  const x = inputValue("x", "float32", [m, k]);
  const w = inputValue("w", "float32", [n, k]);
  const model = encodeModel({ inputs: [x, w], outputs: { y: gemm(x, w, { transB: true }) } });
  const session = await createOnnxRuntime().load(model, { threads });
  const feeds = {
    x: float32([m, k], new Float32Array(m * k).fill(0.5)),
    w: float32([n, k], new Float32Array(n * k).fill(0.25)),
  };
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 20; i++) {
    const start = performance.now();
    await session.run(feeds);
    best = Math.min(best, performance.now() - start);
  }
  await session.close();
  return (2 * m * n * k) / 1e6 / best;
}

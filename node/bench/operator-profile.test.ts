import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { encodeModel } from "../onnx/codec.ts";
import { constantValue, inputValue } from "../onnx/graph.ts";
import { gemm, sigmoid } from "../onnx/operators.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { float32 } from "../tensor.ts";
import { dearest, matrixShare, operatorTimes } from "./operator-profile.ts";

it("says what each operator of a session costs in a run, and leaves out sessions that ran less often", async () => {
  const folder = mkdtempSync(join(tmpdir(), "weft-profile-"));
  try {
    const runtime = createOnnxRuntime({ profilePrefix: join(folder, "session") });
    const size = 128;
    const x = inputValue("x", "float32", [size, size]);
    const w = constantValue(float32([size, size], new Float32Array(size * size).fill(0.5)), "w");
    const feeds = { x: float32([size, size], new Float32Array(size * size).fill(0.25)) };
    const product = await runtime.load(encodeModel({ inputs: [x], outputs: { y: gemm(sigmoid(x), w) } }), {
      threads: 1,
    });
    const other = await runtime.load(encodeModel({ inputs: [x], outputs: { y: sigmoid(x) } }), { threads: 1 });
    for (let i = 0; i < 4; i++) await product.run(feeds);
    await other.run(feeds);
    await product.close();
    await other.close();
    const times = operatorTimes(folder, 4);
    expect(Object.keys(times).toSorted()).toEqual(["Gemm", "Sigmoid"]);
    // 2 x 128^3 operations take less than a second on anything, and more than a nanosecond.
    for (const ms of Object.values(times)) expect([ms > 1e-6, ms < 1000]).toEqual([true, true]);
    expect(matrixShare(times)).toBeCloseTo(times.Gemm! / (times.Gemm! + times.Sigmoid!), 12);
    expect(operatorTimes(folder, 5)).toEqual({});
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it("names what counts, the dearest first, and products of all kinds as products", () => {
  const times = { FusedMatMul: 6, DynamicQuantizeMatMul: 2, Mul: 1.5, Gemm: 0.45, Cast: 0.05 };
  expect(matrixShare(times)).toBeCloseTo(0.845, 12);
  expect(dearest(times)).toBe("FusedMatMul 60.0 %, DynamicQuantizeMatMul 20.0 %, Mul 15.0 %, Gemm 4.5 %");
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NodeError } from "../errors.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import type { Tensor } from "../tensor.ts";
import { float32 } from "../tensor.ts";
import { decodeModel, encodeModel } from "./codec.ts";
import { apply, constantValue, inputValue, nodesInOrder } from "./graph.ts";
import { add, gemm, matMul, mul, reshape, scalar, softmax, split } from "./operators.ts";
import type { OnnxGraph } from "./value.ts";

const runtime = createOnnxRuntime();

async function run(model: Uint8Array, feeds: Record<string, Tensor>) {
  const session = await runtime.load(model, { threads: 1 });
  try {
    return await session.run(feeds);
  } finally {
    await session.close();
  }
}

function sampleGraph(): OnnxGraph {
  const x = inputValue("x", "float32", [2, 6]);
  const w = constantValue(
    float32(
      [4, 6],
      Float32Array.from({ length: 24 }, (_, i) => Math.sin(i)),
    ),
    "w",
  );
  const [a, b] = split(softmax(gemm(x, w, { transB: true })), [1, 3], 1);
  const y = add(mul(a!, b!), scalar(0.5));
  return { inputs: [x], outputs: { y, same: y, copy: x } };
}

describe("the ONNX codec", () => {
  const feeds = {
    x: float32(
      [2, 6],
      Float32Array.from({ length: 12 }, (_, i) => i / 7),
    ),
  };

  it("writes a model that onnxruntime runs, and reads it back to one that gives the same bits", async () => {
    const bytes = encodeModel(sampleGraph());
    const first = await run(bytes, feeds);
    const second = await run(encodeModel(decodeModel(bytes)), feeds);
    expect(first.y!.shape).toEqual([2, 3]);
    for (const name of ["y", "same", "copy"]) expect(second[name]).toEqual(first[name]);
    expect(first.copy!.data).toEqual(feeds.x.data);
  });

  it("gives equal graphs equal bytes", () => {
    expect(encodeModel(sampleGraph())).toEqual(encodeModel(sampleGraph()));
  });

  it("leaves out what no output depends on", () => {
    const x = inputValue("x", "float32", [2]);
    const used = add(x, x);
    mul(x, scalar(3));
    expect(nodesInOrder([used]).map((node) => node.op)).toEqual(["Add"]);
  });

  it("refuses an output that is not made, a node that reads ahead, an unknown operator, a symbolic size", () => {
    const x = inputValue("x", "float32", [2]);
    expect(() => apply("NoSuchOperator", [x])).toThrow(expect.objectContaining({ code: "ONNX_INVALID" }));
    expect(() => matMul(x, constantValue(float32([3, 2], new Float32Array(6))))).toThrow(/inner sizes 2 and 3/);
    expect(() => reshape(x, [3])).toThrow(/cannot be reshaped/);
  });

  it("throws nothing but ONNX_INVALID, whatever bytes it is given", () => {
    const valid = encodeModel(sampleGraph());
    const damaged = fc
      .tuple(fc.nat(valid.length - 1), fc.integer({ min: 0, max: 255 }), fc.nat(valid.length))
      .map(([at, byte, length]) => {
        const bytes = valid.slice();
        bytes[at] = byte;
        return bytes.subarray(0, length);
      });
    fc.assert(
      fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 200 })), (bytes) => {
        try {
          decodeModel(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(NodeError);
          expect((error as NodeError).code).toBe("ONNX_INVALID");
        }
      }),
      { numRuns: 1500, seed: 3 },
    );
  });
});

import { describe, expect, it } from "vitest";
import { encodeModel } from "../../onnx/codec.ts";
import { inputValue } from "../../onnx/graph.ts";
import { add, mul } from "../../onnx/operators.ts";
import { float32 } from "../../tensor.ts";
import { createOnnxRuntime, probe } from "./onnxruntime.ts";

const x = inputValue("x", "float32", [3]);
const model = encodeModel({ inputs: [x], outputs: { double: add(x, x), square: mul(x, x) } });
const feeds = { x: float32([3], [1, -2, 3]) };

describe("the runtime", () => {
  it("writes outputs into the arrays it is given, run after run, and makes those it is not given", async () => {
    const session = await createOnnxRuntime().load(model, { threads: 1 });
    const array = new Float32Array(3);
    for (const factor of [1, 10]) {
      const scaled = { x: float32([3], [factor, -2 * factor, 3 * factor]) };
      const { double, square } = await session.run(scaled, { double: float32([3], array) });
      expect([...array]).toEqual([2 * factor, -4 * factor, 6 * factor]);
      expect(double!.data).toBe(array);
      expect([...(square!.data as Float32Array)]).toEqual([factor ** 2, 4 * factor ** 2, 9 * factor ** 2]);
    }
    await session.close();
    await session.close();
  });

  it("tells how long a run took", async () => {
    const times: number[] = [];
    const session = await createOnnxRuntime({ onRun: (milliseconds) => times.push(milliseconds) }).load(model, {});
    await session.run(feeds);
    await session.run(feeds);
    await session.close();
    expect(times).toHaveLength(2);
    for (const time of times) expect(time).toBeGreaterThan(0);
  });

  it("runs on the processor, which is also what auto falls back to", async () => {
    expect(await probe("cpu")).toBeUndefined();
    const session = await createOnnxRuntime({ device: "auto" }).load(model, { threads: 1 });
    expect([...((await session.run(feeds)).double!.data as Float32Array)]).toEqual([2, -4, 6]);
    await session.close();
  });

  it("refuses a device that this system has not", async () => {
    const device = process.platform === "win32" ? "coreml" : "dml";
    await expect(createOnnxRuntime({ device }).load(model, {})).rejects.toMatchObject({
      code: "DEVICE_UNAVAILABLE",
      message: expect.stringContaining(`the device ${device} cannot be used: onnxruntime-node has it on`),
    });
  });

  it("refuses bytes that are no model", async () => {
    const load = createOnnxRuntime().load(new Uint8Array([1, 2, 3]), {});
    await expect(load).rejects.toMatchObject({ code: "RUNTIME_MODEL" });
  });
});

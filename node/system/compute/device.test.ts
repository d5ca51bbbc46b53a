import { describe, expect, it } from "vitest";
import type { Provider } from "../../interface/runtime.ts";
import { chooseDevice, whyUnavailable } from "./device.ts";

/** A machine on which only the named providers run. */
const machine =
  (...running: Provider[]) =>
  async (provider: Provider): Promise<string | undefined> =>
    running.includes(provider) ? undefined : `there is no ${provider}`;

describe("the device", () => {
  it.each([
    { device: "cpu" as const, running: [], chosen: "cpu" },
    { device: "auto" as const, running: ["webgpu", "coreml", "dml"] as Provider[], chosen: "cpu" },
    { device: "auto" as const, running: ["webgpu", "cuda"] as Provider[], chosen: "cuda" },
    { device: "webgpu" as const, running: ["webgpu", "cuda"] as Provider[], chosen: "webgpu" },
  ])("$device on a machine with [$running] is $chosen", async ({ device, running, chosen }) => {
    expect(await chooseDevice(device, machine(...running))).toBe(chosen);
  });

  it("that is named and cannot be used is refused with the reason", async () => {
    await expect(chooseDevice("dml", machine())).rejects.toMatchObject({
      code: "DEVICE_UNAVAILABLE",
      message: "the device dml cannot be used: there is no dml",
      facts: { device: "dml", reason: "there is no dml", problem: "device-missing" },
    });
  });
});

describe("why a provider cannot be used", () => {
  const backends = ["cpu", "webgpu", "cuda"];
  const platform = "linux x64";
  it.each<[string, Provider, Parameters<typeof whyUnavailable>[1], RegExp | undefined]>([
    ["nothing is known against it", "webgpu", { backends, platform }, undefined],
    ["not built for this system", "dml", { backends, platform }, /has it on Windows only, and this is linux x64/],
    [
      "the files of CUDA are missing",
      "cuda",
      { backends, platform, isInstalled: () => false },
      /not installed; with CUDA 12 and cuDNN 9 .* run ONNXRUNTIME_NODE_INSTALL=cuda12 node /,
    ],
    ["the files of CUDA are there", "cuda", { backends, platform, isInstalled: () => true }, undefined],
    [
      "no graphics processor",
      "webgpu",
      { error: "webgpu_context.cc:136 … Failed to get a WebGPU adapter: No supported adapters\n\n", platform },
      /^no graphics processor was found through Vulkan \(the package libvulkan1 and the graphics driver\)$/,
    ],
    [
      "no graphics processor elsewhere",
      "webgpu",
      { error: "Failed to get a WebGPU adapter", platform: "darwin arm64" },
      /^no graphics processor was found through the system's graphics driver$/,
    ],
    [
      "a library of CUDA is missing",
      "cuda",
      { error: "Failed to load library libcudnn.so.9\nat somewhere" },
      /^CUDA 12, cuDNN 9 and an NVIDIA driver are needed, and one of them failed: .*libcudnn\.so\.9$/,
    ],
    ["anything else, in one line", "coreml", { error: `${"x".repeat(400)}\nmore` }, /^x{300}…$/],
  ])("%s", (_, provider, known, expected) => {
    const reason = whyUnavailable(provider, known);
    if (expected === undefined) expect(reason).toBeUndefined();
    else expect(reason).toMatch(expected);
  });
});

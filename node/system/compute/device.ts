/** Devices of the runtime: which one `auto` is, and in words why one cannot be used. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { NodeError } from "../../errors.ts";
import type { Device, Provider } from "../../interface/runtime.ts";

/**
 * The provider to use. `auto` is CUDA where it runs, else the processor: the other providers have to be asked for,
 * because they take minutes to compile their kernels (webgpu) or compute in half precision unasked (coreml).
 * probe: why a provider cannot be used, undefined when it can.
 * Throws: DEVICE_UNAVAILABLE when a named one cannot be used.
 */
export async function chooseDevice(
  device: Device,
  probe: (provider: Provider) => Promise<string | undefined>,
): Promise<Provider> {
  if (device === "cpu") return device;
  if (device === "auto") return (await probe("cuda")) === undefined ? "cuda" : "cpu";
  const reason = await probe(device);
  if (reason !== undefined) throw unavailable(device, reason);
  return device;
}

/** The error of a device that cannot be used. Code: DEVICE_UNAVAILABLE. */
export function unavailable(provider: Provider, reason: string, cause?: unknown): NodeError {
  const text = `the device ${provider} cannot be used: ${reason}`;
  return new NodeError("DEVICE_UNAVAILABLE", text, { device: provider, reason, problem: "device-missing" }, { cause });
}

/** What the runtime's package was built for, as its README lists it. */
const BUILT_FOR: Readonly<Record<Provider, string>> = {
  cpu: "every system",
  webgpu: "Linux on x64, macOS and Windows",
  cuda: "Linux on x64",
  coreml: "macOS",
  dml: "Windows",
};

/** NVIDIA's provider is too large for the npm registry; its own script fetches it. */
const CUDA_INSTALL = "ONNXRUNTIME_NODE_INSTALL=cuda12 node node_modules/onnxruntime-node/script/install.js";

/**
 * One line without a full stop; undefined when nothing is known against it.
 * backends: what the runtime says it has; error: what it said when it failed; isInstalled: whether a file of the
 * runtime's package is there.
 */
export function whyUnavailable(
  provider: Provider,
  known: {
    readonly backends?: readonly string[];
    readonly error?: string;
    readonly platform?: string;
    readonly isInstalled?: (file: string) => boolean;
  },
): string | undefined {
  const { backends, error, platform = `${process.platform} ${process.arch}`, isInstalled = isRuntimeFile } = known;
  if (backends && !backends.includes(provider)) {
    return `onnxruntime-node has it on ${BUILT_FOR[provider]} only, and this is ${platform}`;
  }
  if (backends && provider === "cuda" && !isInstalled("libonnxruntime_providers_cuda.so")) {
    return `NVIDIA's provider is not installed; with CUDA 12 and cuDNN 9 on the system, run ${CUDA_INSTALL}`;
  }
  if (error === undefined) return undefined;
  if (/WebGPU adapter|No supported adapters/i.test(error)) {
    const driver = { linux: "Vulkan (the package libvulkan1 and the graphics driver)" }[platform.split(" ")[0]!];
    return `no graphics processor was found through ${driver ?? "the system's graphics driver"}`;
  }
  if (/CUDA|cudnn|cublas|Failed to load shared library/i.test(error)) {
    return `CUDA 12, cuDNN 9 and an NVIDIA driver are needed, and one of them failed: ${firstLine(error)}`;
  }
  return firstLine(error);
}

/**
 * One line without a full stop: why products of 16-bit numbers are not for a device.
 * error: what the runtime said when it failed; the processor is refused without a trial.
 */
export function whyNotInHalves(provider: Provider, error = ""): string {
  if (provider === "cpu") {
    return "the runtime has no products of 16-bit numbers on the processor: it widens them again, which takes more time and memory than fp32; int8 is faster there";
  }
  if (/requires f16|shader-f16|ShaderF16/i.test(error)) {
    return "the graphics processor, or its driver, has no 16-bit numbers in shaders (WebGPU's feature shader-f16)";
  }
  return `the runtime refused a product of 16-bit numbers: ${firstLine(error)}`;
}

/** The sentence of a native error message that is meant for people, cut to a line. */
function firstLine(error: string): string {
  const line = error.split("\n")[0]!.trim();
  return line.length > LINE_CHARACTERS_MAX ? `${line.slice(0, LINE_CHARACTERS_MAX)}…` : line;
}

const LINE_CHARACTERS_MAX = 300;

function isRuntimeFile(file: string): boolean {
  const main = createRequire(import.meta.url).resolve("onnxruntime-node");
  return existsSync(join(dirname(main), "..", "bin", "napi-v6", process.platform, process.arch, file));
}

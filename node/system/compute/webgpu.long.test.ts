/**
 * Training on WebGPU, in software where there is no graphics processor: SwiftShader, which Debian's chromium brings
 * (apt-get install chromium libvulkan1). What cannot run here is skipped with the reason.
 */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { goldenDirectory } from "../../golden/golden-models.suite.ts";
import { DIFFERENCE_IN_HALVES_MAX, trialDifference } from "../../training/trial-step.ts";
import { tryDevice } from "./device-trial.ts";
import { whyMissing } from "./onnxruntime.ts";

const ICD = "vk_swiftshader_icd.json";
/** One whose gradients PyTorch gave; compiling the kernels of more than one would take too long in software. */
const modelDirectory = goldenDirectory("llama");

/** The file that names SwiftShader to the Vulkan loader. */
function swiftShader(): string | undefined {
  const usual = ["/usr/lib/chromium", "/usr/lib/chromium-browser", "/opt/google/chrome"].map((at) => join(at, ICD));
  try {
    const files = execFileSync("dpkg", ["-L", "chromium"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    usual.unshift(...files.split("\n").filter((file) => file.endsWith(ICD)));
  } catch (error) {
    // No Debian, or no such package: the usual places remain.
    if (!(error instanceof Error)) throw error;
  }
  return usual.find((file) => existsSync(file));
}

describe("WebGPU", () => {
  it("takes a LoReFT and a LoRA step of the golden llama as the processor does, to 1e-3", {
    timeout: 300_000,
  }, async (context) => {
    const icd = swiftShader();
    const skip = (why: string): void => {
      process.stdout.write(`WebGPU is not tested: ${why}\n`);
      context.skip(why);
    };
    const missing = whyMissing("webgpu");
    if (missing !== undefined) return skip(missing);
    const environment = { XDG_RUNTIME_DIR: tmpdir(), ...(icd && { VK_ICD_FILENAMES: icd }) };
    const options = { modelDirectory, timeoutMs: 240_000, signal: new AbortController().signal, environment };
    const expected = await tryDevice("cpu", options);
    const found = await tryDevice("webgpu", options);
    if (!found.ok && found.code === "DEVICE_UNAVAILABLE") return skip(found.reason);
    expect(expected, "cpu").toMatchObject({ ok: true });
    expect(found, "webgpu").toMatchObject({ ok: true });
    if (!expected.ok || !found.ok) return;
    for (const kind of ["loreft", "lora"] as const) {
      expect(trialDifference(found.steps[kind], expected.steps[kind]), kind).toBeLessThan(1e-3);
      // Twice the same bits would be a coincidence: it did run elsewhere.
      expect(found.steps[kind].gradient, kind).not.toEqual(expected.steps[kind].gradient);
    }
    // Software has no 16-bit numbers in shaders (SwiftShader); graphics processors do.
    const { float16 } = found;
    if (!float16.ok) return expect(float16.reason).toMatch(/has no 16-bit numbers in shaders .*shader-f16/);
    for (const kind of ["loreft", "lora"] as const) {
      expect(trialDifference(float16.steps[kind], expected.steps[kind]), kind).toBeLessThan(DIFFERENCE_IN_HALVES_MAX);
    }
  });
});

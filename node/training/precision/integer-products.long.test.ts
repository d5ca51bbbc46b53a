import { describe, expect, it } from "vitest";
import type { AdapterSettings } from "../../../protocol/adapter-spec.ts";
import type { EngineOptions } from "../../interface/engine-options.ts";
import type { Provider } from "../../interface/runtime.ts";
import { loadExamples } from "../../local/data-source.ts";
import { createOnnxRuntime } from "../../system/compute/onnxruntime.ts";
import { embeddedModelDirectory } from "../../system/files/embedded-model.ts";
import { readModelFiles } from "../../system/files/model-files.ts";
import { createTrainer } from "../trainer.ts";

const directory = embeddedModelDirectory();
const { cache: _, ...files } = readModelFiles(directory);
const CASES: readonly AdapterSettings[] = [
  { kind: "lora", rank: 8, alpha: 16, targets: ["q_proj", "v_proj"], layers: "all" },
  { kind: "loreft", rank: 4, layers: [2, 3], positions: { first: 3, last: 3, tied: false } },
];

async function open(adapter: AdapterSettings, engine: EngineOptions, runtime = createOnnxRuntime()) {
  const { sets } = await loadExamples({ modelDirectory: directory, maxTokens: 64, batchSize: 8, seed: 4 });
  return createTrainer(
    { runtime, files },
    {
      modelDirectory: directory,
      adapter,
      training: { optimizer: "sgd", learningRate: 1, weightDecay: 0, gradientClip: 1e9, batchSize: 8, maxTokens: 64 },
      networkSeed: 1,
      peerSeed: 2,
      engine: { threads: 1, ...engine },
      data: sets,
    },
  );
}

describe.each(CASES)("products in integers with $kind", (adapter) => {
  it("give nearly the loss and the gradient of those in f32", async () => {
    const step = async (precision: "fp32" | "int8") => {
      const trainer = await open(adapter, { precision });
      const before = (await trainer.state()).adapter;
      const { losses } = await trainer.train({ steps: 1 });
      const after = (await trainer.state()).adapter;
      await trainer.close();
      return { loss: losses[0]!, change: Array.from(after, (x, i) => x - before[i]!) };
    };
    const [exact, integer] = [await step("fp32"), await step("int8")];
    const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
    const cosine =
      dot(exact.change, integer.change) /
      Math.sqrt(dot(exact.change, exact.change) * dot(integer.change, integer.change));
    // Measured: 1 % of the loss and 0.999 at most; half of that again for other machines.
    expect(Math.abs(integer.loss / exact.loss - 1)).toBeLessThan(0.02);
    expect(integer.loss).not.toBe(exact.loss);
    expect(cosine).toBeGreaterThan(0.99);
  });
});

it("are refused on other devices than the cpu, and taken where auto is the cpu", async () => {
  const on = (provider: Provider) => ({ ...createOnnxRuntime(), provider: async () => provider });
  const automatic = { precision: "int8", device: "auto" } as const;
  await expect(open(CASES[0]!, { precision: "int8", device: "webgpu" }, on("webgpu"))).rejects.toMatchObject({
    message: expect.stringMatching(/int8 .* not on webgpu$/),
    facts: { device: "webgpu", problem: "int8-elsewhere" },
  });
  await expect(open(CASES[0]!, automatic, on("cuda"))).rejects.toThrow(/not on cuda, which auto stands for here$/);
  const trainer = await open(CASES[0]!, automatic, on("cpu"));
  expect((await trainer.train({ steps: 1 })).stepsSkipped).toBe(0);
  await trainer.close();
});

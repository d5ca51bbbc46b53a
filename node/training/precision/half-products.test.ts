/** Products in 16 bits: on the processor, which computes them as they are meant and gains nothing, and as an option. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AdapterSettings } from "../../../protocol/adapter-spec.ts";
import { encodeFloat16 } from "../../../protocol/encoding/float16.ts";
import { goldenDirectory } from "../../golden/golden-models.suite.ts";
import { loadBaseModel } from "../../model/huggingface.ts";
import { encodeModel } from "../../onnx/codec.ts";
import { constantValue, inputValue } from "../../onnx/graph.ts";
import { gemm } from "../../onnx/operators.ts";
import { createOnnxRuntime } from "../../system/compute/onnxruntime.ts";
import { embeddedModelDirectory } from "../../system/files/embedded-model.ts";
import { readModelFiles } from "../../system/files/model-files.ts";
import { float32 } from "../../tensor.ts";
import { createTrainer } from "../trainer.ts";
import { TRIAL_KINDS, trialDifference, trialStep } from "../trial-step.ts";
import { inHalves } from "./halves.ts";
import { inPrecision } from "./precision.ts";

const runtime = createOnnxRuntime();
const MODELS = {
  "the golden llama": goldenDirectory("llama"),
  "the golden gpt2": goldenDirectory("gpt2"),
  "the embedded model": embeddedModelDirectory(),
};

describe.each(Object.entries(MODELS))("a step of %s with products in 16 bits", (_, directory) => {
  it.each(TRIAL_KINDS)("has nearly the loss and gradient of f32: %s", async (kind) => {
    const { cache: _cache, ...files } = readModelFiles(directory);
    const model = loadBaseModel(files);
    const found = await trialStep(runtime, inPrecision(model, files, "fp16"), kind);
    const difference = trialDifference(found, await trialStep(runtime, model, kind));
    // Measured: 1.2e-3 at most.  Twice the same bits would mean that nothing was in 16 bits.
    expect(difference).toBeLessThan(5e-3);
    expect(difference).toBeGreaterThan(1e-6);
  });
});

it("rows of any size keep their precision, however small or large beside the others", async () => {
  const [rows, inner, columns] = [6, 9, 4];
  const values = (count: number, f: (i: number) => number) => Float32Array.from({ length: count }, (_, i) => f(i));
  const w = values(inner * columns, (i) => Math.sin(3 * i));
  const x = inputValue("x", "float32", [rows, inner]);
  const frozen = constantValue(float32([inner, columns], w), "w");
  const half = constantValue({
    dtype: "float16",
    shape: [inner, columns],
    data: new Uint16Array(encodeFloat16(w).buffer),
  });
  const products = inHalves({
    matrix: (weight, transposed) => (weight === frozen ? { matrix: half, transposed } : undefined),
    copy: () => undefined,
    externalData: [],
  });
  const { graph, replaced } = products({ inputs: [x], outputs: { y: gemm(x, frozen) } });
  expect(replaced).toBe(1);
  const session = await runtime.load(encodeModel(graph), { threads: 1 });
  const exponents = fc.array(fc.integer({ min: -30, max: 30 }), { minLength: rows, maxLength: rows });
  await fc.assert(
    fc.asyncProperty(exponents, fc.nat(1000), async (powers, seed) => {
      const data = values(rows * inner, (i) => Math.cos(seed + i) * 10 ** powers[Math.floor(i / inner)]!);
      const { y } = await session.run({ x: float32([rows, inner], data) });
      for (let m = 0; m < rows; m++) {
        for (let n = 0; n < columns; n++) {
          const terms = Array.from({ length: inner }, (_, k) => data[m * inner + k]! * w[k * columns + n]!);
          const [exact, size] = [terms.reduce((a, b) => a + b, 0), terms.reduce((a, b) => a + Math.abs(b), 0)];
          // Both factors and the result are rounded to 11 bits: 2^-11 each, of the sum of sizes.
          expect(Math.abs((y!.data as Float32Array)[m * columns + n]! - exact) / size).toBeLessThan(2e-3);
        }
      }
    }),
    { numRuns: 30 },
  );
  await session.close();
});

describe("--precision fp16", () => {
  const adapter: AdapterSettings = { kind: "lora", rank: 1, alpha: 1, targets: ["down_proj"], layers: "all" };
  const directory = embeddedModelDirectory();
  const { cache: _, ...files } = readModelFiles(directory);
  const example = { tokens: [5, 6, 7, 8], promptLength: 1 };
  const open = (given: typeof runtime) =>
    createTrainer(
      { runtime: given, files },
      {
        ...{
          modelDirectory: directory,
          adapter,
          networkSeed: 1,
          peerSeed: 2,
          engine: { threads: 1, precision: "fp16" },
        },
        training: { optimizer: "sgd", learningRate: 1, weightDecay: 0, gradientClip: 1, batchSize: 1, maxTokens: 8 },
        data: { train: [example], validation: [example], test: [example] },
      },
    );

  it("is refused on the processor, which gains nothing by it, in words", async () => {
    await expect(open(runtime)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      facts: {
        device: "cpu",
        reason: expect.stringContaining("the runtime has no products"),
        problem: "precision-missing",
      },
      message: expect.stringMatching(/^fp16 products cannot be computed on cpu: the runtime has no products /),
    });
  });

  it("trains where the device has it", async () => {
    const trainer = await open({ ...runtime, whyNoFloat16: async () => undefined });
    const { losses } = await trainer.train({ steps: 4 });
    await trainer.close();
    expect(losses.at(-1)!).toBeLessThan(losses[0]!);
  });
});

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { adapterSlots, parameterCount } from "../../protocol/adapter-spec.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { goldenModel, openGolden } from "../golden/golden-models.suite.ts";
import { inBaseForm } from "../model/base/base-form.ts";
import { modelSession } from "../model/base-model.ts";
import { encodeModel } from "../onnx/codec.ts";
import { nodesInOrder } from "../onnx/graph.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { readModelFiles } from "../system/files/model-files.ts";
import { float32, int64 } from "../tensor.ts";
import { checkNarrowBase } from "./narrow-base.suite.ts";
import { trainingStepGraph } from "./training-step.ts";

/** What the runtime writes down of an operator. */
interface ProfileEvent {
  readonly args?: { readonly op_name?: string };
}

// All directories: npm run test:base.
describe("a narrow base has the gradient of the f32 model that it stands for", () => {
  it.each([
    ["q4", "llama", {}],
    ["q4", "gpt2", {}],
    ["q8", "bert", {}],
    ["q8-e8", "bert", {}],
    ["q4-e8", "gpt2", {}],
    ["q4-e8", "llama", { lowMemory: true }],
    ["q4", "llama-yarn", { lowMemory: true }],
    ["f16", "qwen2", { lowMemory: true }],
  ] as const)("%s: %s %j", (form, name, options) => checkNarrowBase(name, form, options));
});

it.each(["q4", "f16"] as const)(
  "a runtime widens weights in %s as often as the graph says, and holds none wide",
  async (form) => {
    const folder = mkdtempSync(join(tmpdir(), "weft-narrow-"));
    try {
      const golden = openGolden("llama");
      const { cache: _, ...files } = readModelFiles(goldenModel(golden.directory));
      const model = inBaseForm(golden.model, files, form);
      const slots = adapterSlots(adapterMethod(golden.lora).tensors(golden.lora, model.shape));
      const graph = trainingStepGraph({ model, adapter: golden.lora, slots }, { examples: 2, tokens: 8, labels: 4 });
      const runtime = createOnnxRuntime({ profilePrefix: join(folder, "session") });
      const session = await runtime.load(encodeModel(graph), modelSession(model, { threads: 1 }));
      await session.run({
        input_ids: int64([2, 8], new Array(16).fill(1)),
        label_rows: int64([4], [0, 1, 2, 3]),
        label_ids: int64([4], [1, 2, 3, 4]),
        label_weights: float32([4], [1, 1, 1, 1]),
        adapter: float32([parameterCount(slots)], new Float32Array(parameterCount(slots))),
      });
      await session.close();
      const profile = JSON.parse(
        readFileSync(join(folder, readdirSync(folder)[0]!), "utf8"),
      ) as readonly ProfileEvent[];
      const widening = form === "q4" ? "DequantizeLinear" : "Cast";
      const wanted = nodesInOrder(Object.values(graph.outputs)).filter(({ op }) => op === widening).length;
      expect(wanted).toBeGreaterThan(2 * model.shape.linears.length - 6);
      expect(profile.filter(({ args }) => args?.op_name === widening)).toHaveLength(wanted);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);

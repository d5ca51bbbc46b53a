import { expect, it } from "vitest";
import { encodeModel } from "../../onnx/codec.ts";
import { externalRows, inputValue } from "../../onnx/graph.ts";
import { gather, gemm } from "../../onnx/operators.ts";
import { createOnnxRuntime } from "../../system/compute/onnxruntime.ts";
import { float32, int64 } from "../../tensor.ts";
import { modelSession } from "../base-model.ts";
import { loadBaseModel } from "../huggingface.ts";
import { CONFIGS, filesOf, randomTensors } from "../random-model.suite.ts";
import { inBaseForm } from "./base-form.ts";
import { inBlocks, outOfBlocks } from "./blocks.ts";

it("rows of embeddings in blocks are widened by themselves: those that are gathered, and those of a part", async () => {
  const config = { ...CONFIGS.llama, hidden_size: 40 };
  const tensors = randomTensors(config);
  const files = filesOf(config, tensors);
  const model = inBaseForm(loadBaseModel(files), files, "q4-e8");
  const embedding = model.weight({ name: "model.embed_tokens.weight", shape: [29, 40] });
  const [numbers, x] = [inputValue("numbers", "int64", [2, 2]), inputValue("x", "float32", [1, 40])];
  const part = externalRows(embedding, { from: 5, to: 21 });
  const outputs = { gathered: gather(embedding, numbers), product: gemm(x, part, { transB: true }) };
  const { graph } = model.narrow!({ inputs: [numbers, x], outputs });
  const session = await createOnnxRuntime().load(encodeModel(graph), modelSession(model, { threads: 1 }));
  const vector = Float32Array.from({ length: 40 }, (_, i) => Math.sin(i));
  const found = await session.run({ numbers: int64([2, 2], [28, 0, 3, 28]), x: float32([1, 40], vector) });
  await session.close();
  const { data } = tensors.find(({ name }) => name === "model.embed_tokens.weight")!;
  const expected = outOfBlocks(inBlocks(data, 40, 8), 40, 8);
  const row = (i: number) => expected.subarray(40 * i, 40 * (i + 1));
  expect(found.gathered!.shape).toEqual([2, 2, 40]);
  expect(found.gathered!.data).toEqual(Float32Array.from([28, 0, 3, 28].flatMap((i) => [...row(i)])));
  for (const [i, z] of [...(found.product!.data as Float32Array)].entries()) {
    expect(z).toBeCloseTo(
      row(5 + i).reduce((sum, w, k) => sum + w * vector[k]!, 0),
      4,
    );
  }
});

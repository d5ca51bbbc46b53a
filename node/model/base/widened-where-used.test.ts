import { fromBinary } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { encodeModel } from "../../onnx/codec.ts";
import { apply, externalRows, inputValue } from "../../onnx/graph.ts";
import { ModelProtoSchema } from "../../onnx/onnx_pb.ts";
import { gather, gemm } from "../../onnx/operators.ts";
import { createOnnxRuntime } from "../../system/compute/onnxruntime.ts";
import { float32, int64, sizeOf } from "../../tensor.ts";
import { modelSession } from "../base-model.ts";
import { loadBaseModel } from "../huggingface.ts";
import { CONFIGS, filesOf, randomTensors } from "../random-model.suite.ts";
import { storedCopy } from "../weight-copy.ts";
import { inBaseForm } from "./base-form.ts";
import { inBlocks, outOfBlocks } from "./blocks.ts";
import { narrowCopy, narrowWeights } from "./narrow-file.ts";
import { widenedWhereUsed } from "./widened-where-used.ts";

/** Ranges of the file that a model reads its weights from, in their order; each is a mapping of its own. */
function externalRanges(model: Uint8Array): readonly { readonly from: number; readonly to: number }[] {
  const { graph } = fromBinary(ModelProtoSchema, model);
  return graph!.initializer
    .filter(({ dataLocation }) => dataLocation === 1)
    .map(({ externalData }) => {
      const number = (wanted: string): number => Number(externalData.find(({ key }) => key === wanted)!.value);
      return { from: number("offset"), to: number("offset") + number("length") };
    })
    .toSorted((a, b) => a.from - b.from);
}

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

it.each(["q4", "q8"] as const)(
  "%s: a large matrix is widened in parts in both directions, and no byte of it is mapped twice",
  async (form) => {
    const files = filesOf(CONFIGS.llama, randomTensors(CONFIGS.llama));
    const plain = loadBaseModel(files);
    const model = inBaseForm(plain, files, form);
    const name = "model.layers.0.mlp.up_proj.weight";
    const [rows, columns] = [48, 32];
    const up = model.weight({ name, shape: [rows, columns] });
    const inputs = [
      inputValue("x", "float32", [3, columns]),
      inputValue("y", "float32", [3, rows]),
      inputValue("residual", "float32", [3, rows]),
    ] as const;
    const [x, y, residual] = inputs;
    const outputs = {
      forward: gemm(x, up, { transB: true }),
      added: apply("Gemm", [x, up, residual], { attributes: { transB: { int: 1 } } }),
      backward: gemm(y, up),
    };
    const feeds = Object.fromEntries(
      inputs.map(({ source, shape }, i) => [
        (source as { readonly name: string }).name,
        float32(
          shape,
          Float32Array.from({ length: sizeOf(shape) }, (_, k) => Math.sin(3 * i + k)),
        ),
      ]),
    );
    const run = async (wideValuesMax?: number) => {
      const tensors = storedCopy(narrowCopy(plain, files, form), files.cache);
      const weights = new Map(narrowWeights(plain, form).map((weight) => [weight.name, weight]));
      const narrow = widenedWhereUsed({ weights, tensors }, { ...(wideValuesMax && { wideValuesMax }) });
      const encoded = encodeModel(narrow({ inputs, outputs }).graph);
      const session = await createOnnxRuntime().load(encoded, modelSession(model, { threads: 1 }));
      const found = await session.run(feeds);
      await session.close();
      return { found, ranges: externalRanges(encoded) };
    };
    const whole = await run();
    const parts = await run(7 * columns);
    expect(parts.ranges.length).toBe(2 * Math.ceil(rows / 7));
    expect(whole.ranges.length).toBe(2);
    for (const [i, { to }] of parts.ranges.slice(0, -1).entries())
      expect(parts.ranges[i + 1]!.from).toBeGreaterThanOrEqual(to);
    for (const key of Object.keys(outputs)) {
      const [a, b] = [whole, parts].map(({ found }) => found[key]!.data as Float32Array);
      expect(Math.max(...a!.map((value, i) => Math.abs(value - b![i]!)))).toBeLessThan(1e-5);
    }
  },
);

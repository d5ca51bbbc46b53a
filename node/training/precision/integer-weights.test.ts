import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { loadBaseModel } from "../../model/huggingface.ts";
import { CONFIGS, filesOf, randomTensors } from "../../model/random-model.suite.ts";
import { readSafetensors } from "../../model/safetensors.ts";
import { externalRows } from "../../onnx/graph.ts";
import { createWeightCache } from "../../system/files/weight-cache.ts";
import { columnScales, integersOf, integerWeights, vocabularyRows } from "./integers.ts";

const size = fc.integer({ min: 1, max: 7 });

it("are the nearest multiples of each column's scale, whichever way the matrix is stored", () => {
  fc.assert(
    fc.property(size, size, fc.boolean(), fc.nat(), (inner, count, transposed, seed) => {
      const values = Float32Array.from({ length: inner * count }, (_, i) => Math.sin(seed + 7 * i) * (i % 5));
      const form = { shape: [inner, count] as const, transposed };
      const scales = columnScales(values, form);
      const integers = integersOf(values, scales, form);
      for (let k = 0; k < inner; k++) {
        for (let n = 0; n < count; n++) {
          const value = values[transposed ? n * inner + k : k * count + n]!;
          expect(Math.abs(value - scales[n]! * integers[k * count + n]!)).toBeLessThanOrEqual(0.501 * scales[n]!);
        }
      }
      expect(Math.max(...integers.map(Math.abs))).toBeLessThanOrEqual(127);
    }),
  );
});

it("of a large output matrix are stored and read in parts of the vocabulary", () => {
  const config = { ...CONFIGS.llama, vocab_size: 2500 };
  const { cache: _, ...files } = filesOf(config, randomTensors(config));
  const model = loadBaseModel(files);
  const { matrix } = integerWeights(model, files);
  const output = model.outputMatrix(model.weight);
  const shapes = [0, 1024, 2048].map((from) => {
    const part = externalRows(output, { from, to: Math.min(2500, from + 1024) });
    return [matrix(part, true)!.matrix.shape, matrix(part, false)!.matrix.shape];
  });
  expect(vocabularyRows(model)).toBe(1024);
  expect(shapes).toEqual([
    ...[
      [32, 1024],
      [32, 1024],
      [32, 452],
    ].map((shape) => [shape, shape.toReversed()]),
  ]);
  expect(matrix(output, true)).toBeUndefined();
});

it("stand in one cached file, beside copies of all other weights", () => {
  const folder = mkdtempSync(join(tmpdir(), "weft-integers-"));
  try {
    const config = CONFIGS.llama;
    const files = { ...filesOf(config, randomTensors(config)), cache: createWeightCache({ folder }) };
    const model = loadBaseModel(files);
    const { matrix, copy, externalData } = integerWeights(model, files);
    const weight = (name: string) => model.weight(model.weights.find((one) => one.name === name)!);
    const up = weight("model.layers.0.mlp.up_proj.weight");
    expect(matrix(up, true)!.matrix).toMatchObject({ dtype: "int8", shape: [32, 48] });
    expect(matrix(up, false)!.scale).toMatchObject({ dtype: "float32", shape: [32] });
    expect([copy(up), matrix(weight("model.norm.weight"), false)]).toEqual([undefined, undefined]);
    // The embedding is read by its rows, and as the output matrix it is multiplied with.
    const output = weight("lm_head.weight");
    expect(matrix(output, true)!.matrix).toMatchObject({ dtype: "int8", shape: [32, 29] });
    expect(copy(output)).toMatchObject({ dtype: "float32", shape: [29, 32] });
    // Of the products with wide rows, the forward ones take them in two terms.
    const down = weight("model.layers.0.mlp.down_proj.weight");
    expect([up, down].flatMap((one) => [true, false].map((transposed) => matrix(one, transposed)!.isFine))).toEqual([
      ...[false, false],
      ...[true, false],
    ]);
    expect(externalData).toHaveLength(1);
    const { tensors } = readSafetensors(externalData[0]!.data, { name: "integers" });
    const stored = tensors.get("model.norm.weight")!;
    const norm = new Float32Array(stored.bytes.slice().buffer);
    expect(norm).toEqual(model.values(model.weights.find(({ name }) => name === "model.norm.weight")!));
    expect(integerWeights(model, files).externalData).toHaveLength(1);
    expect(readdirSync(folder)).toHaveLength(1);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

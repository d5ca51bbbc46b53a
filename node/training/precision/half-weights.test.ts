import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { loadBaseModel } from "../../model/huggingface.ts";
import { CONFIGS, filesOf, randomTensors } from "../../model/random-model.suite.ts";
import { readSafetensors, toFloat32 } from "../../model/safetensors.ts";
import { createWeightCache } from "../../system/files/weight-cache.ts";
import { halfWeights } from "./halves.ts";

it("stand once in one cached file, beside copies of all other weights", () => {
  const folder = mkdtempSync(join(tmpdir(), "weft-halves-"));
  try {
    const config = CONFIGS.llama;
    const files = { ...filesOf(config, randomTensors(config)), cache: createWeightCache({ folder }) };
    const model = loadBaseModel(files);
    const { matrix, copy, externalData } = halfWeights(model, files);
    const named = (name: string) => model.weights.find((one) => one.name === name)!;
    const [up, norm] = [named("model.layers.0.mlp.up_proj.weight"), named("model.norm.weight")];
    const half = matrix(model.weight(up), true)!;
    expect(half).toMatchObject({ transposed: true, matrix: { dtype: "float16", shape: [48, 32] } });
    expect(matrix(model.weight(up), false)!.matrix).toBe(half.matrix);
    expect([copy(model.weight(up)), matrix(model.weight(norm), false)]).toEqual([undefined, undefined]);
    expect(copy(model.weight(norm))).toMatchObject({ dtype: "float32", shape: [32] });
    expect(externalData).toHaveLength(1);
    const { tensors } = readSafetensors(externalData[0]!.data, { name: "halves" });
    expect(toFloat32(tensors.get(norm.name)!)).toEqual(model.values(norm));
    for (const [i, value] of toFloat32(tensors.get(up.name)!).entries()) {
      const exact = model.values(up)[i]!;
      expect(Math.abs(value - exact)).toBeLessThanOrEqual(Math.max(2 ** -11 * Math.abs(exact), 2 ** -25));
    }
    expect(halfWeights(model, files).externalData).toHaveLength(1);
    expect(readdirSync(folder)).toHaveLength(1);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { createWeightCache } from "../../system/files/weight-cache.ts";
import { loadBaseModel } from "../huggingface.ts";
import { CONFIGS, filesOf, randomTensors } from "../random-model.suite.ts";
import { readSafetensors } from "../safetensors.ts";
import { inBaseForm } from "./base-form.ts";

it("stands in the cache once, with matrices in blocks, embeddings in 16 bits and vectors as they are", () => {
  const folder = mkdtempSync(join(tmpdir(), "weft-narrow-"));
  try {
    const config = CONFIGS.gpt2;
    const files = { ...filesOf(config, randomTensors(config)), cache: createWeightCache({ folder }) };
    const open = () => inBaseForm(loadBaseModel(files), files, "q4").externalData[0]!;
    const { tensors } = readSafetensors(open().data, { name: "narrow" });
    const of = (name: string) => [tensors.get(name)!.dtype, tensors.get(name)!.shape];
    // Stored as [inputs, outputs] in the model's own files, turned here.
    expect(of("transformer.h.0.mlp.c_fc.weight")).toEqual(["U8", [128, 16]]);
    expect(of("transformer.h.0.mlp.c_fc.weight.scales")).toEqual(["F32", [128, 1]]);
    expect(of("transformer.wte.weight")).toEqual(["F16", [29, 32]]);
    expect(of("transformer.ln_f.bias")).toEqual(["F32", [32]]);
    const again = open();
    expect(readdirSync(folder)).toHaveLength(1);
    expect(again.data).toEqual(open().data);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it("is not made before a graph is finished, and f32 weights are not made for it", () => {
  const config = CONFIGS.llama;
  let opened = 0;
  const cache = {
    open: (): never => {
      opened += 1;
      throw new Error("asked for");
    },
  };
  const files = { ...filesOf(config, randomTensors(config)), cache };
  const model = inBaseForm(loadBaseModel(files), files, "q8");
  expect(model.weight(model.weights[0]!).shape).toEqual([29, 32]);
  expect(opened).toBe(0);
  expect(() => model.externalData).toThrow("asked for");
  expect(opened).toBe(1);
});

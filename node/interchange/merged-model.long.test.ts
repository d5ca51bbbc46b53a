import { describe, expect, it } from "vitest";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { createPrng } from "../../protocol/prng.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { textGraph, type UsedModel } from "../generation/inference-graph.ts";
import { goldenModel, goldenNames, openGolden } from "../golden/golden-models.suite.ts";
import type { BaseModel } from "../model/base-model.ts";
import { loadBaseModel } from "../model/huggingface.ts";
import { CONFIGS, filesOf, randomTensors } from "../model/random-model.suite.ts";
import { referenceForward } from "../model/reference-forward.suite.ts";
import { readSafetensors, toFloat32 } from "../model/safetensors.ts";
import { memoryFile } from "../model/weight-file.ts";
import { encodeModel } from "../onnx/codec.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { readModelFiles } from "../system/files/model-files.ts";
import { int64, sizeOf } from "../tensor.ts";
import { goldenLogits, NO_DIGEST, used } from "./golden.suite.ts";
import { mergedModel } from "./merged-model.ts";
import { adapterOfVector, type SavedAdapter } from "./saved-adapter.ts";

const IDS = [4, 8, 15, 16, 23, 2];

async function logits(used: UsedModel): Promise<Float32Array> {
  const shape = { examples: 1, tokens: IDS.length };
  const session = await createOnnxRuntime().load(encodeModel(textGraph(used, shape)), {
    externalData: used.model.externalData,
    threads: 1,
  });
  const mask = {
    attention_mask: int64(
      [1, IDS.length],
      IDS.map(() => 1),
    ),
  };
  const result = await session.run({ input_ids: int64([1, IDS.length], IDS), ...(used.model.classifier ? mask : {}) });
  await session.close();
  return result.logits!.data as Float32Array;
}

function saved(settings: AdapterSettings, model: BaseModel, withHead = false): SavedAdapter {
  const tensors = [
    ...adapterMethod(settings).tensors(settings, model.shape),
    ...(withHead ? (model.classifier?.head ?? []) : []),
  ];
  const stream = createPrng(4);
  const values = Float32Array.from(
    { length: tensors.reduce((sum, { shape }) => sum + sizeOf(shape), 0) },
    () => 0.3 * stream.normal(),
  );
  return adapterOfVector(model, { settings, seed: 5, digest: NO_DIGEST, values });
}

function merge(adapter: SavedAdapter, model: BaseModel, config: unknown) {
  const merged = mergedModel(adapter, model, config);
  const bytes = Uint8Array.from([...merged.pieces()].flatMap((piece) => [...piece]));
  expect(bytes.length).toBe(merged.fileBytes);
  const shards = [memoryFile("model.safetensors", bytes)];
  return { merged, bytes, model: loadBaseModel({ directory: "merged", config: merged.config, shards }) };
}

/** Largest difference, relative to the largest expected value. */
function difference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(actual.length).toBe(expected.length);
  const scale = Math.max(...Array.from(expected, Math.abs));
  return Math.max(...Array.from(expected, (value, i) => Math.abs(value - actual[i]!))) / scale;
}

describe("merged models", () => {
  const lora = (targets: readonly string[]): AdapterSettings => ({
    kind: "lora",
    rank: 3,
    alpha: 6,
    targets,
    layers: "all",
  });
  it.each<[keyof typeof CONFIGS, AdapterSettings]>([
    ["llama", lora(["q_proj", "down_proj"])],
    ["llama", { ...lora(["o_proj"]), kind: "tri-lora", basis: "shared", layers: [1] } as AdapterSettings],
    ["llama", { ...lora(["up_proj"]), kind: "ffa-lora", scale: "rslora" } as AdapterSettings],
    ["gpt2", lora(["c_attn", "attn.c_proj", "mlp.c_fc"])],
    ["qwen3", lora(["k_proj", "v_proj"])],
    ["bert", lora(["query", "dense"])],
    ["roberta", lora(["value"])],
  ])("%s says with %o merged what it says with it beside", async (family, settings) => {
    const config = CONFIGS[family];
    const model = loadBaseModel(filesOf(config, randomTensors(config)));
    const adapter = saved(settings, model, model.classifier !== undefined);
    const { model: whole, bytes, merged } = merge(adapter, model, config);
    const expected = await logits({ model, adapter: used(adapter, model) });
    const actual = await logits({ model: whole });
    expect(difference(actual, expected)).toBeLessThan(1e-5);
    expect(difference(await logits({ model }), expected)).toBeGreaterThan(1e-3);
    // And the same from the file's values alone, by the slow forward pass.
    const stored = readSafetensors(bytes, { name: "merged" }).tensors;
    const slow = referenceForward(merged.config, (name) => toFloat32(stored.get(name)!), {
      ids: IDS,
      length: IDS.length,
    });
    expect(difference(actual, slow.flat())).toBeLessThan(1e-5);
  });

  it("says in config.json what the weights are", () => {
    const config = { ...CONFIGS.bert, torch_dtype: "float16", architectures: ["BertForMaskedLM"] };
    const model = loadBaseModel(filesOf(config, randomTensors(config)));
    const { merged } = merge(saved(lora(["query"]), model, true), model, config);
    expect(merged.config).toEqual({
      ...config,
      torch_dtype: "float32",
      architectures: ["BertForSequenceClassification"],
    });
    expect(merged.changed).toBe(2);
  });

  it("refuses what no weight can hold", () => {
    const model = loadBaseModel(filesOf(CONFIGS.llama, randomTensors(CONFIGS.llama)));
    const adapter = saved({ kind: "loreft", rank: 2, layers: "all", positions: "all" }, model);
    expect(() => mergedModel(adapter, model, CONFIGS.llama)).toThrow(
      expect.objectContaining({ code: "ADAPTER_FORMAT", message: expect.stringContaining("residual stream") }),
    );
  });

  it.each(goldenNames())("%s: with PyTorch's LoRA merged, the golden texts have the same logits", async (name) => {
    const golden = openGolden(name);
    const settings = golden.lora;
    const tensors = adapterMethod(settings).tensors(settings, golden.model.shape);
    const values = Float32Array.from(tensors.flatMap((tensor) => [...golden.floats(`lora.${tensor.name}`)]));
    const adapter = adapterOfVector(golden.model, { settings, seed: 0, digest: NO_DIGEST, values });
    const { model } = merge(adapter, golden.model, readModelFiles(goldenModel(golden.directory)).config);
    const expected = await goldenLogits(golden, used(adapter, golden.model));
    expect(difference(await goldenLogits(golden, undefined, model), expected)).toBeLessThan(1e-5);
  });
});

import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { parameterCount } from "../../protocol/adapter-spec.ts";
import { networkId } from "../../protocol/network-manifest.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { FAMILIES } from "../model/families/by-model-type.ts";
import { embeddedModelDirectory } from "../system/files/embedded-model.ts";
import { checkAdapterSize, createNetwork } from "./create-network.ts";

const modelDirectory = embeddedModelDirectory();
const adapter: AdapterSettings = {
  kind: "loreft",
  rank: 4,
  layers: "all",
  positions: { first: 4, last: 6, tied: false },
};
const create = (changes: object = {}) => createNetwork({ name: "test", modelDirectory, adapter, seed: 1, ...changes });

describe("a new network", () => {
  it("has the tensors of its adapter, the digests of its model, and one id however often it is made", () => {
    const manifest = create();
    // 4 layers, 2 interventions each, R and W of 4 x 128 and b of 4.
    expect(parameterCount(manifest.tensors)).toBe(4 * 2 * (2 * 4 * 128 + 4));
    expect(manifest.model.family).toBe("llama");
    expect(networkId(create())).toBe(networkId(manifest));
    expect(networkId(create({ seed: 2 }))).not.toBe(networkId(manifest));
  });

  it("never asks for longer examples than the model has positions for", () => {
    expect(create({ training: { maxTokens: 100_000 } }).training.maxTokens).toBe(256);
  });

  it("is refused for an adapter that does not fit the model, and for settings out of bounds", () => {
    expect(() => create({ adapter: { ...adapter, layers: [9] } })).toThrow(/layers 0 to 3/);
    expect(() => create({ training: { learningRate: -1 } })).toThrow(/training.learningRate must be/);
  });
});

describe("the adapter of a new network", () => {
  const { shape } = FAMILIES.get("llama")!.build({
    model_type: "llama",
    hidden_size: 4096,
    intermediate_size: 14_336,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    vocab_size: 128_256,
    max_position_embeddings: 8192,
    rms_norm_eps: 1e-5,
    hidden_act: "silu",
  });
  const lora = (rank: number) => {
    const targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];
    const settings = { kind: "lora", rank, alpha: 16, targets, layers: "all" } as const;
    return adapterMethod(settings).sent(settings, shape);
  };

  it("may be LoRA of rank 8 on all seven matrices of an 8-billion-parameter Llama", () => {
    expect(parameterCount(lora(8))).toBe(20_971_520);
    expect(() => checkAdapterSize(lora(8), { values: "int8" })).not.toThrow();
    expect(() => checkAdapterSize(lora(8), { values: "float16" })).not.toThrow();
  });

  it("is refused in one line with both numbers where one update could not carry it", () => {
    expect(() => checkAdapterSize(lora(8), { values: "float32" })).toThrow(
      /^[^\n]*would have 83886080 bytes as float32, at most 67108864 are allowed; choose the encoding int8[^\n]*$/,
    );
    expect(() => checkAdapterSize(lora(16), { values: "int8" })).toThrow(
      /^[^\n]*would have 41943040 values, at most 33554432 are allowed; choose a lower rank[^\n]*$/,
    );
  });
});

describe("a model whose tokenizer is broken", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "weft-network-"));
    await cp(modelDirectory, directory, { recursive: true });
  });
  afterEach(() => rm(directory, { recursive: true }));

  it.each(['{"a":', "{}", "[]"])("founds no network: %s", async (text) => {
    await writeFile(join(directory, "tokenizer.json"), text);
    expect(() => create({ modelDirectory: directory })).toThrow(
      expect.objectContaining({ name: "NodeError", message: expect.stringMatching(/^[^\n]*tokenizer\.json[^\n]*$/) }),
    );
  });
});

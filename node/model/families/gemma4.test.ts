import { describe, expect, it } from "vitest";
import { loadBaseModel } from "../huggingface.ts";
import { filesOf, randomTensors } from "../random-model.suite.ts";
import { gemma4 } from "./gemma4.ts";

const SLIDING = "sliding_attention";
const FULL = "full_attention";
const CONFIG = {
  ...{ model_type: "gemma4_text", vocab_size: 29, hidden_size: 16, intermediate_size: 20, num_hidden_layers: 4 },
  ...{ num_attention_heads: 4, num_key_value_heads: 2, head_dim: 8, global_head_dim: 12, max_position_embeddings: 32 },
  ...{ vocab_size_per_layer_input: 29, hidden_size_per_layer_input: 6, layer_types: [SLIDING, FULL, SLIDING, FULL] },
  ...{ num_kv_shared_layers: 2, use_double_wide_mlp: true, sliding_window: 4, enable_moe_block: false },
} as const;

const shapes = (config: object) =>
  new Map(gemma4(config).weights.map(({ name, shape }) => [name.replace("model.layers.", ""), shape] as const));

describe("the layers of Gemma 4", () => {
  it("that see all have heads of their own size, and the last ones neither keys nor values", () => {
    const weights = shapes(CONFIG);
    expect(weights.get("0.self_attn.k_proj.weight")).toEqual([16, 16]);
    expect(weights.get("1.self_attn.k_proj.weight")).toEqual([24, 16]);
    expect(weights.get("3.self_attn.q_norm.weight")).toEqual([12]);
    for (const layer of [2, 3]) {
      for (const part of ["k_proj", "v_proj", "k_norm"])
        expect(weights.has(`${layer}.self_attn.${part}.weight`)).toBe(false);
      expect(weights.get(`${layer}.mlp.up_proj.weight`)).toEqual([40, 16]);
    }
    expect([...gemma4(CONFIG).cache!.memories]).toEqual([
      [0, { groups: 2, headSize: 8 }],
      [1, { groups: 2, headSize: 12 }],
    ]);
  });

  it("have the sizes that transformers writes for each of them", () => {
    const { global_head_dim: _, ...rest } = CONFIG;
    const own = { head_dim: 12 };
    expect(shapes({ ...rest, per_layer_config: { 1: own, 3: own } })).toEqual(shapes(CONFIG));
  });

  it("take keys for values where the config says so, with their own number of heads", () => {
    const weights = shapes({ ...CONFIG, attention_k_eq_v: true, num_global_key_value_heads: 1 });
    expect(weights.has("1.self_attn.v_proj.weight")).toBe(false);
    expect(weights.get("1.self_attn.k_proj.weight")).toEqual([12, 16]);
    expect(weights.has("0.self_attn.v_proj.weight")).toBe(true);
  });
});

describe("Gemma 4", () => {
  it("with images is its text model", () => {
    const tensors = randomTensors(CONFIG).map((tensor) => ({
      ...tensor,
      name: tensor.name.replace("model.", "model.language_model."),
    }));
    const whole = { model_type: "gemma4", text_config: { ...CONFIG }, vision_config: { hidden_size: 8 } };
    const model = loadBaseModel({ ...filesOf(CONFIG, tensors), config: whole });
    expect(model.family).toBe("gemma4_text");
    expect(model.weights.every((weight) => model.has(weight))).toBe(true);
  });

  it.each<readonly [string, object, string]>([
    ["a mixture of experts", { enable_moe_block: true, num_experts: 8 }, "enable_moe_block = true is not supported"],
    ["texts that see both ways", { use_bidirectional_attention: "all" }, "use_bidirectional_attention"],
    ["further sizes of one layer", { per_layer_config: { 1: { sliding_window: 3 } } }, "per_layer_config.1"],
    ["tokens without an input of their own", { vocab_size_per_layer_input: 28 }, "each of the 29 tokens needs a row"],
    ["layers without keys to share", { num_kv_shared_layers: 4 }, "num_kv_shared_layers = 4"],
    ["a kind without keys to share", { num_kv_shared_layers: 3 }, "no earlier layer of its kind has its own"],
  ])("refuses %s", (_, change, text) => {
    expect(() => gemma4({ ...CONFIG, ...change })).toThrow(text);
  });
});

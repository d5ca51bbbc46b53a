import { expect, it } from "vitest";
import { FAMILIES } from "../model/families/by-model-type.ts";
import { loraUpdateBytes } from "./lora-bytes.ts";

it("is what docs/TRAFFIC.md says of Llama-3.2-1B", () => {
  const config = {
    ...{ model_type: "llama", hidden_size: 2048, intermediate_size: 8192, num_hidden_layers: 16, head_dim: 64 },
    ...{ num_attention_heads: 32, num_key_value_heads: 8, vocab_size: 128_256, max_position_embeddings: 8192 },
    ...{ rms_norm_eps: 1e-5, hidden_act: "silu", rope_theta: 500_000, tie_word_embeddings: true },
  };
  const { shape } = FAMILIES.get("llama")!.build(config);
  expect(loraUpdateBytes(shape)).toBe(4 * 851_968);
});

it.each([
  ["h.0.attn.c_attn", 8 * 4 * (10 + 30)],
  ["encoder.layer.0.attention.self.value", 8 * 4 * (10 + 30)],
  ["encoder.layer.0.attention.self.key", 0],
  ["model.layers.0.mlp.up_proj", 0],
])("counts %s by its name", (path, bytes) => {
  expect(loraUpdateBytes({ linears: [{ path, layer: 0, inputs: 10, outputs: 30 }] })).toBe(bytes);
});

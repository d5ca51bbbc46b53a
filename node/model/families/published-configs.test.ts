/** Files config.json as their publishers wrote them, with the fields of the transformers of their time. */
import { describe, expect, it } from "vitest";
import { FAMILIES } from "./by-model-type.ts";

const PYTHIA_70M = {
  ...{ architectures: ["GPTNeoXForCausalLM"], bos_token_id: 0, eos_token_id: 0, hidden_act: "gelu", hidden_size: 512 },
  ...{ initializer_range: 0.02, intermediate_size: 2048, layer_norm_eps: 1e-5, max_position_embeddings: 2048 },
  ...{
    model_type: "gpt_neox",
    num_attention_heads: 8,
    num_hidden_layers: 6,
    rotary_emb_base: 10_000,
    rotary_pct: 0.25,
  },
  ...{ tie_word_embeddings: false, torch_dtype: "float16", transformers_version: "4.24.0", use_cache: true },
  ...{ use_parallel_residual: true, vocab_size: 50_304 },
};

const PHI_2 = {
  ...{
    _name_or_path: "microsoft/phi-2",
    architectures: ["PhiForCausalLM"],
    attention_dropout: 0,
    bos_token_id: 50_256,
  },
  ...{ embd_pdrop: 0, eos_token_id: 50_256, hidden_act: "gelu_new", hidden_size: 2560, initializer_range: 0.02 },
  ...{ intermediate_size: 10_240, layer_norm_eps: 1e-5, max_position_embeddings: 2048, model_type: "phi" },
  ...{ num_attention_heads: 32, num_hidden_layers: 32, num_key_value_heads: 32, partial_rotary_factor: 0.4 },
  ...{ qk_layernorm: false, resid_pdrop: 0.1, rope_scaling: null, rope_theta: 10_000, tie_word_embeddings: false },
  ...{ torch_dtype: "float16", transformers_version: "4.37.0", use_cache: true, vocab_size: 51_200 },
};

const OPT_350M = {
  ...{
    _remove_final_layer_norm: false,
    activation_dropout: 0,
    activation_function: "relu",
    dropout: 0.1,
    layerdrop: 0,
  },
  ...{ architectures: ["OPTForCausalLM"], attention_dropout: 0, bos_token_id: 2, do_layer_norm_before: false },
  ...{ eos_token_id: 2, ffn_dim: 4096, hidden_size: 1024, init_std: 0.02, max_position_embeddings: 2048 },
  ...{ model_type: "opt", num_attention_heads: 16, num_hidden_layers: 24, pad_token_id: 1, prefix: "</s>" },
  ...{ torch_dtype: "float16", use_cache: true, vocab_size: 50_272, word_embed_proj_dim: 512 },
};

const GLM_4_9B = {
  ...{
    architectures: ["Glm4ForCausalLM"],
    attention_bias: true,
    attention_dropout: 0,
    head_dim: 128,
    hidden_act: "silu",
  },
  ...{
    eos_token_id: [151_329, 151_336, 151_338],
    hidden_size: 4096,
    initializer_range: 0.02,
    intermediate_size: 13_696,
  },
  ...{ max_position_embeddings: 32_768, model_type: "glm4", num_attention_heads: 32, num_hidden_layers: 40 },
  ...{
    num_key_value_heads: 2,
    pad_token_id: 151_329,
    partial_rotary_factor: 0.5,
    rms_norm_eps: 1e-5,
    rope_theta: 10_000,
  },
  ...{ tie_word_embeddings: false, torch_dtype: "bfloat16", use_cache: true, vocab_size: 151_552 },
};

const MODERNBERT_BASE = {
  ...{ architectures: ["ModernBertForMaskedLM"], attention_bias: false, attention_dropout: 0, bos_token_id: 50_281 },
  ...{ classifier_activation: "gelu", classifier_bias: false, classifier_dropout: 0, classifier_pooling: "mean" },
  ...{ cls_token_id: 50_281, decoder_bias: true, deterministic_flash_attn: false, embedding_dropout: 0 },
  ...{ eos_token_id: 50_282, global_attn_every_n_layers: 3, global_rope_theta: 160_000, gradient_checkpointing: false },
  ...{ hidden_activation: "gelu", hidden_size: 768, initializer_cutoff_factor: 2, initializer_range: 0.02 },
  ...{ intermediate_size: 1152, layer_norm_eps: 1e-5, local_attention: 128, local_rope_theta: 10_000 },
  ...{ max_position_embeddings: 8192, mlp_bias: false, mlp_dropout: 0, model_type: "modernbert", norm_bias: false },
  ...{ norm_eps: 1e-5, num_attention_heads: 12, num_hidden_layers: 22, pad_token_id: 50_283, sep_token_id: 50_282 },
  ...{ position_embedding_type: "absolute", repad_logits_with_grad: false, sparse_pred_ignore_index: -100 },
  ...{ sparse_prediction: false, torch_dtype: "float32", vocab_size: 50_368, num_labels: 2 },
};

const DEBERTA_V3_BASE = {
  ...{ model_type: "deberta-v2", attention_probs_dropout_prob: 0.1, hidden_act: "gelu", hidden_dropout_prob: 0.1 },
  ...{ hidden_size: 768, initializer_range: 0.02, intermediate_size: 3072, max_position_embeddings: 512 },
  ...{ relative_attention: true, position_buckets: 256, norm_rel_ebd: "layer_norm", share_att_key: true },
  ...{ pos_att_type: "p2c|c2p", layer_norm_eps: 1e-7, max_relative_positions: -1, position_biased_input: false },
  ...{ num_attention_heads: 12, num_hidden_layers: 12, type_vocab_size: 0, vocab_size: 128_100, num_labels: 2 },
};

type Config = Readonly<Record<string, unknown>> & { readonly model_type: string };

const build = (config: Config) => FAMILIES.get(config.model_type)!.build(config);

describe("published configs are read", () => {
  it.each<readonly [string, Config, number]>([
    ["Pythia 70M", PYTHIA_70M, 24],
    ["Phi-2", PHI_2, 192],
    ["OPT-350M", OPT_350M, 144],
    ["GLM-4-9B-0414", GLM_4_9B, 240],
    ["ModernBERT-base", MODERNBERT_BASE, 88],
    ["DeBERTa-v3-base", DEBERTA_V3_BASE, 72],
  ])("%s", (_, config, linears) => {
    expect(build(config).shape.linears.length).toBe(linears);
  });
});

describe("refused by name are", () => {
  it.each<readonly [string, Config, string]>([
    ["two words for one share", { ...PYTHIA_70M, partial_rotary_factor: 0.5 }, "rotary_pct"],
    ["a share of an odd number of values", { ...PYTHIA_70M, rotary_pct: 0.05 }, "3 values of a head"],
    ["heads that do not divide the stream", { ...PHI_2, num_attention_heads: 33 }, "33 heads"],
    ["norms without weights", { ...OPT_350M, layer_norm_elementwise_affine: false }, "layer_norm_elementwise_affine"],
    ["a convolution", { ...DEBERTA_V3_BASE, conv_kernel_size: 3 }, "conv_kernel_size"],
    ["another sum of scores", { ...DEBERTA_V3_BASE, pos_att_type: "p2p" }, "pos_att_type"],
    ["another pooling", { ...MODERNBERT_BASE, classifier_pooling: "max" }, "classifier_pooling"],
    ["another activation", { ...PHI_2, hidden_act: "mish" }, "hidden_act"],
  ])("%s", (_, config, text) => {
    expect(() => build(config)).toThrow(text);
  });
});

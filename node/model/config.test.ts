import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NodeError } from "../errors.ts";
import { FAMILIES } from "./families/by-model-type.ts";
import type { Config } from "./random-model.suite.ts";
import { CONFIGS } from "./random-model.suite.ts";

type Fields = Readonly<Record<string, unknown>>;
type Type = keyof typeof CONFIGS;

const build = (config: Config) => FAMILIES.get(config.model_type)!.build(config);

const LLAMA3 = { factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 32 };
const EVERY = Object.keys(CONFIGS) as Type[];
const DECODERS: readonly Type[] = ["llama", "mistral", "qwen2", "qwen3"];
const ENCODERS: readonly Type[] = ["bert", "roberta"];
const LONGROPE = {
  ...{ rope_type: "longrope", original_max_position_embeddings: 32 },
  ...{ short_factor: [1, 1, 1, 1], long_factor: [1, 2, 3, 4] },
};

/** Families, fields, and the name that the refusal gives: the first field's, unless another one is given. */
const REFUSED: readonly (readonly [readonly Type[], Fields, string?])[] = [
  // Fields that no family has, by what they would change.
  [EVERY, { quantization_config: { bits: 4, quant_method: "gptq" } }],
  [EVERY, { compression_config: { format: "int-quantized" } }],
  [EVERY, { num_experts: 8 }],
  [EVERY, { num_local_experts: 8 }],
  [EVERY, { n_routed_experts: 64 }],
  [EVERY, { moe_intermediate_size: 1024 }],
  [EVERY, { partial_rotary_factor: 0.5 }],
  [EVERY, { rotary_pct: 0.25 }],
  [EVERY, { rope_interleaved: true }],
  [EVERY, { no_rope_layers: [1, 1, 1, 0] }],
  [EVERY, { alibi: true }],
  [EVERY, { attn_logit_softcapping: 50 }],
  [EVERY, { final_logit_softcapping: 30 }],
  [EVERY, { embedding_multiplier: 12 }],
  [EVERY, { residual_multiplier: 0.22 }],
  [EVERY, { logits_scaling: 8 }],
  [EVERY, { logit_scale: 0.0625 }],
  [EVERY, { scale_emb: 12 }],
  [EVERY, { scale_depth: 1.4 }],
  [EVERY, { query_pre_attn_scalar: 256 }],
  [EVERY, { attention_chunk_size: 8192 }],
  [EVERY, { use_qk_norm: true }],
  [EVERY, { qk_layernorm: true }],
  [EVERY, { norm_type: "layernorm" }],
  [EVERY, { clip_qkv: 8 }],
  [EVERY, { hidden_activation: "gelu_pytorch_tanh" }],
  [EVERY, { use_parallel_residual: true }],
  [EVERY, { parallel_attn: true }],
  [EVERY, { use_bidirectional_attention: true }],
  [EVERY, { is_encoder_decoder: true }],
  [EVERY, { num_kv_shared_layers: 4 }],
  [EVERY, { pruned_heads: { 0: [1] } }],
  [EVERY, { vision_config: { hidden_size: 8 } }],
  [EVERY, { auto_map: { AutoModelForCausalLM: "modeling_own.OwnModel" } }],
  [EVERY, { qkv_bias: true }],
  [EVERY, { dtype: "float8_e4m3fn" }],
  [EVERY, { torch_dtype: "int8" }],
  [EVERY, { architectures: ["SomethingForTokenClassification"] }, "architectures.0"],
  // Fields that a family has, with values that it does not compute.
  [["llama", "mistral", "qwen2", "qwen3", "bert", "roberta"], { hidden_act: "mish" }],
  [["gpt2"], { activation_function: "mish" }],
  [DECODERS, { rope_scaling: { type: "spiral", factor: 2 } }, "rope_scaling.rope_type"],
  [DECODERS, { rope_scaling: { type: "dynamic" } }, "rope_scaling.factor"],
  [DECODERS, { rope_scaling: { type: "dynamic", factor: 2, alpha: 1000 } }, "rope_scaling.alpha"],
  [DECODERS, { rope_scaling: { rope_type: "yarn" } }, "rope_scaling.factor"],
  [DECODERS, { rope_scaling: { rope_type: "yarn", factor: 4, truncate: "no" } }, "rope_scaling.truncate"],
  [DECODERS, { rope_parameters: { rope_type: "longrope", rope_theta: 1e4 } }, "rope_parameters.short_factor"],
  [DECODERS, { rope_parameters: { rope_type: "longrope", short_factor: [1, 2, 3] } }, "rope_parameters.long_factor"],
  [DECODERS, { rope_parameters: { ...LONGROPE, short_factor: [1, 2, 3] } }, "with 3 factors"],
  [["llama", "mistral"], { rope_parameters: { ...LONGROPE, long_factor: [1, 2, 3] } }, "with 3 factors"],
  [DECODERS, { rope_scaling: { type: "linear" } }, "rope_scaling.factor"],
  [DECODERS, { rope_scaling: { type: "linear", factor: -1 } }, "rope_scaling.factor"],
  [DECODERS, { rope_scaling: { rope_type: "llama3", factor: 8 } }, "rope_scaling.low_freq_factor"],
  [DECODERS, { rope_scaling: { rope_type: "llama3", ...LLAMA3, low_freq_factor: 4 } }, "low_freq_factor"],
  [
    DECODERS,
    { rope_scaling: { rope_type: "linear", factor: 2, attention_factor: 1.2 } },
    "rope_scaling.attention_factor",
  ],
  [DECODERS, { rope_parameters: { full_attention: { rope_theta: 1e4 } } }, "rope_parameters.full_attention"],
  [
    DECODERS,
    { rope_parameters: { rope_theta: 1e4, partial_rotary_factor: 0.5 } },
    "rope_parameters.partial_rotary_factor",
  ],
  [DECODERS, { rope_parameters: { rope_theta: 1e4 }, rope_scaling: { type: "linear", factor: 2 } }],
  [DECODERS, { layer_types: ["full_attention", "sliding_attention"] }, "layer_types"],
  [DECODERS, { head_dim: 7 }, "heads of size 7"],
  [DECODERS, { num_key_value_heads: 3 }, "3 key/value heads"],
  [["llama"], { sliding_window: 4096 }],
  [["mistral"], { sliding_window: 0 }],
  [["mistral", "qwen2", "qwen3"], { mlp_bias: true }],
  [["mistral"], { attention_bias: true }],
  [["qwen2"], { attention_bias: false }],
  [["qwen2", "qwen3"], { use_sliding_window: true }],
  [["qwen2", "qwen3"], { use_sliding_window: true, sliding_window: 8, layer_types: ["full_attention"] }, "layer_types"],
  [
    ["qwen2"],
    {
      rope_parameters: { rope_theta: 1e4, rope_type: "linear", factor: 2 },
      rope_scaling: { type: "linear", factor: 4 },
    },
    "which differ",
  ],
  [["gpt2"], { scale_attn_weights: false }],
  [["gpt2"], { scale_attn_by_inverse_layer_idx: true }],
  [["gpt2"], { add_cross_attention: true }],
  [[...DECODERS, "gpt2"], { is_causal: false }],
  [ENCODERS, { is_causal: true }],
  [["gpt2"], { n_head: 5 }, "5 heads"],
  [ENCODERS, { position_embedding_type: "relative_key" }],
  [ENCODERS, { is_decoder: true }],
  [ENCODERS, { problem_type: "regression" }],
  [ENCODERS, { problem_type: "multi_label_classification" }],
  [ENCODERS, { id2label: { 0: "LABEL_0" } }, "id2label"],
  [ENCODERS, { id2label: { 0: "no", 2: "yes" } }, "id2label"],
  [ENCODERS, { id2label: undefined }, "names no classes"],
  [ENCODERS, { max_position_embeddings: 0 }, "max_position_embeddings"],
  [["roberta"], { max_position_embeddings: 2 }, "2 positions"],
];

const rows = REFUSED.flatMap(([types, fields, name]) =>
  types.map((type) => [`${type}: ${JSON.stringify(fields)}`, type, fields, name ?? Object.keys(fields)[0]!] as const),
);

describe("a field that changes what is computed is refused by its name", () => {
  it.each(rows)("%s", (_, type, fields, name) => {
    const attempt = () => build({ ...CONFIGS[type], ...fields });
    expect(attempt).toThrow(NodeError);
    expect(attempt).toThrow(expect.objectContaining({ code: "MODEL_CONFIG", message: expect.stringContaining(name) }));
    expect(attempt).toThrow(/^[^\n]+$/);
  });

  it.each(EVERY)("%s: a field that is needed and missing", (type) => {
    const attempt = () => build({ ...CONFIGS[type], vocab_size: undefined });
    expect(attempt).toThrow(/config.json has no vocab_size/);
  });
});

describe("whatever a config says", () => {
  it.each(EVERY)("%s: it is a family or one clear line", (type) => {
    const names = [
      ...Object.keys(CONFIGS[type]).filter((name) => name !== "model_type"),
      "rope_scaling",
      "rope_parameters",
    ];
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.integer({ min: 0, max: 300 }),
      fc.record({ rope_type: fc.constantFrom("default", "linear", "llama3"), factor: fc.jsonValue({ maxDepth: 0 }) }),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 3 }), (fields) => {
        try {
          const { shape, weights } = build({ ...CONFIGS[type], ...fields });
          const sizes = [shape.hidden, shape.vocabulary, ...weights.flatMap((weight) => weight.shape)];
          expect(sizes.every((size) => Number.isSafeInteger(size) && size > 0)).toBe(true);
        } catch (error) {
          if (!(error instanceof NodeError)) throw error;
          expect(error.code).toBe("MODEL_CONFIG");
          expect(error.message).toMatch(/^[^\n]{1,400}$/);
        }
      }),
      { numRuns: 100 },
    );
  });
});

/** What published configs say beside what is computed, switched off features among it. */
const HARMLESS: Fields = {
  _name_or_path: "somewhere",
  _attn_implementation: "sdpa",
  _flash_attn_2_enabled: true,
  attention_dropout: 0.1,
  attention_probs_dropout_prob: 0.1,
  attn_pdrop: 0.1,
  bos_token_id: 1,
  eos_token_id: [2, 3],
  chunk_size_feed_forward: 0,
  classifier_dropout: null,
  directionality: "bidi",
  gradient_checkpointing: false,
  hidden_dropout_prob: 0.1,
  initializer_range: 0.02,
  is_llama_config: true,
  max_window_layers: 28,
  n_ctx: 64,
  output_attentions: true,
  output_hidden_states: false,
  pooler_num_attention_heads: 12,
  pretraining_tp: 2,
  pruned_heads: {},
  quantization_config: null,
  reorder_and_upcast_attn: false,
  rope_interleaved: false,
  router_aux_loss_coef: 0.001,
  summary_activation: "tanh",
  task_specific_params: { "text-generation": { do_sample: true, max_length: 50 } },
  tie_encoder_decoder: false,
  transformers_version: "5.18.0",
  "transformers.js_config": { kv_cache_dtype: { fp16: "float16" } },
  use_cache: true,
  use_mrope: false,
  partial_rotary_factor: 1,
  num_experts: 0,
  residual_multiplier: 1,
};

describe("a field that only describes is passed over", () => {
  it.each(EVERY)("%s", (type) => {
    const family = build({ ...CONFIGS[type], ...HARMLESS });
    expect(family.weights).toEqual(build(CONFIGS[type]).weights);
  });

  it("and so is the window of Qwen models, which they do not use", () => {
    const fields = { use_sliding_window: false, sliding_window: 4096, max_window_layers: 1 };
    const layer_types = ["full_attention", "full_attention"];
    expect(build({ ...CONFIGS.qwen2, ...fields, layer_types }).shape).toEqual(build(CONFIGS.qwen2).shape);
  });
});

describe("sizes that follow from the config", () => {
  const contextTokens = (config: Config) => build(config).shape.contextTokens;
  it("a RoBERTa's positions begin behind its padding's id", () => {
    expect(contextTokens({ ...CONFIGS.llama, rope_scaling: { type: "dynamic", factor: 2.5 } })).toBe(160);
    expect(contextTokens({ ...CONFIGS.llama, rope_scaling: { ...LONGROPE, type: "longrope" } })).toBe(64);
    expect(contextTokens(CONFIGS.bert)).toBe(40);
    expect(contextTokens(CONFIGS.roberta)).toBe(38);
    expect(contextTokens({ ...CONFIGS.roberta, pad_token_id: 5 })).toBe(34);
  });

  it("a Qwen 3 head has 128 values unless the config says so", () => {
    const { head_dim, ...rest } = CONFIGS.qwen3;
    const q = (config: Config) => build(config).shape.linears[0]!.outputs;
    expect(q(CONFIGS.qwen3)).toBe(4 * head_dim);
    expect(q(rest)).toBe(4 * 128);
  });

  it("a classifier has its config's classes, by name", () => {
    expect(build(CONFIGS.bert).classifier!.labels).toEqual(["no", "yes", "maybe"]);
    const counted = { ...CONFIGS.bert, id2label: undefined, num_labels: 2 };
    expect(build(counted).classifier!.labels).toEqual(["LABEL_0", "LABEL_1"]);
  });
});

/** Base models of this project's own by size: s is the embedded one, m is for numbers that are less toy. */
import { NodeError } from "../errors.ts";
import type { Tokenizer } from "../model/tokenizer.ts";

/** Fields of config.json that the sizes differ in. */
export interface BaseSize {
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly num_key_value_heads: number;
  readonly head_dim: number;
  readonly max_position_embeddings: number;
}

/** s has 0.8 million values, m 10 million. */
export const BASE_SIZES: Readonly<Record<"s" | "m", BaseSize>> = {
  s: {
    hidden_size: 128,
    intermediate_size: 384,
    num_hidden_layers: 4,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    head_dim: 32,
    max_position_embeddings: 256,
  },
  m: {
    hidden_size: 320,
    intermediate_size: 960,
    num_hidden_layers: 8,
    num_attention_heads: 8,
    num_key_value_heads: 4,
    head_dim: 40,
    max_position_embeddings: 512,
  },
};

/** The size of a name.  Throws: NodeError CONFIG_INVALID. */
export function baseSize(name: string): BaseSize {
  if (Object.hasOwn(BASE_SIZES, name)) return BASE_SIZES[name as keyof typeof BASE_SIZES];
  throw new NodeError("CONFIG_INVALID", `there is no size "${name}"; write ${Object.keys(BASE_SIZES).join(" or ")}`);
}

/** The whole config.json of a base model of this size. */
export function baseConfig(size: BaseSize, tokenizer: Pick<Tokenizer, "vocabularySize" | "beginId" | "endId">) {
  const { hidden_size, intermediate_size, num_hidden_layers, ...heads } = size;
  return {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    vocab_size: tokenizer.vocabularySize,
    hidden_size,
    intermediate_size,
    num_hidden_layers,
    ...heads,
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    hidden_act: "silu",
    tie_word_embeddings: true,
    attention_bias: false,
    mlp_bias: false,
    bos_token_id: tokenizer.beginId,
    eos_token_id: tokenizer.endId,
    torch_dtype: "float32",
  };
}

/** Small random models of any family, in memory, for tests. */
import { createPrng } from "../../protocol/prng.ts";
import { FAMILIES } from "./families/by-model-type.ts";
import type { ModelFiles } from "./huggingface.ts";
import { writeSafetensors } from "./safetensors.ts";
import { memoryFile } from "./weight-file.ts";

export type Config = Readonly<Record<string, unknown>> & { readonly model_type: string };

export interface NamedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Norms near 1, everything else large enough that attention and activations are far from linear. */
export function randomTensors(config: Config, seed = 1): readonly NamedTensor[] {
  const prng = createPrng(seed);
  return FAMILIES.get(config.model_type)!
    .build(config)
    .weights.map(({ name, shape }) => {
      const stream = prng.fork(name);
      const length = shape.reduce((product, n) => product * n, 1);
      const [mean, scale] = /norm|ln_|LayerNorm/.test(name) && name.endsWith("weight") ? [1, 0.2] : [0, 0.3];
      return { name, shape, data: Float32Array.from({ length }, () => mean + scale * stream.normal()) };
    });
}

export function filesOf(config: Config, tensors: readonly NamedTensor[]): ModelFiles {
  const shards = [memoryFile("model.safetensors", writeSafetensors(tensors))];
  return { directory: "m", config, shards };
}

const LLAMA = {
  model_type: "llama",
  vocab_size: 29,
  hidden_size: 32,
  intermediate_size: 48,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  hidden_act: "silu",
  rope_theta: 10_000,
};

const GPT2 = {
  model_type: "gpt2",
  vocab_size: 29,
  n_embd: 32,
  n_layer: 2,
  n_head: 4,
  n_positions: 64,
  layer_norm_epsilon: 1e-5,
  activation_function: "gelu_new",
};

const BERT = {
  model_type: "bert",
  vocab_size: 29,
  hidden_size: 32,
  intermediate_size: 48,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  hidden_act: "gelu",
  max_position_embeddings: 40,
  type_vocab_size: 2,
  layer_norm_eps: 1e-12,
  pad_token_id: 0,
  id2label: { 0: "no", 1: "yes", 2: "maybe" },
};

/** The smallest config of each family. */
export const CONFIGS = {
  llama: LLAMA,
  mistral: { ...LLAMA, model_type: "mistral", sliding_window: 3 },
  qwen2: { ...LLAMA, model_type: "qwen2" },
  qwen3: { ...LLAMA, model_type: "qwen3", head_dim: 12 },
  gpt2: GPT2,
  bert: BERT,
  roberta: { ...BERT, model_type: "roberta", pad_token_id: 1, type_vocab_size: 1 },
} as const satisfies Readonly<Record<string, Config>>;

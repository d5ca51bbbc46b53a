/** Model directories of given shapes with random weights, written tensor by tensor, for measurements of speed and memory. */
import { closeSync, existsSync, mkdirSync, openSync, renameSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { createPrng } from "../../protocol/prng.ts";
import { FAMILIES } from "../model/families/by-model-type.ts";
import { safetensorsHeader } from "../model/safetensors.ts";
import { sizeOf } from "../tensor.ts";

/** SmolLM2-135M: https://huggingface.co/HuggingFaceTB/SmolLM2-135M/blob/main/config.json. */
export const SMOLLM2_135M = {
  model_type: "llama",
  vocab_size: 49152,
  hidden_size: 576,
  intermediate_size: 1536,
  num_hidden_layers: 30,
  num_attention_heads: 9,
  num_key_value_heads: 3,
  max_position_embeddings: 2048,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  hidden_act: "silu",
  tie_word_embeddings: true,
} as const;

/** Qwen2.5-0.5B: https://huggingface.co/Qwen/Qwen2.5-0.5B/blob/main/config.json. */
const QWEN25_05B = {
  model_type: "qwen2",
  vocab_size: 151936,
  hidden_size: 896,
  intermediate_size: 4864,
  num_hidden_layers: 24,
  num_attention_heads: 14,
  num_key_value_heads: 2,
  max_position_embeddings: 32768,
  rms_norm_eps: 1e-6,
  rope_theta: 1_000_000,
  hidden_act: "silu",
  tie_word_embeddings: true,
} as const;

/** Qwen3-1.7B: https://huggingface.co/Qwen/Qwen3-1.7B/blob/main/config.json. */
const QWEN3_17B = {
  model_type: "qwen3",
  vocab_size: 151936,
  hidden_size: 2048,
  intermediate_size: 6144,
  num_hidden_layers: 28,
  num_attention_heads: 16,
  num_key_value_heads: 8,
  head_dim: 128,
  max_position_embeddings: 40960,
  rms_norm_eps: 1e-6,
  rope_theta: 1_000_000,
  hidden_act: "silu",
  tie_word_embeddings: true,
} as const;

/** Llama-3-8B: https://huggingface.co/meta-llama/Meta-Llama-3-8B/blob/main/config.json. */
const LLAMA3_8B = {
  model_type: "llama",
  vocab_size: 128256,
  hidden_size: 4096,
  intermediate_size: 14336,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  max_position_embeddings: 8192,
  rms_norm_eps: 1e-5,
  rope_theta: 500_000,
  hidden_act: "silu",
  tie_word_embeddings: false,
} as const;

/** Shapes of published models, by the name of a directory. */
export const SHAPES = {
  "smollm2-135m": SMOLLM2_135M,
  "qwen2.5-0.5b": QWEN25_05B,
  "qwen3-1.7b": QWEN3_17B,
  "llama-3-8b": LLAMA3_8B,
} as const;

/** Short names of them. */
const SHORT: Readonly<Record<string, keyof typeof SHAPES>> = {
  "135m": "smollm2-135m",
  "0.5b": "qwen2.5-0.5b",
  "1.7b": "qwen3-1.7b",
  "8b": "llama-3-8b",
};

/** A shape by its name, or by its size alone.  Throws: where there is none. */
export function shapeNamed(name: string): keyof typeof SHAPES {
  const found = SHORT[name] ?? (Object.keys(SHAPES) as (keyof typeof SHAPES)[]).find((shape) => shape === name);
  if (found === undefined) throw new Error(`there is no shape ${name}; give one of ${Object.keys(SHORT).join(", ")}`);
  return found;
}

/** Values of noise, which are repeated at different offsets: drawing each value of a large model anew takes minutes. */
const NOISE_VALUES = 1_000_003;

/** The directory, made on first use in `folder`; its weights are uniform with deviation 0.02, norms 1. */
export function randomModelDirectory(
  folder: string,
  name: string,
  config: Readonly<Record<string, unknown>> & { readonly model_type: string },
  { dtype = "F32" }: { readonly dtype?: "F32" | "BF16" } = {},
): string {
  const directory = join(folder, name);
  if (existsSync(join(directory, "model.safetensors"))) return directory;
  mkdirSync(directory, { recursive: true });
  const weights = FAMILIES.get(config.model_type)!.build(config).weights;
  const stream = createPrng(1).fork(name);
  const uniform = Float32Array.from({ length: NOISE_VALUES }, () => (2 * stream.uniform() - 1) * 0.02 * Math.sqrt(3));
  const noise = bytesOf(uniform, dtype);
  const ones = bytesOf(new Float32Array(NOISE_VALUES).fill(1), dtype);
  const valueBytes = noise.length / NOISE_VALUES;
  writeFileSync(join(directory, "config.json"), JSON.stringify(config, null, 2));
  const fd = openSync(join(directory, "model.safetensors.part"), "w");
  try {
    write(fd, safetensorsHeader(weights.map(({ name: tensor, shape }) => ({ name: tensor, shape, dtype }))));
    let at = 0;
    for (const { shape } of weights) {
      const values = shape.length === 1 ? ones : noise;
      for (let left = sizeOf(shape); left > 0; ) {
        const count = Math.min(left, NOISE_VALUES - at);
        write(fd, values.subarray(at * valueBytes, (at + count) * valueBytes));
        at = (at + count) % NOISE_VALUES;
        left -= count;
      }
    }
  } finally {
    closeSync(fd);
  }
  renameSync(join(directory, "model.safetensors.part"), join(directory, "model.safetensors"));
  return directory;
}

function write(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

/** bfloat16 is the upper half of a float32. */
function bytesOf(values: Float32Array, dtype: "F32" | "BF16"): Uint8Array {
  if (dtype === "F32") return new Uint8Array(values.buffer);
  const words = new Uint32Array(values.buffer);
  return new Uint8Array(Uint16Array.from(words, (word) => word >>> 16).buffer);
}

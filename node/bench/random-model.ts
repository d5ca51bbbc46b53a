/** A model directory of a given shape with random weights, for measurements of speed and memory. */
import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createPrng } from "../../protocol/prng.ts";
import { llama } from "../model/families/llama.ts";
import { writeSafetensors } from "../model/safetensors.ts";

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

/** The directory, made on first use in `folder`; its weights are uniform with deviation 0.02, norms 1. */
export function randomModelDirectory(folder: string, name: string, config: Readonly<Record<string, unknown>>): string {
  const directory = join(folder, name);
  if (existsSync(join(directory, "model.safetensors"))) return directory;
  mkdirSync(directory, { recursive: true });
  const stream = createPrng(1).fork(name);
  // One million random values, repeated at different offsets: drawing each of 135 million anew takes a minute.
  const noise = Float32Array.from({ length: 1_000_003 }, () => (2 * stream.uniform() - 1) * 0.02 * Math.sqrt(3));
  let at = 0;
  const tensors = llama(config).weights.map(({ name: tensor, shape }) => {
    const data = new Float32Array(shape.reduce((product, n) => product * n, 1));
    if (shape.length === 1) data.fill(1);
    else for (let i = 0; i < data.length; i++) data[i] = noise[(at + i) % noise.length]!;
    at += data.length;
    return { name: tensor, shape, data };
  });
  writeFileSync(join(directory, "config.json"), JSON.stringify(config, null, 2));
  writeFileSync(join(directory, "model.safetensors.part"), writeSafetensors(tensors));
  renameSync(join(directory, "model.safetensors.part"), join(directory, "model.safetensors"));
  return directory;
}

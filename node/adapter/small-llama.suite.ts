/** A small random Llama for the tests of adapters, two examples to run it on, and a session that closes itself. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { createPrng } from "../../protocol/prng.ts";
import type { BaseModel } from "../model/base-model.ts";
import { llama } from "../model/families/llama.ts";
import { loadBaseModel } from "../model/huggingface.ts";
import { writeSafetensors } from "../model/safetensors.ts";
import { encodeModel } from "../onnx/codec.ts";
import type { OnnxGraph } from "../onnx/value.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { readModelFiles } from "../system/files/model-files.ts";
import type { Tensor } from "../tensor.ts";
import { float32, int64 } from "../tensor.ts";

export const HIDDEN = 16;
export const LAYERS = 2;
/** B, T and M of the examples below. */
export const SHAPE = { examples: 2, tokens: 8, labels: 4 };
/** Prompt tokens of the two examples. */
export const PROMPTS = [5, 4];

const CONFIG = {
  model_type: "llama",
  vocab_size: 19,
  hidden_size: HIDDEN,
  intermediate_size: 24,
  num_hidden_layers: LAYERS,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  max_position_embeddings: 32,
  rms_norm_eps: 1e-5,
  rope_theta: 10_000,
  hidden_act: "silu",
  tie_word_embeddings: false,
};

/** Weights large enough that the loss bends, and gradients can be told from rounding. Its files go with the test file. */
export function smallLlama(): BaseModel {
  const prng = createPrng(5);
  const tensors = llama(CONFIG).weights.map(({ name, shape }) => {
    const stream = prng.fork(name);
    const length = shape.reduce((product, n) => product * n, 1);
    const [mean, scale] = shape.length === 1 ? [1, 0.2] : [0, 1.2 / Math.sqrt(shape[1]!)];
    return { name, shape, data: Float32Array.from({ length }, () => mean + scale * stream.normal()) };
  });
  const directory = mkdtempSync(join(tmpdir(), "weft-small-llama-"));
  afterAll(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, "config.json"), JSON.stringify(CONFIG));
  writeFileSync(join(directory, "model.safetensors"), writeSafetensors(tensors));
  return loadBaseModel(readModelFiles(directory));
}

/** Token ids of the two examples. */
export const inputFeeds = (): Record<string, Tensor> => ({
  input_ids: int64([2, 8], [3, 14, 1, 5, 9, 2, 6, 0, 11, 7, 18, 2, 8, 1, 0, 0]),
});

/** Their labels: the rows that follow each prompt. */
export const labelFeeds = (): Record<string, Tensor> => ({
  label_rows: int64([4], [4, 5, 11, 12]),
  label_ids: int64([4], [2, 6, 8, 1]),
  label_weights: float32([4], [0.25, 0.25, 0.25, 0.25]),
});

export interface Runner {
  run(feeds: Readonly<Record<string, Tensor>>): Promise<Readonly<Record<string, Tensor>>>;
}

export async function withSession<T>(
  graph: OnnxGraph,
  model: Pick<BaseModel, "externalData">,
  use: (session: Runner) => Promise<T>,
): Promise<T> {
  const { externalData } = model;
  const session = await createOnnxRuntime().load(encodeModel(graph), { threads: 1, externalData });
  try {
    return await use(session);
  } finally {
    await session.close();
  }
}

/** The families by the `model_type` of config.json. A new one is a file of its own and a line here. */
import type { ModelFamily } from "../base-model.ts";
import { bert, roberta } from "./bert.ts";
import { gpt2 } from "./gpt2.ts";
import { llama, mistral } from "./llama.ts";
import { qwen2, qwen3 } from "./qwen.ts";

/** How a family is built from config.json, and the prefix of its weights' names. */
export interface KnownFamily {
  /** Throws: MODEL_CONFIG naming the field of config.json that is missing or not supported. */
  readonly build: (config: unknown) => ModelFamily;
  /** The beginning of the names of the bare model's weights. */
  readonly prefix: string;
}

/** All families by `model_type`. */
export const FAMILIES: ReadonlyMap<string, KnownFamily> = new Map([
  ["llama", { build: llama, prefix: "model." }],
  ["mistral", { build: mistral, prefix: "model." }],
  ["qwen2", { build: qwen2, prefix: "model." }],
  ["qwen3", { build: qwen3, prefix: "model." }],
  ["gpt2", { build: gpt2, prefix: "transformer." }],
  ["bert", { build: bert, prefix: "bert." }],
  ["roberta", { build: roberta, prefix: "roberta." }],
]);

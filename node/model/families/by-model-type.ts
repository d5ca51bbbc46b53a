/** The families by the `model_type` of config.json. A new one is a file of its own and a line here. */
import type { ModelFamily } from "../base-model.ts";
import { bert, distilbert, roberta, xlmRoberta } from "./bert.ts";
import { deberta2 } from "./deberta.ts";
import { gemma2, gemma3 } from "./gemma.ts";
import { gemma4 } from "./gemma4.ts";
import { glm4 } from "./glm4.ts";
import { gptNeox } from "./gpt-neox.ts";
import { gpt2 } from "./gpt2.ts";
import { granite } from "./granite.ts";
import { llama, ministral, mistral } from "./llama.ts";
import { ministral3 } from "./ministral3.ts";
import { modernBert } from "./modernbert.ts";
import { olmo2, olmo3 } from "./olmo.ts";
import { opt } from "./opt.ts";
import { phi } from "./phi.ts";
import { phi3 } from "./phi3.ts";
import { qwen2, qwen3 } from "./qwen.ts";
import { smollm3 } from "./smollm3.ts";

/** How a family is built from config.json, and the prefix of its weights' names. */
export interface KnownFamily {
  /** Throws: MODEL_CONFIG naming the field of config.json that is missing or not supported. */
  readonly build: (config: unknown) => ModelFamily;
  /** The beginning of the names of the bare model's weights. */
  readonly prefix: string;
}

const EXPERTS = "a mixture of experts";

/** What is missing for models that people have and weft does not compute, by `model_type`. */
export const MISSING: ReadonlyMap<string, string> = new Map([
  ...["gemma3n", "gemma3n_text"].map((type) => [type, "several streams that correct one another"] as const),
  ...["qwen2_moe", "qwen3_moe", "mixtral", "olmoe", "granitemoe", "phimoe", "glm4_moe", "gpt_oss", "deepseek_v3"].map(
    (type) => [type, EXPERTS] as const,
  ),
  ["qwen3_next", "linear attention"],
  ["mamba", "a state space"],
  ["falcon_mamba", "a state space"],
  ["deberta", "the attention of the first DeBERTa"],
]);

/** All families by `model_type`. */
export const FAMILIES: ReadonlyMap<string, KnownFamily> = new Map([
  ["llama", { build: llama, prefix: "model." }],
  ["mistral", { build: mistral, prefix: "model." }],
  ["qwen2", { build: qwen2, prefix: "model." }],
  ["qwen3", { build: qwen3, prefix: "model." }],
  ["gpt2", { build: gpt2, prefix: "transformer." }],
  ["bert", { build: bert, prefix: "bert." }],
  ["roberta", { build: roberta, prefix: "roberta." }],
  ["xlm-roberta", { build: xlmRoberta, prefix: "roberta." }],
  ["distilbert", { build: distilbert, prefix: "distilbert." }],
  ["modernbert", { build: modernBert, prefix: "model." }],
  ["deberta-v2", { build: deberta2, prefix: "deberta." }],
  ["gemma2", { build: gemma2, prefix: "model." }],
  ["gemma3_text", { build: gemma3, prefix: "model." }],
  ["gemma4_text", { build: gemma4, prefix: "model." }],
  ["phi3", { build: phi3, prefix: "model." }],
  ["smollm3", { build: smollm3, prefix: "model." }],
  ["granite", { build: granite, prefix: "model." }],
  ["olmo2", { build: olmo2, prefix: "model." }],
  ["olmo3", { build: olmo3, prefix: "model." }],
  ["glm4", { build: glm4, prefix: "model." }],
  ["gpt_neox", { build: gptNeox, prefix: "gpt_neox." }],
  ["phi", { build: phi, prefix: "model." }],
  ["opt", { build: opt, prefix: "model." }],
  ["ministral", { build: ministral, prefix: "model." }],
  ["ministral3", { build: ministral3, prefix: "model." }],
]);

/** Reads a Hugging Face model directory from disk. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { NodeError } from "../errors.ts";
import type { ModelFiles } from "../model/huggingface.ts";

/** Throws: MODEL_MISSING, MODEL_CONFIG: one line each, naming the file. */
export function readModelFiles(directory: string): ModelFiles {
  const names = list(directory);
  const read = (name: string): Uint8Array | undefined =>
    names.includes(name) ? readFileSync(join(directory, name)) : undefined;
  const config = read("config.json");
  if (!config) {
    throw new NodeError(
      "MODEL_MISSING",
      `${directory} has no config.json; a model directory holds config.json, model*.safetensors and tokenizer.json`,
    );
  }
  const tokenizer = read("tokenizer.json");
  const tokenizerConfig = read("tokenizer_config.json");
  return {
    directory,
    config: json(join(directory, "config.json"), config),
    ...(tokenizer ? { tokenizer } : {}),
    ...(tokenizerConfig ? { tokenizerConfig: json(join(directory, "tokenizer_config.json"), tokenizerConfig) } : {}),
    shards: shardNames(directory, names).map((path) => ({ path, data: readFileSync(join(directory, path)) })),
  };
}

/** The weight files; where an index lists shards, all of them must be there. */
function shardNames(directory: string, names: readonly string[]): readonly string[] {
  const index = "model.safetensors.index.json";
  if (names.includes(index)) {
    const { weight_map: map } = json(join(directory, index), readFileSync(join(directory, index))) as {
      weight_map?: Readonly<Record<string, string>>;
    };
    const shards = [...new Set(Object.values(map ?? {}))].toSorted();
    const missing = shards.find((name) => !names.includes(name));
    if (missing !== undefined)
      throw new NodeError("MODEL_MISSING", `${directory} has no ${missing}, which ${index} lists`);
    if (shards.length > 0) return shards;
  }
  const shards = names.filter((name) => /^model.*\.safetensors$/.test(name));
  if (shards.length === 0) {
    throw new NodeError("MODEL_MISSING", `${directory} has no model*.safetensors file with weights`);
  }
  return shards;
}

function list(directory: string): readonly string[] {
  try {
    return readdirSync(directory).toSorted();
  } catch (cause) {
    throw new NodeError("MODEL_MISSING", `there is no model directory ${directory}`, {}, { cause });
  }
}

function json(path: string, bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new NodeError("MODEL_CONFIG", `${path} is not valid JSON`, {}, { cause });
  }
}

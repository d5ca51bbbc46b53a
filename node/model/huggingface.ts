/** A Hugging Face model directory as a base model: config.json decides the family, safetensors hold the weights. */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import canonicalize from "canonicalize";
import type { ModelDigest } from "../../protocol/network-manifest.ts";
import { NodeError } from "../errors.ts";
import type { ExternalData } from "../interface/runtime.ts";
import { constantValue, externalValue } from "../onnx/graph.ts";
import type { OnnxValue } from "../onnx/value.ts";
import { float32 } from "../tensor.ts";
import type { BaseModel, ModelFamily, WeightShape, WeightSource } from "./base-model.ts";
import { GPT2_MODEL_TYPES, gpt2 } from "./families/gpt2.ts";
import { LLAMA_MODEL_TYPES, llama } from "./families/llama.ts";
import type { SafetensorsEntry } from "./safetensors.ts";
import { parseSafetensorsHeader, toFloat32 } from "./safetensors.ts";

/** The files of a model directory, read by `node/system/model-files`. */
export interface ModelFiles {
  /** For error lines. */
  readonly directory: string;
  readonly config: unknown;
  /** The bytes of tokenizer.json, where there is one. */
  readonly tokenizer?: Uint8Array;
  readonly tokenizerConfig?: unknown;
  /** The `*.safetensors` files, by name. */
  readonly shards: readonly ExternalData[];
}

interface Located extends SafetensorsEntry {
  readonly shard: ExternalData;
  /** Of the first value, from the beginning of the file. */
  readonly offset: number;
}

/** Throws: MODEL_CONFIG, MODEL_MISSING, SAFETENSORS_INVALID. */
export function loadBaseModel(files: ModelFiles): BaseModel {
  const type = modelType(files);
  const family = familyOf(type, files);
  const located = locate(files);
  for (const weight of family.weights) find(located, weight, files);
  return {
    ...family,
    family: type,
    weight: frozenWeights(located, files),
    externalData: files.shards,
  };
}

function modelType(files: ModelFiles): string {
  const type = (files.config as { model_type?: unknown } | null)?.model_type;
  if (typeof type === "string") return type;
  throw new NodeError(
    "MODEL_CONFIG",
    `${files.directory}/config.json names no model_type; is it a Hugging Face model directory?`,
  );
}

const FAMILIES: ReadonlyMap<string, (config: unknown) => ModelFamily> = new Map([
  ...LLAMA_MODEL_TYPES.map((type) => [type, llama] as const),
  ...GPT2_MODEL_TYPES.map((type) => [type, gpt2] as const),
]);

function familyOf(type: string, files: ModelFiles): ModelFamily {
  const family = FAMILIES.get(type);
  if (family) return family(files.config);
  throw new NodeError(
    "MODEL_CONFIG",
    `${files.directory}/config.json: model_type "${type}" is not supported; weft runs ${[...FAMILIES.keys()].join(", ")}`,
  );
}

function locate(files: ModelFiles): ReadonlyMap<string, Located> {
  const located = new Map<string, Located>();
  for (const shard of files.shards) {
    const header = parseSafetensorsHeader(shard.data, { name: `${files.directory}/${shard.path}` });
    for (const entry of header.entries) {
      located.set(entry.name, { ...entry, shard, offset: header.dataOffset + entry.begin });
    }
  }
  return located;
}

/** Tied embeddings are stored under either of their two names. */
const ALIASES: Readonly<Record<string, string>> = {
  "model.embed_tokens.weight": "lm_head.weight",
  "lm_head.weight": "model.embed_tokens.weight",
};

function find(located: ReadonlyMap<string, Located>, weight: WeightShape, files: ModelFiles): Located {
  const tied = (files.config as { tie_word_embeddings?: unknown }).tie_word_embeddings === true;
  const alias = tied ? ALIASES[weight.name] : undefined;
  const entry = located.get(weight.name) ?? (alias === undefined ? undefined : located.get(alias));
  if (!entry) {
    throw new NodeError(
      "MODEL_MISSING",
      `${files.directory}: the weights hold no tensor ${weight.name}; is a shard missing?`,
    );
  }
  if (entry.shape.length !== weight.shape.length || entry.shape.some((n, i) => n !== weight.shape[i])) {
    throw new NodeError(
      "MODEL_CONFIG",
      `${files.directory}: tensor ${weight.name} has shape [${entry.shape}], config.json asks for [${weight.shape}]`,
    );
  }
  return entry;
}

/** f32 weights stay in their file; f16 and bf16 are widened once. */
function frozenWeights(located: ReadonlyMap<string, Located>, files: ModelFiles): WeightSource {
  const values = new Map<string, OnnxValue>();
  return (weight) => {
    const known = values.get(weight.name);
    if (known) return known;
    const { name, dtype, shape, shard, offset, begin, end } = find(located, weight, files);
    const length = end - begin;
    const value =
      dtype === "F32"
        ? externalValue(name, "float32", shape, { location: shard.path, offset, length })
        : constantValue(
            float32(shape, toFloat32({ dtype, bytes: shard.data.subarray(offset, offset + length) })),
            name,
          );
    values.set(weight.name, value);
    return value;
  };
}

/** All weights as f32 values by name, for a model whose weights are to be trained or copied. */
export function readWeights(files: ModelFiles, weights: readonly WeightShape[]): readonly Float32Array[] {
  const located = locate(files);
  return weights.map((weight) => {
    const { dtype, shard, offset, begin, end } = find(located, weight, files);
    return toFloat32({ dtype, bytes: shard.data.subarray(offset, offset + end - begin) });
  });
}

/** tokenizer.json.  Throws: TOKENIZER_MISSING. */
export function tokenizerBytes(files: ModelFiles): Uint8Array {
  if (files.tokenizer) return files.tokenizer;
  throw new NodeError(
    "TOKENIZER_MISSING",
    `${files.directory} has no tokenizer.json; save the model's fast tokenizer there`,
  );
}

/** Digests that the genesis manifest fixes; the same model in other shards has the same digests. */
export function modelDigest(files: ModelFiles): ModelDigest {
  const weights = sha256.create();
  const located = locate(files);
  for (const name of [...located.keys()].toSorted()) {
    const { dtype, shape, shard, offset, begin, end } = located.get(name)!;
    weights.update(new TextEncoder().encode(`${JSON.stringify([name, dtype, shape])}\n`));
    weights.update(shard.data.subarray(offset, offset + end - begin));
  }
  const config = canonicalize(files.config) ?? "";
  return {
    weights: bytesToHex(weights.digest()),
    config: bytesToHex(sha256(new TextEncoder().encode(config))),
    tokenizer: bytesToHex(sha256(tokenizerBytes(files))),
  };
}

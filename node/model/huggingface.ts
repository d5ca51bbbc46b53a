/** A Hugging Face model directory as a base model: config.json decides the family, safetensors hold the weights. */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import canonicalize from "canonicalize";
import type { ModelDigest } from "../../protocol/network-manifest.ts";
import { NodeError } from "../errors.ts";
import { externalValue } from "../onnx/graph.ts";
import type { OnnxValue } from "../onnx/value.ts";
import type { BaseModel, ModelFamily, WeightShape } from "./base-model.ts";
import { FAMILIES } from "./families/by-model-type.ts";
import { storedCopy, type WeightCache, widenedCopy } from "./weight-copy.ts";
import type { StoredTensor, WeightFile } from "./weight-file.ts";
import { locateTensors, tensorValues } from "./weight-file.ts";

/** The files of a model directory, read by `node/system/files/model-files`. */
export interface ModelFiles {
  /** For error lines. */
  readonly directory: string;
  readonly config: unknown;
  /** The bytes of tokenizer.json, where there is one. */
  readonly tokenizer?: Uint8Array;
  readonly tokenizerConfig?: unknown;
  readonly specialTokensMap?: unknown;
  /** Chat templates that have files of their own, by name. */
  readonly chatTemplates?: ReadonlyMap<string, string>;
  /** The `*.safetensors` files, by name. */
  readonly shards: readonly WeightFile[];
  /** Where copies of weights in another form are kept; in memory when absent. */
  readonly cache?: WeightCache;
  /** SHA-256 of large files, quicker than the portable one; hexadecimal. */
  readonly sha256?: () => { update(bytes: Uint8Array): void; hex(): string };
}

/**
 * f32 weights stay in their files; where one of the needed weights has 16 bits, all of them come from a cached file of
 * f32 values, made when the first one is asked for.
 * Throws: MODEL_CONFIG, MODEL_MISSING, SAFETENSORS_INVALID; asking for weights: DISK_FULL, DATA_DIRECTORY.
 */
export function loadBaseModel(files: ModelFiles): BaseModel {
  const { type, family, prefix } = familyOf(files);
  const source = tensorsOf(files, prefix);
  const head = new Set(family.classifier?.head.map((weight) => weight.name));
  const has = (weight: WeightShape): boolean => source.find(weight) !== undefined;
  const needed = family.weights.filter((weight) => !head.has(weight.name) || has(weight)).map(source.get);
  const inPlace = needed.every((tensor) => tensor.dtype === "F32");
  const plan = widenedCopy([...new Map(needed.map((tensor) => [tensor.name, tensor])).values()]);
  const widened = once(() => storedCopy(plan, files.cache));
  const values = new Map<string, OnnxValue>();
  return {
    ...family,
    family: type,
    has,
    values: (weight) => tensorValues(source.get(weight)),
    weight: (weight) => {
      const known = values.get(weight.name);
      if (known) return known;
      const stored = source.get(weight);
      const { file, offset, begin, end } = inPlace ? stored : widened().get(stored.name)!;
      const range = { location: file.path, offset, length: end - begin };
      const value = externalValue(weight.name, "float32", weight.shape, range);
      values.set(weight.name, value);
      return value;
    },
    get externalData() {
      return inPlace ? files.shards : [...new Set([...widened().values()].map((tensor) => tensor.file))];
    },
  };
}

function familyOf(files: ModelFiles): { type: string; family: ModelFamily; prefix: string } {
  const type = (files.config as { model_type?: unknown } | null)?.model_type;
  if (typeof type !== "string") {
    const text = `${files.directory}/config.json names no model_type; is it a Hugging Face model directory?`;
    throw new NodeError("MODEL_CONFIG", text);
  }
  const known = FAMILIES.get(type);
  if (known) return { type, family: known.build(files.config), prefix: known.prefix };
  throw new NodeError(
    "MODEL_CONFIG",
    `${files.directory}/config.json: model_type "${type}" is not supported; weft runs ${[...FAMILIES.keys()].join(", ")}`,
  );
}

interface StoredTensors {
  find(weight: WeightShape): StoredTensor | undefined;
  /** Throws: MODEL_MISSING. */
  get(weight: WeightShape): StoredTensor;
}

/** The stored tensors by the names that the family gives them.  Throws: MODEL_CONFIG for another shape. */
function tensorsOf(files: ModelFiles, prefix: string): StoredTensors {
  const located = locateTensors(files.shards);
  const tied = (files.config as { tie_word_embeddings?: unknown }).tie_word_embeddings === true;
  const find = (weight: WeightShape): StoredTensor | undefined => {
    const name = storedNames(weight.name, { prefix, tied }).find((candidate) => located.has(candidate));
    const tensor = name === undefined ? undefined : located.get(name)!;
    if (!tensor || tensor.shape.join() === weight.shape.join()) return tensor;
    const text = `tensor ${weight.name} has shape [${tensor.shape}], config.json asks for [${weight.shape}]`;
    throw new NodeError("MODEL_CONFIG", `${files.directory}: ${text}`);
  };
  return {
    find,
    get: (weight) => {
      const tensor = find(weight);
      if (tensor) return tensor;
      const text = `the weights hold no tensor ${weight.name}; is a shard missing?`;
      throw new NodeError("MODEL_MISSING", `${files.directory}: ${text}`);
    },
  };
}

/**
 * Names under which checkpoints store a weight: its own; the other one of tied embeddings; without the prefix, where
 * the bare model was saved; with the LayerNorm names of the first BERT checkpoints.
 */
function storedNames(name: string, { prefix, tied }: { prefix: string; tied: boolean }): readonly string[] {
  const names = [name, ...(tied && TIED[name] !== undefined ? [TIED[name]] : [])];
  const old = name.replace(/LayerNorm\.weight$/, "LayerNorm.gamma").replace(/LayerNorm\.bias$/, "LayerNorm.beta");
  if (old !== name) names.push(old);
  return [...names, ...names.filter((n) => n.startsWith(prefix)).map((n) => n.slice(prefix.length))];
}

const TIED: Readonly<Record<string, string>> = {
  "model.embed_tokens.weight": "lm_head.weight",
};

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** tokenizer.json.  Throws: TOKENIZER_MISSING. */
export function tokenizerBytes(files: ModelFiles): Uint8Array {
  if (files.tokenizer) return files.tokenizer;
  throw new NodeError(
    "TOKENIZER_MISSING",
    `${files.directory} has no tokenizer.json; save the model's fast tokenizer there`,
  );
}

/** Bytes hashed at a time. */
const DIGEST_BYTES = 1 << 24;

/** Digests that the genesis manifest fixes; the same model in other shards has the same digests. */
export function modelDigest(files: ModelFiles): ModelDigest {
  const weights = files.sha256?.() ?? portableSha256();
  const located = locateTensors(files.shards);
  for (const name of [...located.keys()].toSorted()) {
    const { dtype, shape, file, offset, begin, end } = located.get(name)!;
    weights.update(new TextEncoder().encode(`${JSON.stringify([name, dtype, shape])}\n`));
    for (let at = 0; at < end - begin; at += DIGEST_BYTES) {
      weights.update(file.read(offset + at, Math.min(DIGEST_BYTES, end - begin - at)));
    }
  }
  const config = canonicalize(files.config) ?? "";
  return {
    weights: weights.hex(),
    config: bytesToHex(sha256(new TextEncoder().encode(config))),
    tokenizer: bytesToHex(sha256(tokenizerBytes(files))),
  };
}

function portableSha256(): { update(bytes: Uint8Array): void; hex(): string } {
  const hash = sha256.create();
  return { update: (bytes) => void hash.update(bytes), hex: () => bytesToHex(hash.digest()) };
}

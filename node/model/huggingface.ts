/** A Hugging Face model directory as a base model: config.json decides the family, safetensors hold the weights. */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import canonicalize from "canonicalize";
import type { ModelDigest } from "../../protocol/network-manifest.ts";
import { NodeError } from "../errors.ts";
import { externalValue } from "../onnx/graph.ts";
import type { OnnxValue } from "../onnx/value.ts";
import type { BaseModel, ModelFamily, WeightShape } from "./base-model.ts";
import { FAMILIES, type KnownFamily, MISSING } from "./families/by-model-type.ts";
import { unpackedConfig } from "./packed/quantization-config.ts";
import { hasOwnOutput, isTied, storedWeights, unreadNote, type WeightPlace } from "./stored-weights.ts";
import { textConfig } from "./text-config.ts";
import { tokenizerContent } from "./tokenizer.ts";
import { storedCopy, type WeightCache, widenedCopy } from "./weight-copy.ts";
import type { Located, WeightFile } from "./weight-file.ts";
import { locateTensors, tensorValues } from "./weight-file.ts";

/** The files of a model directory, read by `node/system/files/model-files`. */
export interface ModelFiles {
  /** For error lines. */
  readonly directory: string;
  readonly config: unknown;
  /** The bytes of tokenizer.json, where there is one. */
  readonly tokenizer?: Uint8Array;
  /** What may become one, where there is none. */
  readonly tokenizerHint?: string;
  readonly tokenizerConfig?: unknown;
  /** added_tokens.json, special_tokens_map.json and generation_config.json, parsed, where they are there. */
  readonly addedTokens?: unknown;
  readonly specialTokensMap?: unknown;
  readonly generationConfig?: unknown;
  /** Chat templates that have files of their own, by name. */
  readonly chatTemplates?: ReadonlyMap<string, string>;
  /** The `*.safetensors` files, by name; of a GGUF file that file. */
  readonly shards: readonly WeightFile[];
  /** The tensors of files that are not safetensors. */
  readonly located?: Located;
  /** What is to be said of the directory, each in one line. */
  readonly notes?: readonly string[];
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
  const { type, family, place, notes } = openFamily(files);
  const source = storedWeights(family, place);
  const head = new Set(family.classifier?.head.map((weight) => weight.name));
  const has = (weight: WeightShape): boolean => source.find(weight) !== undefined;
  const needed = family.weights.filter((weight) => !head.has(weight.name) || has(weight)).map(source.get);
  const inPlace = needed.every(({ dtype, packed }) => dtype === "F32" && !packed);
  const plan = widenedCopy([...new Map(needed.map((tensor) => [tensor.name, tensor])).values()]);
  const widened = once(() => storedCopy(plan, files.cache));
  const values = new Map<string, OnnxValue>();
  return {
    ...family,
    family: type,
    notes,
    has,
    values: (weight, rows) => tensorValues(source.get(weight), rows),
    blocks: (weight, bits, rows) => {
      const { packed } = source.get(weight);
      return packed?.blocks(bits, rows);
    },
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

/** All tensors of a model's files, by name.  Throws: SAFETENSORS_INVALID, MODEL_CONFIG. */
const locatedTensors = ({ located, shards }: ModelFiles): Located => located ?? locateTensors(shards);

interface OpenedFamily {
  readonly type: string;
  readonly family: ModelFamily;
  readonly place: WeightPlace;
  readonly notes: readonly string[];
}

/** The family that a config names, built by it and by what the files hold. */
function openFamily(files: ModelFiles): OpenedFamily {
  const { directory } = files;
  const { config: whole, packing } = unpackedConfig(files.config);
  const { config, nameOf, parted } = textConfig(whole);
  const { type, known } = knownFamily(directory, config);
  let family = known.build(config);
  const located = new Map(
    [...locatedTensors(files)].flatMap(([name, tensor]) => {
      const own = nameOf(name);
      return own === undefined ? [] : [[own, tensor] as const];
    }),
  );
  const place = { located, prefix: known.prefix, directory, packing };
  const notes: string[] = [...(files.notes ?? [])];
  if (parted !== undefined) notes.push(`of this ${parted} model its text model, ${type}, is used`);
  const untied = { ...(config as object), tie_word_embeddings: false };
  if (!family.classifier && isTied(family) && hasOwnOutput(place)) {
    family = known.build(untied);
    notes.push("config.json ties output and embedding, the files hold two different matrices; both are used as stored");
  }
  const unread = unreadNote(family, place);
  return { type, family, place, notes: unread === undefined ? notes : [...notes, unread] };
}

function knownFamily(directory: string, config: unknown): { readonly type: string; readonly known: KnownFamily } {
  const type = (config as { model_type?: unknown } | null)?.model_type;
  if (typeof type !== "string") {
    const text = `${directory}/config.json names no model_type; is it a Hugging Face model directory?`;
    throw new NodeError("MODEL_CONFIG", text);
  }
  const known = FAMILIES.get(type);
  if (known) return { type, known };
  const missing = MISSING.get(type);
  if (missing !== undefined) {
    const text = `${directory}/config.json: model_type "${type}" is not supported: it has ${missing}, which weft does not compute`;
    throw new NodeError("MODEL_CONFIG", text);
  }
  throw new NodeError(
    "MODEL_CONFIG",
    `${directory}/config.json: model_type "${type}" is not supported; weft runs ${[...FAMILIES.keys()].join(", ")}`,
  );
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** tokenizer.json, with the tokens that other files add to it.  Throws: TOKENIZER_MISSING, MODEL_CONFIG. */
export function tokenizerBytes(files: ModelFiles): Uint8Array {
  if (files.tokenizer?.length === 0) return files.tokenizer;
  if (files.tokenizer) return tokenizerContent(files.tokenizer, files.directory, files);
  throw new NodeError(
    "TOKENIZER_MISSING",
    `${files.directory} has no tokenizer.json; ${files.tokenizerHint ?? "save the model's fast tokenizer there"}`,
  );
}

/** Bytes hashed at a time. */
const DIGEST_BYTES = 1 << 24;

/** Digests that the genesis manifest fixes; the same model in other shards has the same digests. */
export function modelDigest(files: ModelFiles): ModelDigest {
  const config = canonicalize(files.config) ?? "";
  return {
    weights: tensorsDigest(locatedTensors(files), files),
    config: bytesToHex(sha256(new TextEncoder().encode(config))),
    tokenizer: bytesToHex(sha256(tokenizerBytes(files))),
  };
}

/** SHA-256 of tensors: of each, by name, a line of JSON with name, dtype and shape, then its values; hexadecimal. */
export function tensorsDigest(located: Located, { sha256: fast }: Pick<ModelFiles, "sha256">): string {
  const hash = fast?.() ?? portableSha256();
  for (const name of [...located.keys()].toSorted()) {
    const { dtype, shape, file, offset, begin, end } = located.get(name)!;
    hash.update(new TextEncoder().encode(`${JSON.stringify([name, dtype, shape])}\n`));
    for (let at = 0; at < end - begin; at += DIGEST_BYTES) {
      hash.update(file.read(offset + at, Math.min(DIGEST_BYTES, end - begin - at)));
    }
  }
  return hash.hex();
}

function portableSha256(): { update(bytes: Uint8Array): void; hex(): string } {
  const hash = sha256.create();
  return { update: (bytes) => void hash.update(bytes), hex: () => bytesToHex(hash.digest()) };
}

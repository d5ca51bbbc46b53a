/** Reads a Hugging Face model directory from disk. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { ModelDigest } from "../../../protocol/network-manifest.ts";
import { NodeError } from "../../errors.ts";
import { ggufFiles } from "../../model/gguf/gguf-files.ts";
import type { ModelFiles } from "../../model/huggingface.ts";
import { madeTokenizer } from "../../model/vocabulary/made-tokenizer.ts";
import { VOCABULARY_FILES } from "../../model/vocabulary/vocabulary-tokenizer.ts";
import type { WeightFile } from "../../model/weight-file.ts";
import { TOLD_BYTES_MIN, WorkCount } from "../platform/work-channel.ts";
import { systemCode } from "./atomic-file.ts";
import { modelJson, readModelFile } from "./model-file.ts";
import { noConfigText, noWeightsText, tokenizerHint } from "./model-hints.ts";
import { refuseForeignLink } from "./model-link.ts";
import { cacheFolder, createWeightCache } from "./weight-cache.ts";
import { openWeightFiles } from "./weight-files.ts";

/** Where copies of weights are kept. */
export interface ReadModelOptions {
  /** Where weights of 16 bits are kept as f32; else the folder of WEFT_CACHE, else the system's place for caches. */
  readonly cacheFolder?: string;
}

/** The weights stay on disk until they are asked for.  Throws: MODEL_MISSING, MODEL_CONFIG: one line, naming the file. */
export function readModelFiles(directory: string, options: ReadModelOptions = {}): ModelFiles {
  if (isGguf(directory)) return readGgufFile(directory, options);
  const names = list(directory);
  const read = (name: string): Uint8Array | undefined =>
    names.includes(name) ? readModelFile(join(directory, name)) : undefined;
  const config = read("config.json");
  if (!config) {
    throw new NodeError("MODEL_MISSING", noConfigText(directory, names));
  }
  const tokenizer = read("tokenizer.json");
  const parsed = (name: string): unknown => {
    const bytes = read(name);
    return bytes && modelJson(join(directory, name), bytes);
  };
  const beside = {
    tokenizerConfig: parsed("tokenizer_config.json"),
    addedTokens: parsed("added_tokens.json"),
    specialTokensMap: parsed("special_tokens_map.json"),
    generationConfig: parsed("generation_config.json"),
  };
  // transformers puts the adapter into the model there.
  const note = names.includes("adapter_config.json")
    ? `${directory} holds an adapter too; the model is used without it: give the directory as the adapter as well, where it is wanted`
    : undefined;
  const readConfig = modelJson(join(directory, "config.json"), config);
  const shards = openWeightFiles(shardNames(directory, names).map((name) => join(directory, name)));
  const files: ModelFiles = {
    directory,
    config: readConfig,
    ...(tokenizer && { tokenizer }),
    chatTemplates: readChatTemplates(directory, names),
    ...Object.fromEntries(Object.entries(beside).filter(([, content]) => content !== undefined)),
    shards,
    ...(note !== undefined && { notes: [note] }),
    ...keeping(shards, options),
  };
  if (tokenizer) return files;
  const hint = tokenizerHint(names);
  if (!names.some((name) => VOCABULARY_FILES.includes(name)))
    return hint === undefined ? files : { ...files, tokenizerHint: hint };
  return madeTokenizer(files, { names, read: (name) => readModelFile(join(directory, name)) });
}

/** Where copies are kept, and how large files are hashed. */
function keeping(shards: readonly WeightFile[], options: ReadModelOptions): Pick<ModelFiles, "cache" | "sha256"> {
  return {
    cache: createWeightCache({ folder: cacheFolder(options.cacheFolder) }),
    sha256: () => toldSha256(shards.reduce((sum, { fileBytes }) => sum + fileBytes, 0)),
  };
}

/** A digest of so many bytes, which tells how far it is. */
function toldSha256(total: number): { update(bytes: Uint8Array): void; hex(): string } {
  const hash = createHash("sha256");
  const count = new WorkCount({
    ...{ what: "hashing the model", total, unit: "bytes", fewest: TOLD_BYTES_MIN, blocks: true },
  });
  return {
    update: (bytes) => {
      hash.update(bytes);
      count.add(bytes.length);
    },
    hex: () => {
      count.end();
      return hash.digest("hex");
    },
  };
}

/** A model that is one file, by its name. */
const isGguf = (path: string): boolean => path.toLowerCase().endsWith(".gguf") && !isFolder(path);
const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** Files about tokens that may stand beside a model that is one file. */
const BESIDE = ["tokenizer_config.json", "added_tokens.json", "special_tokens_map.json", "generation_config.json"];

function readGgufFile(path: string, options: ReadModelOptions): ModelFiles {
  const folder = dirname(path);
  const [file] = openWeightFiles([path]) as [WeightFile];
  const at = (name: string): string => join(folder, name);
  const [config, added, special, generation] = BESIDE.map((name) =>
    existsSync(at(name)) ? modelJson(at(name), readModelFile(at(name))) : undefined,
  );
  const beside = existsSync(at("tokenizer.json"))
    ? {
        tokenizer: readModelFile(at("tokenizer.json")),
        ...(config !== undefined && { tokenizerConfig: config }),
        ...(added !== undefined && { addedTokens: added }),
        ...(special !== undefined && { specialTokensMap: special }),
        ...(generation !== undefined && { generationConfig: generation }),
      }
    : {};
  return { ...ggufFiles(path, file, beside), ...keeping([file], options) };
}

const TEMPLATE = "chat_template.jinja";
const TEMPLATES = "additional_chat_templates";

/** Chat templates that have files of their own, by name; the one of the directory itself is "default". */
function readChatTemplates(directory: string, names: readonly string[]): ReadonlyMap<string, string> {
  const others = names.includes(TEMPLATES)
    ? list(join(directory, TEMPLATES)).filter((name) => name.endsWith(".jinja"))
    : [];
  return new Map([
    ...(names.includes(TEMPLATE) ? [["default", template(directory, TEMPLATE)] as const] : []),
    ...others.map((name) => [name.replace(/\.jinja$/u, ""), template(join(directory, TEMPLATES), name)] as const),
  ]);
}

/** An adapter keeps the template that it was trained with. */
function template(folder: string, name: string): string {
  refuseForeignLink(folder, name);
  return new TextDecoder().decode(readModelFile(join(folder, name)));
}

/** Files that a model directory lacks, by the part of the model that they are; empty when all are there. */
export function missingModelFiles(directory: string): Readonly<Partial<Record<keyof ModelDigest, readonly string[]>>> {
  if (isGguf(directory)) return existsSync(directory) ? {} : { weights: [directory] };
  const names = existsSync(directory) ? list(directory) : [];
  const weights = (): readonly string[] => {
    if (names.includes(SINGLE)) return [];
    if (names.includes(INDEX)) return listedShards(directory).filter((name) => !names.includes(name));
    return names.some((name) => SHARD.test(name)) ? [] : [SINGLE];
  };
  const missing = {
    config: ["config.json"].filter((name) => !names.includes(name)),
    tokenizer: TOKENIZER_FILES.some((name) => names.includes(name)) ? [] : ["tokenizer.json"],
    weights: weights(),
  };
  return Object.fromEntries(Object.entries(missing).filter(([, files]) => files.length > 0));
}

/** Changes when a file that belongs to a model comes, goes or is written; nothing is read. */
export function modelFilesStamp(path: string): string {
  const [directory, own] = isGguf(path) ? [dirname(path), basename(path)] : [path, undefined];
  const names = existsSync(directory) ? list(directory) : [];
  const stamps = names
    .filter((name) => name === own || name.endsWith(".json") || TOKENIZER_FILES.includes(name) || SHARD.test(name))
    .map((name) => {
      const found = statSync(join(directory, name), { throwIfNoEntry: false, bigint: true });
      return `${name} ${found?.ino} ${found?.size} ${found?.mtimeNs}`;
    });
  return JSON.stringify([directory, stamps]);
}

/** Files of which one alone is a tokenizer, or becomes one. */
const TOKENIZER_FILES: readonly string[] = ["tokenizer.json", ...VOCABULARY_FILES];
const SHARD = /^model.*\.safetensors$/;
const SINGLE = "model.safetensors";
const INDEX = "model.safetensors.index.json";

/** One file with all weights where there is one, else the shards that the index lists, all of which must be there. */
function shardNames(directory: string, names: readonly string[]): readonly string[] {
  if (names.includes(SINGLE)) return [SINGLE];
  if (names.includes(INDEX)) return indexedShards(directory, names);
  const shards = names.filter((name) => SHARD.test(name));
  if (shards.length === 0) {
    throw new NodeError("MODEL_MISSING", noWeightsText(directory, names));
  }
  return shards;
}

function indexedShards(directory: string, names: readonly string[]): readonly string[] {
  const shards = listedShards(directory);
  const missing = shards.find((name) => !names.includes(name));
  if (missing !== undefined) {
    const text = existsSync(join(directory, missing))
      ? `${directory}: ${INDEX} lists ${missing}, which lies in another folder; put all files of weights beside the index`
      : `${directory} has no ${missing}, which ${INDEX} lists; is the download complete?`;
    throw new NodeError("MODEL_MISSING", text);
  }
  return shards.toSorted();
}

function listedShards(directory: string): readonly string[] {
  const path = join(directory, INDEX);
  const index = modelJson(path, readModelFile(path)) as { weight_map?: unknown } | null;
  const map = index?.weight_map;
  const shards = typeof map === "object" && map !== null ? [...new Set<unknown>(Object.values(map))] : [];
  if (shards.length === 0 || !shards.every((name) => typeof name === "string")) {
    throw new NodeError("MODEL_CONFIG", `${path} has no weight_map that names the file of every tensor`);
  }
  return shards;
}

function list(directory: string): readonly string[] {
  try {
    return readdirSync(directory).toSorted();
  } catch (cause) {
    const said: Readonly<Record<string, string>> = {
      ENOTDIR: `${directory} is a file and no GGUF or ONNX model; give a model directory`,
      EACCES: `${directory} may not be read by this user; give this user the right to read it`,
    };
    const text = said[systemCode(cause) ?? ""] ?? `there is no model directory ${directory}`;
    throw new NodeError("MODEL_MISSING", text, {}, { cause });
  }
}

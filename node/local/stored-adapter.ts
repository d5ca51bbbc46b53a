/** Adapters on disk and the models that they belong to: opened together, checked against each other. */
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import type { ModelDigest, NetworkManifest } from "../../protocol/network-manifest.ts";
import { networkId } from "../../protocol/network-manifest.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { type OwnKindSource, openOwnKind, ownSettings } from "../adapter/own-kind.ts";
import { dataDirectoryLayout } from "../data-directory/layout.ts";
import { NodeError } from "../errors.ts";
import type { UsedAdapter } from "../generation/inference-graph.ts";
import { ADAPTER_JSON, ownKindOf, readAdapterDirectory } from "../interchange/adapter-directory.ts";
import { PEFT_CONFIG } from "../interchange/peft-export.ts";
import { fromPeft, type Imported } from "../interchange/peft-import.ts";
import { fromPyreft } from "../interchange/pyreft-import.ts";
import type { SavedAdapter } from "../interchange/saved-adapter.ts";
import { adapterOfVector, checkAdapter, slotsOf, tensorsOf } from "../interchange/saved-adapter.ts";
import type { EngineOptions } from "../interface/engine-options.ts";
import { verifyModel } from "../manifest/verify-model.ts";
import { inBaseForm } from "../model/base/base-form.ts";
import type { BaseModel } from "../model/base-model.ts";
import type { ModelFiles } from "../model/huggingface.ts";
import { loadBaseModel, modelDigest } from "../model/huggingface.ts";
import type { FolderFiles } from "../system/files/adapter-files.ts";
import { readAdapterFolder } from "../system/files/adapter-files.ts";
import { createCheckpointFiles } from "../system/files/checkpoint-file.ts";
import { readModelFiles } from "../system/files/model-files.ts";
import { createLogger } from "../system/platform/log.ts";
import type { AdapterFormat } from "./adapter-format.ts";

/** A model directory that is read and checked. */
export interface OpenedModel {
  readonly files: ModelFiles;
  readonly model: BaseModel;
  /** Computed when it is asked for: all weights are read. */
  digest(): ModelDigest;
}

/** base: the form in which graphs read the weights.  Throws: MODEL_MISSING, MODEL_CONFIG, SAFETENSORS_INVALID. */
export function openModel(directory: string, { base }: Pick<EngineOptions, "base"> = {}): OpenedModel {
  const files = readModelFiles(directory);
  const model = inBaseForm(loadBaseModel(files), files, base);
  let digest: ModelDigest | undefined;
  return {
    files,
    model,
    digest: () => {
      // An adapter does not depend on how text becomes tokens: a directory without tokenizer has the digest of nothing.
      digest ??= modelDigest({ ...files, tokenizer: files.tokenizer ?? new Uint8Array() });
      return digest;
    },
  };
}

/** The positions of an intervention, for forms of adapters that do not say them. */
export type ImportPositions = "all" | { readonly first: number; readonly last: number };

/** The form of an adapter's folder, by the files in it.  Throws: ADAPTER_FILE when it is none of them. */
export function formatOf(files: FolderFiles, folder: string): AdapterFormat {
  if (files.has(ADAPTER_JSON)) return "weft";
  if (files.has(PEFT_CONFIG)) return "peft";
  if ([...files.keys()].some((name) => name.startsWith("intkey_"))) return "pyreft";
  const isModel = files.has("config.json");
  const what = isModel ? ", but a model; give it as the model" : "";
  throw new NodeError("ADAPTER_FILE", `${folder} holds no adapter of weft, PEFT or pyreft${what}`, { folder });
}

/**
 * The adapter in a folder of any form, checked against the model.
 * Throws: ADAPTER_FILE, ADAPTER_FORMAT, ADAPTER_SHAPE, MODEL_MISMATCH; CONFIG_INVALID for a pyreft folder without positions, or
 * positions for another one.
 */
export async function loadAdapter(
  folder: string,
  { model, digest, files: modelFiles }: OpenedModel,
  {
    positions,
    kind,
  }: {
    readonly positions?: ImportPositions | undefined;
    /** URL of the module of a kind that is no part of weft, for adapters of such a kind. */
    readonly kind?: OwnKindSource["module"] | undefined;
  } = {},
): Promise<Imported> {
  const files = await readAdapterFolder(folder);
  const options = { directory: folder, digest: digest() };
  const format = formatOf(files, folder);
  if (positions !== undefined && format !== "pyreft") {
    const text = `${folder} is an adapter in the form of ${format}, whose files say where it acts`;
    throw new NodeError("CONFIG_INVALID", text, { folder, problem: "positions-known" });
  }
  switch (format) {
    case "weft": {
      const adapter = readAdapterDirectory(files, folder, await ownSettingsOf(files, folder, kind));
      checkAdapter(adapter, model, options.digest, folder);
      return { adapter, notes: [] };
    }
    case "peft":
      return fromPeft(files, model, { ...options, modelNames: namesOf(modelFiles) });
    case "pyreft": {
      if (positions !== undefined) return { adapter: fromPyreft(files, model, { ...options, positions }), notes: [] };
      const text = `${folder} is a pyreft directory, which does not say at which positions it acts`;
      throw new NodeError("CONFIG_INVALID", text, { folder, problem: "positions-unsaid" });
    }
  }
}

/** The settings of an adapter of a kind that is no part of weft.  Throws: ADAPTER_FILE where that kind is not at hand. */
async function ownSettingsOf(
  files: FolderFiles,
  folder: string,
  module: OwnKindSource["module"] | undefined,
): Promise<AdapterSettings | undefined> {
  const own = ownKindOf(files, folder);
  if (own === undefined) return undefined;
  const settings = module === undefined ? undefined : await openOwnKind({ module, options: own.options });
  if (settings !== undefined && ownSettings(settings)?.name === own.name) return settings;
  const text = `${folder} holds an adapter of the kind "${own.name}", which is no part of weft; only the program that brings it can use it`;
  throw new NodeError("ADAPTER_FILE", text, { folder });
}

/** What a model is called: the path of its directory, and its name where its config has one. */
function namesOf({ directory, config }: ModelFiles): readonly string[] {
  const { _name_or_path: name } = config as { readonly _name_or_path?: unknown };
  return [directory, ...(typeof name === "string" && name !== "" ? [name] : [])];
}

/**
 * The adapter of a peer's newest checkpoint; of a finished one, that of the swarm.
 * Throws: MODEL_MISMATCH, MANIFEST_MISMATCH, ADAPTER_FILE when there is no checkpoint yet.
 */
export async function adapterOfPeer(
  dataDirectory: string,
  manifest: NetworkManifest,
  { model, files, digest }: OpenedModel,
): Promise<SavedAdapter> {
  verifyModel(manifest, files, files.tokenizer && digest());
  const { checkpoints } = dataDirectoryLayout(dataDirectory);
  const logger = createLogger({ level: "error", fields: {} });
  const checkpoint = await createCheckpointFiles({ logger }, { folder: checkpoints }).load();
  // While a finished peer trains alone to compare, the swarm's adapter waits under a name of its own.
  const values = checkpoint?.vectors.get("swarm.adapter") ?? checkpoint?.vectors.get("adapter");
  if (!checkpoint || !values) {
    throw new NodeError("ADAPTER_FILE", `${dataDirectory} has no checkpoint yet`, { problem: "no-checkpoint" });
  }
  const { network } = checkpoint.state as { readonly network?: unknown };
  if (network !== networkId(manifest)) {
    throw new NodeError("MANIFEST_MISMATCH", `the checkpoint in ${dataDirectory} belongs to another network`);
  }
  return adapterOfVector(model, { settings: manifest.adapter, seed: manifest.seed, digest: digest(), values });
}

/** An adapter as graphs need it. */
export function usedAdapter(adapter: SavedAdapter, model: BaseModel): UsedAdapter {
  const tensor = tensorsOf(adapter, model);
  const { settings, seed } = adapter;
  const frozen = adapterMethod(settings).frozen(settings, model.shape, seed).keys();
  const all = [...slotsOf(adapter).map(({ name }) => name), ...frozen];
  return { settings, tensors: new Map(all.map((name) => [name, tensor(name)])) };
}

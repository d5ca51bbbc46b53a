/** The adapter of a peer's best round on disk: in weft's own form, as any command takes it by its path. */
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import { TRAINED_DATA_JSON } from "../data/trained-data.ts";
import type { DataDirectory } from "../data-directory/layout.ts";
import { writeAdapterDirectory } from "../interchange/adapter-directory.ts";
import { adapterOfVector } from "../interchange/saved-adapter.ts";
import { loadBaseModel } from "../model/huggingface.ts";
import type { KeepBest } from "../round/best-round.ts";
import { readFolderFile, replaceFolder } from "../system/files/adapter-files.ts";
import { readModelFiles } from "../system/files/model-files.ts";

/** Keeps it in the folder `best-round` of the data directory, with what the peer keeps about its data. */
export function keepsBestRound(
  { bestRound, folder }: DataDirectory,
  { manifest, modelDirectory }: { readonly manifest: NetworkManifest; readonly modelDirectory: string },
): KeepBest {
  return async (values) => {
    const model = loadBaseModel(readModelFiles(modelDirectory));
    const { adapter: settings, seed } = manifest;
    const adapter = adapterOfVector(model, { settings, seed, values, digest: manifest.model.digest });
    const about = await readFolderFile(folder, TRAINED_DATA_JSON);
    await replaceFolder(
      bestRound,
      new Map([...(about ? [[TRAINED_DATA_JSON, about] as const] : []), ...writeAdapterDirectory(adapter)]),
    );
  };
}

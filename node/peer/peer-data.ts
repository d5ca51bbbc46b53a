/** What a peer trains on under a manifest: its own part of the data, as tokens of the manifest's model. */
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import { type DataOptions, type LoadedExamples, loadExamples } from "../local/data-source.ts";

/** A manifest, and where its model is. */
export interface ManifestAndModel {
  readonly manifest: NetworkManifest;
  readonly modelDirectory: string;
}

/** A data file and this peer's part of it; the embedded tasks where no file is named. */
export type PeerData = Omit<DataOptions, "seed">;

/** Every peer divides the data alike, by the network's seed, and takes its own part.  Throws: as loadExamples. */
export function loadPeerExamples(
  data: PeerData,
  { manifest, modelDirectory }: ManifestAndModel,
): Promise<LoadedExamples> {
  const { maxTokens, batchSize } = manifest.training;
  return loadExamples({ ...data, seed: manifest.seed, modelDirectory, maxTokens, batchSize });
}

/** What a peer reads that cannot train: its data are tokens of a model that it lacks. */
export const NO_EXAMPLES: LoadedExamples = {
  sets: { train: [], validation: [], test: [] },
  cut: { records: 0, promptTokens: 0, responseTokens: 0 },
};

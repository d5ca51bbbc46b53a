/** What a peer trains on under a manifest: its own part of the data, as tokens of the manifest's model. */
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import { dataDirectoryLayout } from "../data-directory/layout.ts";
import { NodeError } from "../errors.ts";
import { type DataOptions, type LoadedExamples, loadExamples } from "../local/data-source.ts";
import { type ExampleDigests, exampleDigests } from "../round/example-digests.ts";
import { createCheckpointFiles } from "../system/files/checkpoint-file.ts";
import { STANDARD_INPUT } from "../system/files/data-bytes.ts";
import { embeddedModelDirectory } from "../system/files/embedded-model.ts";
import { createLogger } from "../system/platform/log.ts";

/** A manifest, and where its model is. */
export interface ManifestAndModel {
  readonly manifest: NetworkManifest;
  readonly modelDirectory: string;
}

/** A data file and this peer's part of it; the embedded tasks where no file is named. */
export type PeerData = Omit<DataOptions, "seed">;

/**
 * Every peer divides the data alike and takes its own part. Where the checkpoint in the data directory was trained on the
 * same data divided by the network's seed, as peers did before the content decided, they stay divided so: what was held
 * out when the peer began is held out to its end.
 * Throws: as loadExamples.
 */
export async function loadPeerExamples(
  data: PeerData,
  { manifest, modelDirectory }: ManifestAndModel,
  dataDirectory?: string,
): Promise<LoadedExamples> {
  const { maxTokens, batchSize } = manifest.training;
  const { frame, seed } = manifest;
  const options = { ...data, seed, modelDirectory, maxTokens, batchSize, ...(frame && { frame }) };
  const loaded = await loadExamples(options);
  if (dataDirectory === undefined || data.file === undefined || data.file === STANDARD_INPUT) return loaded;
  const kept = await checkpointDigests(dataDirectory);
  if (kept === undefined || isSame(kept, exampleDigests(loaded.sets))) return loaded;
  // Data that cannot be divided by the seed were not.
  const before = await loadExamples({ ...options, heldOut: "by seed" }).catch(() => undefined);
  if (before === undefined || !isSame(kept, exampleDigests(before.sets))) return loaded;
  const note = "this peer's checkpoint has the data divided by the network's seed; it stays so";
  return { ...before, notes: [...(loaded.notes ?? []), note] };
}

/**
 * A network in which a peer may train on the embedded tasks unasked: open, and of the embedded model. In any other one it
 * would train on toy tasks unawares, and send what comes of it.  Throws: NodeError CONFIG_INVALID.
 */
export function requireDemonstration({ manifest: { name, membership }, modelDirectory }: ManifestAndModel): void {
  if (membership?.kind !== "roster" && modelDirectory === embeddedModelDirectory()) return;
  const text = `this peer has no data to train on in network ${name}`;
  throw new NodeError("CONFIG_INVALID", text, { problem: "data-not-given" });
}

async function checkpointDigests(dataDirectory: string): Promise<ExampleDigests | undefined> {
  const { checkpoints } = dataDirectoryLayout(dataDirectory);
  const logger = createLogger({ level: "error", fields: {} });
  const checkpoint = await createCheckpointFiles({ logger }, { folder: checkpoints }).load();
  return (checkpoint?.state as { readonly examples?: ExampleDigests } | undefined)?.examples;
}

const isSame = (a: ExampleDigests, b: ExampleDigests): boolean =>
  a.train === b.train && a.validation === b.validation && a.test === b.test;

/** What a peer reads that cannot train: its data are tokens of a model that it lacks. */
export const NO_EXAMPLES: LoadedExamples = {
  sets: { train: [], validation: [], test: [] },
  cut: { records: 0, promptTokens: 0, responseTokens: 0 },
};

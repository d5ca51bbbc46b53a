/** The examples of a peer of a network, divided as its checkpoint knows them. */
import { dataDirectoryLayout } from "./config.ts";
import { type LoadExamplesOptions, type LoadedExamples, loadExamples } from "./data-source.ts";
import { type ExampleDigests, exampleDigests } from "./round/example-digests.ts";
import { createCheckpointFiles } from "./system/checkpoint-file.ts";
import { STANDARD_INPUT } from "./system/data-bytes.ts";
import { createLogger } from "./system/log.ts";

/**
 * As `loadExamples`; but where the checkpoint in the directory was trained on the same data divided by the seed, as peers
 * did before the content decided, they stay divided so: what was held out when the peer began is held out to its end.
 * Throws: as `loadExamples`.
 */
export async function loadPeerExamples(options: LoadExamplesOptions, dataDirectory: string): Promise<LoadedExamples> {
  const loaded = await loadExamples(options);
  if (options.file === undefined || options.file === STANDARD_INPUT) return loaded;
  const kept = await checkpointDigests(dataDirectory);
  if (kept === undefined || isSame(kept, exampleDigests(loaded.sets))) return loaded;
  // Data that cannot be divided by the seed were not.
  const before = await loadExamples({ ...options, heldOut: "by seed" }).catch(() => undefined);
  if (before === undefined || !isSame(kept, exampleDigests(before.sets))) return loaded;
  const note = "this peer's checkpoint has the data divided by the network's seed; it stays so";
  return { ...before, notes: [...(loaded.notes ?? []), note] };
}

async function checkpointDigests(dataDirectory: string): Promise<ExampleDigests | undefined> {
  const { checkpoints } = dataDirectoryLayout(dataDirectory);
  const logger = createLogger({ level: "error", fields: {} });
  const checkpoint = await createCheckpointFiles({ logger }, { folder: checkpoints }).load();
  return (checkpoint?.state as { readonly examples?: ExampleDigests } | undefined)?.examples;
}

const isSame = (a: ExampleDigests, b: ExampleDigests): boolean =>
  a.train === b.train && a.validation === b.validation && a.test === b.test;

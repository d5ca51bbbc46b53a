/** What a peer's rounds go on with: its newest checkpoint, or nothing. */
import { parameterCount } from "../../protocol/adapter-spec.ts";
import { type NetworkManifest, networkId } from "../../protocol/network-manifest.ts";
import type { Checkpoints } from "../interface/checkpoint.ts";
import type { ExampleSets, Trainer } from "../interface/trainer.ts";
import { exampleDigests } from "./example-digests.ts";
import { decodeMemory, firstMemory, type MemoryOwner, type RoundMemory } from "./peer-memory.ts";
import { goOnFromPast, isRuinedMemory, withoutPast } from "./recover-adapter.ts";

/** Whose memory it is, and where it is from. */
export interface RestoredMemory {
  readonly owner: MemoryOwner;
  readonly memory: RoundMemory;
  /** Whether it is that of a checkpoint. */
  readonly resumed: boolean;
  /** Whether what the checkpoint held was ruined. */
  readonly isRecovered: boolean;
}

/**
 * The memory of the newest checkpoint, from which the trainer is restored; the first memory without one.
 * Throws: CHECKPOINT_CORRUPT, MANIFEST_MISMATCH, DATA_MISMATCH, DATA_DIRECTORY.
 */
export async function restoreMemory(
  { trainer, checkpoints }: { readonly trainer: Trainer; readonly checkpoints: Checkpoints },
  { manifest, examples }: { readonly manifest: NetworkManifest; readonly examples: ExampleSets },
): Promise<RestoredMemory> {
  const checkpoint = await checkpoints.load();
  const owner: MemoryOwner = { network: networkId(manifest), examples: exampleDigests(examples) };
  if (checkpoint === undefined) return { owner, memory: firstMemory(manifest), resumed: false, isRecovered: false };
  const { trainer: state, ...memory } = decodeMemory(checkpoint, {
    ...owner,
    reference: manifest.reference,
    parameterCount: parameterCount(manifest.tensors),
    trainedCount: (await trainer.state()).adapter.length,
  });
  await trainer.restore(state);
  const isRecovered = isRuinedMemory({ ...memory, trainer: state });
  if (isRecovered) await goOnFromPast(trainer, memory);
  return { owner, memory: isRecovered ? withoutPast(memory, manifest.reference) : memory, resumed: true, isRecovered };
}

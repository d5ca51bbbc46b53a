/**
 * A peer's files go over to the manifest under which its network goes on: the store begins a new chain of updates, the
 * checkpoint is carried over where it is of the same adapter, and put aside where it is not. Nothing of it is lost in a kill:
 * the next run finishes what was begun.
 */
import canonicalize from "canonicalize";
import { canonicalGenesisBytes, type Genesis } from "../protocol/membership/genesis.ts";
import { type NetworkManifest, networkId } from "../protocol/network-manifest.ts";
import { dataDirectoryLayout } from "./config.ts";
import { forgetOwnChain } from "./exchange/own-chain.ts";
import type { Logger } from "./interface/logger.ts";
import { carryMemory } from "./round/peer-memory.ts";
import { ensureFolder, fileExists, moveIfThere, writeFileAtomic } from "./system/atomic-file.ts";
import { createCheckpointFiles } from "./system/checkpoint-file.ts";
import { takeLock } from "./system/lock-file.ts";
import { openStore } from "./system/store.ts";

export interface Switch {
  /** Of the roster's first network. */
  readonly genesis: Genesis;
  readonly before: NetworkManifest;
  readonly next: NetworkManifest;
}

/** Whether what was trained under one manifest can be trained on under the other. */
export function isSameAdapter(a: NetworkManifest, b: NetworkManifest): boolean {
  const part = ({ model, adapter, head, tensors, seed }: NetworkManifest) =>
    canonicalize({ model, adapter, head: head ?? null, tensors, seed });
  return part(a) === part(b);
}

/**
 * The peer must not run.
 * Throws: NodeError DATA_LOCKED, STORE_FAILED, CHECKPOINT_CORRUPT, DISK_FULL, DATA_DIRECTORY.
 */
export async function switchNetwork(
  dataDirectory: string,
  { genesis, before, next }: Switch,
  { logger }: { readonly logger: Logger },
): Promise<void> {
  const layout = dataDirectoryLayout(dataDirectory);
  const lock = await takeLock(layout.lock);
  try {
    if (!(await fileExists(layout.genesis))) await writeFileAtomic(layout.genesis, canonicalGenesisBytes(genesis));
    if (isSameAdapter(before, next)) {
      const newest = await (await createCheckpointFiles({ logger }, { folder: layout.checkpoints })).load();
      if (newest !== undefined) {
        const files = await createCheckpointFiles({ logger }, { folder: layout.nextCheckpoints });
        const isSameReference = canonicalize(before.reference) === canonicalize(next.reference);
        const round = next.succeeds?.round ?? 0;
        await files.save(carryMemory(newest, { network: networkId(next), round, keepsReference: isSameReference }));
      }
    }
    const store = await openStore(layout.store);
    try {
      // Under the manifest before it would be taken up again from what the neighbours remember.
      await store.batch(forgetOwnChain());
    } finally {
      await store.close();
    }
    await writeFileAtomic(layout.network, new TextEncoder().encode(`${JSON.stringify(next, null, 2)}\n`));
    await finishSwitch(dataDirectory, next);
  } finally {
    await lock.release();
  }
}

/** What is left to do once the manifest is the next one; nothing when it is done.  Throws: DATA_DIRECTORY. */
export async function finishSwitch(dataDirectory: string, next: NetworkManifest): Promise<void> {
  if (next.succeeds === undefined) return;
  const layout = dataDirectoryLayout(dataDirectory);
  const aside = `${layout.checkpoints}-${next.succeeds.network.slice(0, 16)}`;
  // Under this manifest checkpoints are written only after this: what is there before is of the one before.
  if (!(await fileExists(aside))) {
    await moveIfThere(layout.checkpoints, aside);
    await ensureFolder(aside, { mode: 0o700 });
  }
  await moveIfThere(layout.nextCheckpoints, layout.checkpoints);
}

/**
 * A peer's files go over to the manifest under which its network goes on: the store begins a new chain of updates, the
 * checkpoint is carried over where it is of the same adapter, and put aside where it is not. What is to be done is written
 * down first, and the replaced manifest is the moment in which the peer is over: a kill before it leaves the peer in the
 * network before with all it had, a kill after it is made up for at the next start.
 */
import canonicalize from "canonicalize";
import { z } from "zod";
import { canonicalGenesisBytes, type Genesis } from "../../protocol/membership/genesis.ts";
import { type NetworkId, parseNetworkId } from "../../protocol/network-id.ts";
import { type NetworkManifest, networkId } from "../../protocol/network-manifest.ts";
import {
  CHECKPOINTS_ASIDE,
  CHECKPOINTS_ASIDE_MAX,
  type DataDirectory,
  dataDirectoryLayout,
} from "../data-directory/layout.ts";
import { type OpenDirectory, withDirectory } from "../data-directory/open.ts";
import { forgetOwnChain } from "../exchange/own-chain.ts";
import type { Logger } from "../interface/logger.ts";
import { carryMemory } from "../round/peer-memory.ts";
import {
  ensureFolder,
  fileExists,
  keepNewest,
  moveIfThere,
  readIfThere,
  removeAll,
  writeFileAtomic,
} from "../system/files/atomic-file.ts";
import { createCheckpointFiles } from "../system/files/checkpoint-file.ts";
import { COMMAND_WAIT_MS } from "../system/files/lock-file.ts";

/** From which manifest to which. */
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
  await withDirectory(dataDirectory, { waitMs: COMMAND_WAIT_MS }, async (directory) => {
    const { layout } = directory;
    await settle(directory, networkId(before));
    if (!(await fileExists(layout.genesis))) await writeFileAtomic(layout.genesis, canonicalGenesisBytes(genesis));
    const plan = {
      to: networkId(next),
      aside: await freeName(layout, `checkpoints-${networkId(before).slice(0, 16)}`),
    };
    await writeFileAtomic(layout.switch, new TextEncoder().encode(JSON.stringify(plan)));
    if (isSameAdapter(before, next)) await carryCheckpoint(layout, { before, next }, logger);
    await writeFileAtomic(layout.network, new TextEncoder().encode(`${JSON.stringify(next, null, 2)}\n`));
    await settle(directory, networkId(next));
  });
}

/**
 * What a switch that was killed has left to do, or to undo where it had not come to the manifest; nothing otherwise.
 * `current`: the network that the directory keeps. The peer must not run.
 * Throws: NodeError DATA_LOCKED, STORE_FAILED, DISK_FULL, DATA_DIRECTORY.
 */
export async function finishSwitch(dataDirectory: string, current: NetworkId): Promise<void> {
  if (!(await fileExists(dataDirectoryLayout(dataDirectory).switch))) return;
  await withDirectory(dataDirectory, { waitMs: COMMAND_WAIT_MS }, (directory) => settle(directory, current));
}

/** What a switch does, written down before anything of it is done. */
const planSchema = z.strictObject({
  to: z.string().transform(parseNetworkId),
  /** Name of the folder to which the checkpoints of before go; when it is there, they have gone. */
  aside: z.string(),
});

/** Every step can be taken twice. */
async function settle(directory: OpenDirectory, current: NetworkId): Promise<void> {
  const { layout } = directory;
  const text = await readIfThere(layout.switch);
  if (text === undefined) return;
  const { to, ...plan } = planSchema.parse(JSON.parse(new TextDecoder().decode(text)));
  const aside = `${layout.folder}/${plan.aside}`;
  if (to === current) {
    // Under the manifest of before it would be taken up again from what the neighbours remember.
    await (await directory.store()).batch(forgetOwnChain());
    if (!(await fileExists(aside))) {
      await moveIfThere(layout.checkpoints, aside);
      await ensureFolder(aside, { mode: 0o700 });
    }
    await moveIfThere(layout.nextCheckpoints, layout.checkpoints);
    await keepNewest(layout.folder, CHECKPOINTS_ASIDE, CHECKPOINTS_ASIDE_MAX);
  } else await removeAll(layout.nextCheckpoints);
  await removeAll(layout.switch);
}

async function carryCheckpoint(
  { checkpoints, nextCheckpoints }: DataDirectory,
  { before, next }: Pick<Switch, "before" | "next">,
  logger: Logger,
): Promise<void> {
  const newest = await (await createCheckpointFiles({ logger }, { folder: checkpoints })).load();
  if (newest === undefined) return;
  const files = await createCheckpointFiles({ logger }, { folder: nextCheckpoints });
  const cut = ({ training: { maxTokens, batchSize } }: NetworkManifest): string => `${maxTokens} ${batchSize}`;
  const carried = carryMemory(newest, {
    network: networkId(next),
    round: next.succeeds?.round ?? 0,
    keepsReference: canonicalize(before.reference) === canonicalize(next.reference),
    keepsExamples: cut(before) === cut(next),
  });
  await files.save(carried);
}

/** The name, or with the first number behind it that nothing in the folder has. */
async function freeName({ folder }: DataDirectory, name: string): Promise<string> {
  for (let turn = 1; ; turn++) {
    const numbered = turn === 1 ? name : `${name}-${turn}`;
    if (!(await fileExists(`${folder}/${numbered}`))) return numbered;
  }
}

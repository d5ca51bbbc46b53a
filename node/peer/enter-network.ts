/** Which manifest a data directory is under, before a peer starts in it and when its network goes on. */
import type { Genesis } from "../../protocol/membership/genesis.ts";
import { type NetworkManifest, networkId } from "../../protocol/network-manifest.ts";
import type { LogLevel } from "../interface/logger.ts";
import { createLogger } from "../system/platform/log.ts";
import { type GivenNetwork, keptNetwork, networkOf, rosterGenesis } from "./network-file.ts";
import { finishSwitch, switchNetwork } from "./switch-network.ts";

/**
 * The network to start in. A change of manifest that was broken off is finished or undone first; where the directory keeps the
 * manifest before the given one, its files go over.
 * Throws: as networkOf, finishSwitch and switchNetwork.
 */
export async function enterNetwork(given: GivenNetwork | undefined, dataDirectory: string): Promise<Genesis> {
  const genesis = await networkOf(given, dataDirectory);
  const kept = await keptNetwork(dataDirectory);
  if (kept === undefined) return genesis;
  await finishSwitch(dataDirectory, networkId(kept.manifest));
  if (networkId(kept.manifest) === networkId(genesis.manifest)) return genesis;
  const first = await rosterGenesis(kept, dataDirectory);
  if (first === undefined) return genesis;
  const logger = createLogger({ level: "warn" });
  await switchNetwork(dataDirectory, { genesis: first, before: kept.manifest, next: genesis.manifest }, { logger });
  return genesis;
}

/** The manifest that a peer leaves, and the genesis of its network's roster. */
export interface LeftNetwork {
  readonly manifest: NetworkManifest;
  readonly roster: Genesis | undefined;
}

/**
 * Go over to each of these manifests in turn, the peer being stopped. onSwitch: told of each one.
 * Throws: as switchNetwork.
 */
export async function switchThrough(
  dataDirectory: string,
  { manifest, roster }: LeftNetwork,
  manifests: readonly NetworkManifest[],
  { logLevel, onSwitch }: { readonly logLevel: LogLevel; readonly onSwitch: (next: NetworkManifest) => void },
): Promise<void> {
  if (roster === undefined) throw new Error("a network without a roster goes on under no other manifest");
  const logger = createLogger({ level: logLevel });
  let before = manifest;
  for (const next of manifests) {
    await switchNetwork(dataDirectory, { genesis: roster, before, next }, { logger });
    before = next;
    onSwitch(next);
  }
}

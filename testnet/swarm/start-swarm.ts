/** Starting a swarm that stays: many peers on this machine, each a process that outlives this one. */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { ensureFolder, isProcessRunning, NodeError, writeFileAtomic } from "../../node/index.ts";
import { type NetworkManifest, networkId } from "../../protocol/network-manifest.ts";
import { optionArguments } from "../../protocol/settings/field-words.ts";
import { type PeerSettings, peerArguments, peerFolder } from "../peer-arguments.ts";
import { refuseUsedFolder, startGroups } from "../run-testnet.ts";
import { statusOf } from "./ask-peer.ts";
import { lastWords, startDetached, stopProcess } from "./detached-process.ts";
import { tellSides } from "./partition.ts";
import { findSwarm, printedPath, type SwarmFile, type SwarmPeer, withPeer, writeSwarm } from "./swarm-file.ts";

/** A new swarm. */
export interface SwarmOptions extends PeerSettings {
  readonly manifest: NetworkManifest;
  /** The JavaScript file that is the `weft` command. */
  readonly command: string;
  /** Whether each peer trains alone too, after its last round. */
  readonly compareAlone: boolean;
  readonly signal: AbortSignal;
  /** Told of each peer that has started. */
  readonly onStarted: (number: number, peer: SwarmPeer) => void;
}

/** Peers that a new one dials first. */
const BOOTSTRAP_PEERS = 3;
/** How often a starting peer is asked whether it listens. */
const LOOK_MS = 100;
/** For a process that is stopped to save and say goodbye. */
export const STOP_GRACE_MS = 15_000;

/**
 * Start the peers, the first one alone and then in growing groups, each dialling some that run. Where one does not start, none
 * is left.  Throws: NodeError PEER_FAILED, DATA_DIRECTORY, DISK_FULL; the signal's reason when aborted.
 */
export async function startSwarm(options: SwarmOptions): Promise<SwarmFile> {
  const { manifest, folder, command, peers, compareAlone, signal, onStarted } = options;
  await refuseSwarm(folder);
  await ensureFolder(folder);
  await writeFileAtomic(
    join(folder, "network.json"),
    new TextEncoder().encode(`${JSON.stringify(manifest, null, 2)}\n`),
  );
  let swarm: SwarmFile = {
    ...{ schema: "weft-swarm/1", network: networkId(manifest), rounds: manifest.rounds.count, peers: [] },
  };
  const more = { serve: true, canBeCutOff: true, compareAlone };
  try {
    for (const group of startGroups(peers)) {
      const bootstrap = await addressesIn(folder, swarm);
      const started = await Promise.allSettled(
        group.map(async (index) => {
          const words = peerArguments(index, options, more);
          return await startPeer({ folder, command, number: index + 1, words, bootstrap, signal });
        }),
      );
      const good = started.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
      swarm = { ...swarm, peers: [...swarm.peers, ...good] };
      const failed = started.find((one) => one.status === "rejected");
      if (failed !== undefined) throw failed.reason;
      await writeSwarm(folder, swarm);
      for (const [i, index] of group.entries()) onStarted(index + 1, good[i] as SwarmPeer);
    }
    signal.throwIfAborted();
    return swarm;
  } catch (error) {
    await Promise.all(swarm.peers.map((peer) => stopProcess(peer, STOP_GRACE_MS)));
    throw error;
  }
}

/** Start one peer of a swarm again, where it was left; a partition holds for it as well.  number: counted from 1. */
export async function restartPeer(
  swarm: SwarmFile,
  {
    folder,
    command,
    number,
    signal,
  }: { readonly folder: string; readonly command: string; readonly number: number; readonly signal: AbortSignal },
): Promise<SwarmFile> {
  const before = swarm.peers[number - 1] as SwarmPeer;
  await stopProcess(before, STOP_GRACE_MS);
  const bootstrap = await addressesIn(folder, swarm);
  const words = before.arguments;
  const peer = await startPeer({ folder, command, number, words, bootstrap, signal });
  const after = withPeer(swarm, number, peer);
  await writeSwarm(folder, after);
  if (after.sides !== undefined) await tellSides(folder, after, [number]);
  return after;
}

/** Throws: NodeError DATA_DIRECTORY where a swarm is there already, or was and its peers would go on. */
export async function refuseSwarm(folder: string): Promise<void> {
  if ((await findSwarm(folder)) !== undefined) {
    throw new NodeError("DATA_DIRECTORY", `there is a swarm in ${folder} already`, { folder, problem: "swarm-there" });
  }
  try {
    await refuseUsedFolder(folder);
  } catch (cause) {
    if (!(cause instanceof NodeError) || cause.facts.problem !== "earlier-run") throw cause;
    const text = `${folder} holds what peers of an earlier run have learnt`;
    throw new NodeError("DATA_DIRECTORY", text, { folder, problem: "swarm-left" }, { cause });
  }
}

/** One address of each of the first peers that answer. */
async function addressesIn(folder: string, { peers }: SwarmFile): Promise<readonly string[]> {
  const answers = await Promise.all(peers.map((_, i) => statusOf(peerFolder(folder, i))));
  return answers.flatMap((answer) => answer?.view.addresses.slice(0, 1) ?? []).slice(0, BOOTSTRAP_PEERS);
}

/** A peer that runs and listens.  Throws: NodeError PEER_FAILED; the signal's reason. Nothing is left running then. */
async function startPeer({
  folder,
  command,
  number,
  words,
  bootstrap,
  signal,
}: {
  readonly folder: string;
  readonly command: string;
  readonly number: number;
  readonly words: readonly string[];
  readonly bootstrap: readonly string[];
  readonly signal: AbortSignal;
}): Promise<SwarmPeer> {
  const printed = printedPath(folder, number);
  const all = [...words, ...optionArguments({ bootstrap })];
  const started = await startDetached(command, { words: all, printed });
  try {
    for (;;) {
      signal.throwIfAborted();
      const answer = await statusOf(peerFolder(folder, number - 1));
      const id = answer?.process === started.mark.process ? answer.view.peer : undefined;
      if (id !== undefined) return { ...started, id, arguments: words };
      if (!(await isProcessRunning(started.mark))) throw await notStarted(number, printed);
      await delay(LOOK_MS);
    }
  } catch (error) {
    await stopProcess(started, STOP_GRACE_MS);
    throw error;
  }
}

async function notStarted(number: number, printed: string): Promise<NodeError> {
  return new NodeError("PEER_FAILED", `peer ${number} did not start: ${await lastWords(printed)}`, { number });
}

/** `swarm.json` in the folder of a swarm that stays: its peers, their processes, and how it is parted. */
import { join } from "node:path";
import {
  COMMAND_WAIT_MS,
  NodeError,
  type ProcessMark,
  readIfThere,
  takeLock,
  writeFileAtomic,
} from "../../node/index.ts";

/** A process that was started for a swarm. */
export interface SwarmProcess {
  readonly mark: ProcessMark;
  /** ISO 8601. */
  readonly startedAt: string;
}

/** A peer of a swarm. */
export interface SwarmPeer extends SwarmProcess {
  /** Peer id. */
  readonly id: string;
  /** Words after the command, without those to dial. */
  readonly arguments: readonly string[];
  /** Whether its process was stopped by SIGSTOP, as a machine that hangs. */
  readonly isFrozen?: boolean;
}

/** The contents of swarm.json. */
export interface SwarmFile {
  readonly schema: "weft-swarm/1";
  /** Network id. */
  readonly network: string;
  /** Rounds of the network. */
  readonly rounds: number;
  /** In order: the first one is peer 1. */
  readonly peers: readonly SwarmPeer[];
  /** Numbers of peers, counted from 1, on each side of a partition; absent without one. */
  readonly sides?: readonly (readonly number[])[];
  /** What serves the page of all peers. */
  readonly page?: SwarmProcess;
}

/** Where the state of a swarm stands in its folder. */
export function swarmPath(folder: string): string {
  return join(folder, "swarm.json");
}

/** What a peer prints, in the folder of its swarm.  number: counted from 1. */
export function printedPath(folder: string, number: number): string {
  return join(folder, `peer-${number}.log`);
}

/** The swarm of a folder; undefined where there is none.  Throws: NodeError DATA_DIRECTORY. */
export async function findSwarm(folder: string): Promise<SwarmFile | undefined> {
  const path = swarmPath(folder);
  const bytes = await readIfThere(path);
  if (bytes === undefined) return undefined;
  try {
    const swarm = JSON.parse(new TextDecoder().decode(bytes)) as SwarmFile;
    if (swarm.schema === "weft-swarm/1" && Array.isArray(swarm.peers)) return swarm;
  } catch {
    // Said below, as of another version.
  }
  throw new NodeError("DATA_DIRECTORY", `${path} is damaged or of another version of weft`, { path });
}

/** The swarm of a folder.  Throws: NodeError DATA_DIRECTORY where there is none. */
export async function readSwarm(folder: string): Promise<SwarmFile> {
  const swarm = await findSwarm(folder);
  if (swarm !== undefined) return swarm;
  throw new NodeError("DATA_DIRECTORY", `there is no swarm in ${folder}`, { folder, problem: "no-swarm" });
}

/** Write it whole.  Throws: NodeError DISK_FULL, DATA_DIRECTORY. */
export async function writeSwarm(folder: string, swarm: SwarmFile): Promise<void> {
  await writeFileAtomic(swarmPath(folder), new TextEncoder().encode(`${JSON.stringify(swarm, null, 2)}\n`));
}

/** Do something to a swarm while no other command does.  Throws: NodeError DATA_LOCKED; what `act` throws. */
export async function exclusively<Result>(folder: string, act: () => Promise<Result>): Promise<Result> {
  const lock = await takeLock(join(folder, "swarm.lock"), { waitMs: COMMAND_WAIT_MS });
  try {
    return await act();
  } finally {
    await lock.release();
  }
}

/** The peers with these numbers, counted from 1.  Throws: NodeError CONFIG_INVALID for a number that no peer has. */
export function peersOf({ peers }: SwarmFile, numbers: readonly number[]): readonly SwarmPeer[] {
  return numbers.map((number) => {
    const peer = peers[number - 1];
    if (peer !== undefined) return peer;
    const text = `there is no peer ${number}; the peers of this swarm are 1 to ${peers.length}`;
    throw new NodeError("CONFIG_INVALID", text, { number });
  });
}

/** The swarm with another peer in the place of one.  number: counted from 1. */
export function withPeer(swarm: SwarmFile, number: number, peer: SwarmPeer): SwarmFile {
  return { ...swarm, peers: swarm.peers.map((one, i) => (i === number - 1 ? peer : one)) };
}

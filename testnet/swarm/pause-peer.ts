/** Peers of a swarm that stand still: by their own doing, or because their process was stopped. */
import { setTimeout as delay } from "node:timers/promises";
import { peerFolder } from "../peer-arguments.ts";
import { askPeer } from "./ask-peer.ts";
import { signalProcess } from "./detached-process.ts";
import { tellSides } from "./partition.ts";
import { type SwarmFile, type SwarmPeer, withPeer } from "./swarm-file.ts";

/** Which peer of which swarm is meant.  number: counted from 1. */
export interface OnePeer {
  readonly folder: string;
  readonly number: number;
}

/** The swarm after something was done, and what to say of the peer. */
export interface Done {
  readonly swarm: SwarmFile;
  readonly said: string;
}

/** Have a peer pause; freeze: stop its process instead. */
export async function pausePeer(
  swarm: SwarmFile,
  { folder, number, freeze }: OnePeer & { readonly freeze: boolean },
): Promise<Done> {
  const peer = swarm.peers[number - 1] as SwarmPeer;
  if (freeze) {
    if (!(await signalProcess(peer, "SIGSTOP"))) return { swarm, said: "is not running" };
    return { swarm: withPeer(swarm, number, { ...peer, isFrozen: true }), said: "is frozen" };
  }
  if (peer.isFrozen) return { swarm, said: "is frozen already" };
  const answer = await askPeer(peerFolder(folder, number - 1), "/v1/control/pause", "POST");
  return { swarm, said: answer === undefined ? "does not answer" : "pauses" };
}

/** Have a peer go on, whatever it stands still for. */
export async function resumePeer(swarm: SwarmFile, { folder, number }: OnePeer): Promise<Done> {
  const { isFrozen, ...peer } = swarm.peers[number - 1] as SwarmPeer;
  const isRunning = isFrozen !== true || (await signalProcess(peer, "SIGCONT"));
  const answer = isRunning ? await patiently(() => goOn(folder, number)) : undefined;
  const after = isFrozen === true ? withPeer(swarm, number, peer) : swarm;
  if (answer === undefined) return { swarm: after, said: "does not answer" };
  // It may have been frozen when the others were told of a partition, or of its end.
  await tellSides(folder, after, [number]);
  return { swarm: after, said: "goes on" };
}

const goOn = (folder: string, number: number): Promise<unknown> =>
  askPeer(peerFolder(folder, number - 1), "/v1/control/resume", "POST");

/** A process that has stood still takes a moment to answer. */
async function patiently(ask: () => Promise<unknown>): Promise<unknown> {
  for (let tries = 0; tries < 3; tries++) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await delay(200);
  }
  return undefined;
}

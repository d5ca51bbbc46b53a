/** How the peers of a swarm are, by their processes and by their own word. */
import { isProcessRunning } from "../../node/index.ts";
import { peerFolder } from "../peer-arguments.ts";
import type { SwarmPeerStatus, SwarmStatus } from "../words/swarm-table.ts";
import { statusOf } from "./ask-peer.ts";
import type { SwarmFile, SwarmPeer } from "./swarm-file.ts";
import { pageOf } from "./swarm-page.ts";

/** The state of every peer, asked at once. */
export async function swarmStatus(folder: string, swarm: SwarmFile): Promise<SwarmStatus> {
  const peers = await Promise.all(swarm.peers.map((peer, i) => peerStatus(peer, peerFolder(folder, i))));
  const { network, rounds, sides } = swarm;
  const page = await pageOf(folder, swarm);
  const numbered = peers.map((peer, i) => ({ number: i + 1, ...peer }));
  return {
    schema: "weft-swarm-status/1",
    folder,
    network,
    rounds,
    ...(sides && { sides }),
    peers: numbered,
    ...(page && { page: `${page.place}/` }),
  };
}

async function peerStatus(
  { id, mark, isFrozen = false }: SwarmPeer,
  dataDirectory: string,
): Promise<Omit<SwarmPeerStatus, "number">> {
  const base = { id, process: mark.process, dataDirectory };
  if (!(await isProcessRunning(mark))) return { ...base, state: "down" };
  if (isFrozen) return { ...base, state: "frozen" };
  const answer = await statusOf(dataDirectory);
  if (answer === undefined) return { ...base, state: "does not answer" };
  const { view, paused, bytes } = answer;
  const last = view.rounds.at(-1);
  return {
    ...base,
    state: paused ? "paused" : view.state,
    round: view.roundsDone,
    ...(view.loss !== undefined && { loss: view.loss }),
    ...(last !== undefined && { validationLoss: last.validationLoss }),
    neighbours: view.neighbours,
    bytes,
  };
}

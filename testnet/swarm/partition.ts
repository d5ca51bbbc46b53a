/** A swarm in parts: each peer refuses those of the other sides, over real connections, because its admin interface is told so. */
import { NodeError } from "../../node/index.ts";
import { peerFolder } from "../peer-arguments.ts";
import { askPeer } from "./ask-peer.ts";
import { peersOf, type SwarmFile } from "./swarm-file.ts";

/**
 * The sides that a text such as `1,2 / 3,4` means; peers that it does not name are on a side of their own.
 * Throws: NodeError CONFIG_INVALID for what is no such text, a peer that is not there or is named twice, and a single side.
 */
export function parseSides(text: string, swarm: SwarmFile): readonly (readonly number[])[] {
  const sides = text.split("/").map((side) => side.split(",").map(peerNumber));
  const named = sides.flat();
  peersOf(swarm, named);
  const twice = named.find((number, i) => named.indexOf(number) !== i);
  if (twice !== undefined) throw new NodeError("CONFIG_INVALID", `peer ${twice} is on two sides of "${text}"`);
  const rest = swarm.peers.map((_, i) => i + 1).filter((number) => !named.includes(number));
  const all = rest.length > 0 ? [...sides, rest] : sides;
  if (all.length > 1) return all;
  throw new NodeError("CONFIG_INVALID", `"${text}" leaves all peers on one side; part them as in 1,2 / 3,4`);
}

/** The number of a peer, as people write it. */
export function peerNumber(text: string): number {
  const word = text.trim();
  if (/^\d{1,3}$/.test(word)) return Number(word);
  throw new NodeError("CONFIG_INVALID", `"${word}" is no number of a peer, such as 2`);
}

/** Tell the peers with these numbers (all when absent) whom to refuse.  Returns the numbers of those that heard it. */
export async function tellSides(
  folder: string,
  swarm: SwarmFile,
  numbers: readonly number[] = swarm.peers.map((_, i) => i + 1),
): Promise<readonly number[]> {
  const told = await Promise.all(
    numbers.map(async (number) => {
      const peers = refusedBy(swarm, number).join(",");
      const path = `/v1/control/cut-off?peers=${encodeURIComponent(peers)}`;
      const answer = await askPeer(peerFolder(folder, number - 1), path, "POST");
      return answer === undefined ? [] : [number];
    }),
  );
  return told.flat();
}

/** Ids of the peers on other sides than this one's. */
function refusedBy({ peers, sides = [] }: SwarmFile, number: number): readonly string[] {
  const others = sides.filter((side) => !side.includes(number)).flat();
  return others.flatMap((other) => peers[other - 1]?.id ?? []);
}

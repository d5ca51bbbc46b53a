/** What the commands of a swarm that stays have in common: its folder, and the peers that they mean. */
import { resolve } from "node:path";
import type { ArgumentRow, OptionRow } from "../../command-row.ts";
import { type JsonShape, jsonText } from "../../json.ts";
import type { Terminal } from "../../terminal.ts";

/** The folder where a swarm stays when nothing is said. */
const FOLDER = "weft-swarm";

/** Where a swarm stays. */
export const SWARM_DIR: OptionRow = {
  flags: "--dir <folder>",
  text: "folder of the swarm: its state, and the files of its peers",
  otherwise: `${FOLDER} in the working directory`,
};

/** Which peer is meant. */
export const PEER_NUMBER: ArgumentRow = {
  name: "peer",
  text: "number of a peer, as weft testnet status shows it; several with commas, such as 2,3",
};

/** The flags of every command of a swarm. */
export interface SwarmFlags {
  readonly dir?: string;
  readonly json?: boolean;
}

/** What commands about a swarm print with `--json`: how it is, after what they have done. */
export const SWARM_JSON: JsonShape = {
  schema: "weft-swarm-status/1",
  folder: "where the swarm is",
  network: "the network's id",
  rounds: "number of rounds of the network",
  "sides?": "numbers of the peers on each side of a partition",
  peers:
    "number, id, process, folder and state of each, and what those that answer say: round, loss, validationLoss, neighbours, bytes",
  "page?": "address of the page of all peers, where a process serves one",
};

/** Print how a swarm is, for who asked for JSON. */
export async function printSwarm(folder: string, { json }: SwarmFlags, terminal: Pick<Terminal, "out">): Promise<void> {
  if (json !== true) return;
  const { readSwarm } = await import("../../../testnet/swarm/swarm-file.ts");
  const { swarmStatus } = await import("../../../testnet/swarm/swarm-status.ts");
  terminal.out(jsonText(await swarmStatus(folder, await readSwarm(folder))));
}

/** The folder that is meant, which every command says. */
export function swarmFolder({ dir = FOLDER }: SwarmFlags, terminal: Pick<Terminal, "err">): string {
  const folder = resolve(dir);
  terminal.err(`folder of the swarm: ${folder}\n`);
  return folder;
}

/** `peer 2`, or `peers 2, 3`. */
export function peerWords(numbers: readonly number[]): string {
  return `${numbers.length === 1 ? "peer" : "peers"} ${numbers.join(", ")}`;
}

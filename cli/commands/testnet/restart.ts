/** `weft testnet restart`: peers of a swarm start again where they were left. */
import { join } from "node:path";
import type { CommandRow } from "../../command-row.ts";
import { packageFolder } from "../../package-folder.ts";
import { JSON_OUTPUT } from "../../shared-options.ts";
import { actOnPeers } from "./act-on-peers.ts";
import { PEER_NUMBER, SWARM_DIR, SWARM_JSON, type SwarmFlags } from "./swarm-options.ts";

/** The row of `weft testnet restart`, and what it runs. */
export const restartTestnetCommand: CommandRow = {
  name: ["testnet", "restart"],
  text: "Start peers of a swarm again, from their last checkpoint; those that run are stopped before.",
  argument: PEER_NUMBER,
  options: [SWARM_DIR, JSON_OUTPUT],
  example: "weft testnet restart 2",
  json: SWARM_JSON,
  run: async (options: SwarmFlags, terminal, argument) => {
    const { restartPeer } = await import("../../../testnet/swarm/start-swarm.ts");
    const command = join(packageFolder(), "cli", "weft.js");
    return await actOnPeers(options, terminal, {
      argument,
      act: async (swarm, one) => {
        const after = await restartPeer(swarm, { ...one, command, signal: terminal.signal });
        return { swarm: after, said: `runs again (process ${after.peers[one.number - 1]?.mark.process})` };
      },
    });
  },
};

/** `weft testnet kill`: what a peer of a swarm does when its machine loses power. */
import type { CommandRow } from "../../command-row.ts";
import { JSON_OUTPUT } from "../../shared-options.ts";
import { actOnPeers } from "./act-on-peers.ts";
import { PEER_NUMBER, SWARM_DIR, SWARM_JSON, type SwarmFlags } from "./swarm-options.ts";

/** The row of `weft testnet kill`, and what it runs. */
export const killTestnetCommand: CommandRow = {
  name: ["testnet", "kill"],
  text: "Kill peers of a swarm at once (SIGKILL), as a power cut would. `weft testnet restart` brings them back from their last checkpoint.",
  argument: PEER_NUMBER,
  options: [SWARM_DIR, JSON_OUTPUT],
  example: "weft testnet kill 2",
  json: SWARM_JSON,
  run: async (options: SwarmFlags, terminal, argument) => {
    const { hasEnded, signalProcess } = await import("../../../testnet/swarm/detached-process.ts");
    return await actOnPeers(options, terminal, {
      argument,
      act: async (swarm, { number }) => {
        const peer = swarm.peers[number - 1];
        const isSent = peer !== undefined && (await signalProcess(peer, "SIGKILL"));
        if (!isSent) return { swarm, said: "was not running" };
        await hasEnded(peer, KILL_MS);
        return { swarm, said: `is killed (process ${peer.mark.process})` };
      },
    });
  },
};

/** A killed process ends in milliseconds; one that waits for a disk may take longer. */
const KILL_MS = 5_000;

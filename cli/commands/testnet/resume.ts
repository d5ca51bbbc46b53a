/** `weft testnet resume`: peers of a swarm go on that stood still. */
import type { CommandRow } from "../../command-row.ts";
import { JSON_OUTPUT } from "../../shared-options.ts";
import { actOnPeers } from "./act-on-peers.ts";
import { PEER_NUMBER, SWARM_DIR, SWARM_JSON, type SwarmFlags } from "./swarm-options.ts";

/** The row of `weft testnet resume`, and what it runs. */
export const resumeTestnetCommand: CommandRow = {
  name: ["testnet", "resume"],
  text: "Have peers of a swarm go on that were paused or frozen.",
  argument: PEER_NUMBER,
  options: [SWARM_DIR, JSON_OUTPUT],
  example: "weft testnet resume 2",
  json: SWARM_JSON,
  run: async (options: SwarmFlags, terminal, argument) => {
    const { resumePeer } = await import("../../../testnet/swarm/pause-peer.ts");
    return await actOnPeers(options, terminal, { argument, act: resumePeer });
  },
};

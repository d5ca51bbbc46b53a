/** `weft testnet pause`: peers of a swarm stand still, or hang. */
import type { CommandRow } from "../../command-row.ts";
import { JSON_OUTPUT } from "../../shared-options.ts";
import { actOnPeers } from "./act-on-peers.ts";
import { PEER_NUMBER, SWARM_DIR, SWARM_JSON, type SwarmFlags } from "./swarm-options.ts";

/** The row of `weft testnet pause`, and what it runs. */
export const pauseTestnetCommand: CommandRow = {
  name: ["testnet", "pause"],
  text: "Have peers of a swarm finish the running steps and begin nothing new, as their admin interface can; they still hear and serve the others. With --freeze their processes stand still (SIGSTOP), as on a machine that hangs.",
  argument: PEER_NUMBER,
  options: [SWARM_DIR, JSON_OUTPUT, { flags: "--freeze", text: "stop the whole process, which then answers nobody" }],
  example: "weft testnet pause 2",
  json: SWARM_JSON,
  run: async (options: SwarmFlags & { readonly freeze?: boolean }, terminal, argument) => {
    const { pausePeer } = await import("../../../testnet/swarm/pause-peer.ts");
    const freeze = options.freeze === true;
    return await actOnPeers(options, terminal, {
      argument,
      act: (swarm, one) => pausePeer(swarm, { ...one, freeze }),
    });
  },
};

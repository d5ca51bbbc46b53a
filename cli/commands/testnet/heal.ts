/** `weft testnet heal`: the parts of a swarm find each other again. */
import { exclusively, readSwarm, writeSwarm } from "../../../testnet/swarm/swarm-file.ts";
import type { CommandRow } from "../../command-row.ts";
import { JSON_OUTPUT } from "../../shared-options.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";
import { printSwarm, SWARM_DIR, SWARM_JSON, type SwarmFlags, swarmFolder } from "./swarm-options.ts";

/** The row of `weft testnet heal`, and what it runs. */
export const healTestnetCommand: CommandRow = {
  name: ["testnet", "heal"],
  text: "End the partition of a swarm. Peers dial again by themselves what they could not reach, half a minute later at the latest.",
  options: [SWARM_DIR, JSON_OUTPUT],
  example: "weft testnet heal",
  json: SWARM_JSON,
  run,
};

async function run(options: SwarmFlags, terminal: Terminal): Promise<number> {
  const { tellSides } = await import("../../../testnet/swarm/partition.ts");
  const folder = swarmFolder(options, terminal);
  await readSwarm(folder);
  return await exclusively(folder, async () => {
    const { sides, ...swarm } = await readSwarm(folder);
    await writeSwarm(folder, swarm);
    await tellSides(folder, swarm);
    terminal.err(sides === undefined ? "there was no partition\n" : "the partition is over\n");
    await printSwarm(folder, options, terminal);
    return EXIT_OK;
  });
}

/** `weft testnet partition`: a swarm falls into parts that do not reach each other. */
import { exclusively, readSwarm, writeSwarm } from "../../../testnet/swarm/swarm-file.ts";
import { sidesLine } from "../../../testnet/words/swarm-table.ts";
import type { CommandRow } from "../../command-row.ts";
import { JSON_OUTPUT } from "../../shared-options.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";
import { peerWords, printSwarm, SWARM_DIR, SWARM_JSON, type SwarmFlags, swarmFolder } from "./swarm-options.ts";

/** The row of `weft testnet partition`, and what it runs. */
export const partitionTestnetCommand: CommandRow = {
  name: ["testnet", "partition"],
  text: "Part a swarm: each peer closes its connections with peers of other sides and refuses them, until `weft testnet heal`. Peers that are not named are on a side of their own. It holds for peers that are restarted, too.",
  argument: { name: "sides", several: true, text: "numbers of peers with commas, and / between two sides" },
  options: [SWARM_DIR, JSON_OUTPUT],
  example: "weft testnet partition 1,2 / 3,4",
  json: SWARM_JSON,
  run,
};

async function run(options: SwarmFlags, terminal: Terminal, text = ""): Promise<number> {
  const { parseSides, tellSides } = await import("../../../testnet/swarm/partition.ts");
  const folder = swarmFolder(options, terminal);
  await readSwarm(folder);
  return await exclusively(folder, async () => {
    const before = await readSwarm(folder);
    const swarm = { ...before, sides: parseSides(text, before) };
    await writeSwarm(folder, swarm);
    const told = await tellSides(folder, swarm);
    terminal.err(`${sidesLine(swarm.sides)}\n`);
    const deaf = swarm.peers.map((_, i) => i + 1).filter((number) => !told.includes(number));
    if (deaf.length > 0) terminal.err(`${peerWords(deaf)} will hear of it once running again\n`);
    await printSwarm(folder, options, terminal);
    return EXIT_OK;
  });
}

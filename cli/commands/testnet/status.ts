/** `weft testnet status`: how the peers of a swarm are. */
import { readSwarm } from "../../../testnet/swarm/swarm-file.ts";
import { swarmLines } from "../../../testnet/words/swarm-table.ts";
import type { CommandRow } from "../../command-row.ts";
import { jsonText } from "../../json.ts";
import { JSON_OUTPUT } from "../../shared-options.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";
import { SWARM_DIR, SWARM_JSON, type SwarmFlags, swarmFolder } from "./swarm-options.ts";

/** The row of `weft testnet status`, and what it runs. */
export const statusTestnetCommand: CommandRow = {
  name: ["testnet", "status"],
  text: "Show the peers of a swarm: what each does, its round, loss and neighbours, and how the swarm is parted.",
  options: [SWARM_DIR, JSON_OUTPUT],
  example: "weft testnet status",
  json: SWARM_JSON,
  run,
};

async function run(options: SwarmFlags, terminal: Terminal): Promise<number> {
  const { swarmStatus } = await import("../../../testnet/swarm/swarm-status.ts");
  const folder = swarmFolder(options, terminal);
  const status = await swarmStatus(folder, await readSwarm(folder));
  terminal.out(options.json ? jsonText(status) : `${swarmLines(status).join("\n")}\n`);
  return EXIT_OK;
}

/** `weft testnet down`: the end of a swarm. */
import { counted } from "../../../node/index.ts";
import { exclusively, readSwarm } from "../../../testnet/swarm/swarm-file.ts";
import type { CommandRow } from "../../command-row.ts";
import { jsonText } from "../../json.ts";
import { JSON_OUTPUT } from "../../shared-options.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";
import { SWARM_DIR, type SwarmFlags, swarmFolder } from "./swarm-options.ts";

/** The row of `weft testnet down`, and what it runs. */
export const downTestnetCommand: CommandRow = {
  name: ["testnet", "down"],
  text: "Stop every process of a swarm, and remove its files.",
  options: [
    SWARM_DIR,
    JSON_OUTPUT,
    { flags: "--keep", text: "keep the files of the peers: what they learnt, their logs" },
  ],
  example: "weft testnet down",
  json: {
    stopped: "number of processes that were stopped",
    files: "the folder of the peers' files, or null where they were removed",
  },
  run,
};

async function run(options: SwarmFlags & { readonly keep?: boolean }, terminal: Terminal): Promise<number> {
  const { removeEmpty, removeSwarm, stopSwarm } = await import("../../../testnet/swarm/stop-swarm.ts");
  const folder = swarmFolder(options, terminal);
  await readSwarm(folder);
  const stopped = await exclusively(folder, async () => {
    const swarm = await readSwarm(folder);
    const stopped = await stopSwarm(folder, swarm);
    terminal.err(`${counted(stopped, "process", "processes")} stopped\n`);
    if (options.keep !== true) await removeSwarm(folder);
    return stopped;
  });
  if (options.keep !== true) await removeEmpty(folder);
  terminal.err(`files of the peers: ${options.keep ? folder : "removed (--keep keeps them)"}\n`);
  if (options.json) terminal.out(jsonText({ stopped, files: options.keep === true ? folder : null }));
  return EXIT_OK;
}

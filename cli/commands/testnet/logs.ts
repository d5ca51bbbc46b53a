/** `weft testnet logs`: what the peers of a swarm print. */
import { NodeError } from "../../../node/index.ts";
import { readSwarm } from "../../../testnet/swarm/swarm-file.ts";
import type { CommandRow } from "../../command-row.ts";
import { jsonText } from "../../json.ts";
import { integer } from "../../option-value.ts";
import { JSON_OUTPUT } from "../../shared-options.ts";
import { EXIT_OK, stoppedCode, type Terminal } from "../../terminal.ts";
import { PEER_NUMBER, SWARM_DIR, type SwarmFlags, swarmFolder } from "./swarm-options.ts";

/** Lines of each peer that are shown when nothing is said. */
const LINES = 20;

/** The row of `weft testnet logs`, and what it runs. */
export const logsTestnetCommand: CommandRow = {
  name: ["testnet", "logs"],
  text: "Show what peers of a swarm have printed: the newest lines of each, with its number before them.",
  argument: { ...PEER_NUMBER, optional: true },
  options: [
    SWARM_DIR,
    JSON_OUTPUT,
    { flags: "--follow", text: "go on with each new line, until Ctrl-C" },
    {
      flags: "--lines <count>",
      text: "newest lines of each peer",
      parse: integer(0, 1_000_000),
      otherwise: `${LINES}`,
    },
  ],
  staysOn: true,
  endsInOrder: true,
  example: "weft testnet logs 2 --follow",
  json: { lines: "peer (its number) and text of each line" },
  run,
};

async function run(
  options: SwarmFlags & { readonly follow?: boolean; readonly lines?: number },
  terminal: Terminal,
  argument?: string,
): Promise<number> {
  const { peerNumber } = await import("../../../testnet/swarm/partition.ts");
  const { peersOf, printedPath } = await import("../../../testnet/swarm/swarm-file.ts");
  const { followFile } = await import("../../../testnet/swarm/printed-lines.ts");
  const folder = swarmFolder(options, terminal);
  const swarm = await readSwarm(folder);
  const numbers = argument?.split(",").map(peerNumber) ?? swarm.peers.map((_, i) => i + 1);
  peersOf(swarm, numbers);
  const { follow = false, lines = LINES, json = false } = options;
  if (follow && json) {
    throw new NodeError("CONFIG_INVALID", "--follow never comes to the end of a document; leave out --json");
  }
  const kept: { readonly peer: number; readonly text: string }[] = [];
  await Promise.all(
    numbers.map((number) =>
      followFile(printedPath(folder, number), {
        ...{ lines, follow, signal: terminal.signal },
        onLine: (text) => void (json ? kept.push({ peer: number, text }) : terminal.out(`${number}  ${text}\n`)),
      }),
    ),
  );
  if (json) terminal.out(jsonText({ lines: kept.toSorted((a, b) => a.peer - b.peer) }));
  return follow && terminal.signal.aborted ? stoppedCode(terminal.signal) : EXIT_OK;
}

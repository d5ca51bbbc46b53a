/** `weft testnet up`: a swarm of real peers that stays and can be played with. */
import { join } from "node:path";
import { SWARM_ROUNDS } from "../../../testnet/defaults.ts";
import { exclusively, writeSwarm } from "../../../testnet/swarm/swarm-file.ts";
import type { CommandRow } from "../../command-row.ts";
import { TESTNET_SETTINGS } from "../../network-options.ts";
import { packageFolder } from "../../package-folder.ts";
import { PAGE_PORT, pageLine } from "../../page-place.ts";
import { JSON_OUTPUT, LOG_LEVEL } from "../../shared-options.ts";
import { EXIT_OK, stoppedCode, type Terminal } from "../../terminal.ts";
import { printSwarm, SWARM_DIR, SWARM_JSON, type SwarmFlags, swarmFolder } from "./swarm-options.ts";
import { plannedTestnet, type TestnetFlags, testnetOptions } from "./testnet-plan.ts";

/** What the network of such a swarm agrees on where nothing else is said. */
const SETTINGS = { ...TESTNET_SETTINGS, rounds: { ...TESTNET_SETTINGS.rounds, count: SWARM_ROUNDS } };

/** The row of `weft testnet up`, and what it runs. */
export const upTestnetCommand: CommandRow = {
  name: ["testnet", "up"],
  text: "Start several peers on this machine that go on when the command has ended and the terminal is closed, each a process of its own. `weft testnet status`, `logs`, `kill`, `restart`, `pause`, `resume`, `partition` and `heal` play with them, and `down` ends them.",
  options: [
    SWARM_DIR,
    ...testnetOptions(SETTINGS),
    { flags: "--compare-alone", text: "have each peer also train alone after its last round, and report both results" },
    {
      flags: "--page",
      text: "serve a page with all peers for a browser on this machine, by a process that stays as the peers do",
      otherwise: "weft testnet page does it while it runs",
    },
    PAGE_PORT,
    JSON_OUTPUT,
    LOG_LEVEL,
  ],
  endsInOrder: true,
  example: "weft testnet up --peers 4",
  json: SWARM_JSON,
  run,
};

type UpFlags = SwarmFlags &
  TestnetFlags & { readonly compareAlone?: boolean; readonly page?: boolean; readonly pagePort?: number };

async function run(options: UpFlags, terminal: Terminal): Promise<number> {
  const { refuseSwarm, startSwarm } = await import("../../../testnet/swarm/start-swarm.ts");
  const { refuseTakenPort, startPage } = await import("../../../testnet/swarm/swarm-page.ts");
  const { signal } = terminal;
  const port = options.pagePort ?? 0;
  const hasPage = options.page === true || options.pagePort !== undefined;
  if (hasPage) await refuseTakenPort(port);
  const folder = swarmFolder(options, terminal);
  await refuseSwarm(folder);
  const { manifest, settings } = await plannedTestnet(options, terminal, SETTINGS);
  const command = join(packageFolder(), "cli", "weft.js");
  try {
    await exclusively(folder, async () => {
      const swarm = await startSwarm({
        ...{ ...settings, manifest, folder, command, signal },
        compareAlone: options.compareAlone === true,
        onStarted: (number, { id, mark }) => terminal.err(`peer ${number} runs: process ${mark.process}, ${id}\n`),
      });
      if (!hasPage) return;
      const { page, served } = await startPage({ folder, signal }, { command, words: pageWords(folder, port) });
      await writeSwarm(folder, { ...swarm, page });
      terminal.err(`${pageLine(served, terminal)}\n`);
    });
  } catch (error) {
    if (signal.aborted) return stoppedCode(signal);
    throw error;
  }
  terminal.err("weft testnet status shows them, weft testnet down ends them\n");
  await printSwarm(folder, options, terminal);
  return EXIT_OK;
}

const pageWords = (folder: string, port: number): readonly string[] => [
  ...["testnet", "page", "--dir", folder, "--page-port", String(port)],
];

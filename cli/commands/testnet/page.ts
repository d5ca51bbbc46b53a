/** `weft testnet page`: all peers of a swarm at once, for a browser. */
import type { CommandRow } from "../../command-row.ts";
import { jsonText } from "../../json.ts";
import { packageVersion } from "../../package-folder.ts";
import { PAGE_PORT, pageLine } from "../../page-place.ts";
import { JSON_OUTPUT } from "../../shared-options.ts";
import { EXIT_OK, stoppedCode, type Terminal } from "../../terminal.ts";
import { SWARM_DIR, type SwarmFlags, swarmFolder } from "./swarm-options.ts";

/** The row of `weft testnet page`, and what it runs. */
export const pageTestnetCommand: CommandRow = {
  name: ["testnet", "page"],
  text: "Serve a page with all peers of a swarm for a browser on this machine, until Ctrl-C or the end of the swarm: links, losses, who hears whom. It asks the peers by their admin interfaces.",
  options: [SWARM_DIR, PAGE_PORT, JSON_OUTPUT],
  staysOn: true,
  example: "weft testnet page",
  json: { page: "its address, printed as soon as it is served", tokenFile: "the file that holds what it asks for" },
  run,
};

async function run(options: SwarmFlags & { readonly pagePort?: number }, terminal: Terminal): Promise<number> {
  const { runPage } = await import("../../../testnet/swarm/swarm-page.ts");
  const { signal } = terminal;
  const folder = swarmFolder(options, terminal);
  await runPage(
    { folder, port: options.pagePort ?? 0, signal },
    {
      version: packageVersion(),
      onServed: (served) => {
        terminal.err(`${pageLine(served, terminal)}\n`);
        if (options.json === true) terminal.out(jsonText({ page: `${served.place}/`, tokenFile: served.tokenFile }));
      },
      onError: (error) => terminal.err(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`),
    },
  );
  if (signal.aborted) return stoppedCode(signal);
  terminal.err("the swarm is over\n");
  return EXIT_OK;
}

/** `weft bugreport`: what helps others to find a fault, without secrets and data. */
import { resolve } from "node:path";
import { checkDoor, writeFileAtomic } from "../../../node/index.ts";
import type { CommandRow } from "../../command-row.ts";
import { existingDataDirectory } from "../../data-directory.ts";
import { jsonText } from "../../json.ts";
import { packageVersion } from "../../package-folder.ts";
import { DATA_DIR, JSON_OUTPUT } from "../../shared-options.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";

/** The row of `weft bugreport`, and what it runs. */
export const bugreportCommand: CommandRow = {
  name: ["bugreport"],
  text: "Collect what helps others to find a fault of a peer: versions, settings, status, log and a list of its files. Keys, tokens, invites, addresses, names of data and data themselves are left out; read it before you give it to anybody.",
  options: [
    DATA_DIR,
    { flags: "--out <file>", text: "file for the report, JSON", otherwise: "standard output" },
    { ...JSON_OUTPUT, text: "as without it; with --out, print as JSON where the report is" },
  ],
  example: "weft bugreport --data-dir alice --out report.json",
  json: {
    "*": "the report, or with --out: out, the file",
  },
  run,
};

async function run(
  { dataDir, out, json }: { readonly dataDir?: string; readonly out?: string; readonly json?: boolean },
  terminal: Terminal,
): Promise<number> {
  const { askRunningPeer } = await import("../../running-peer.ts");
  const { collectBugReport } = await checkDoor();
  const folder = existingDataDirectory(dataDir, terminal.environment);
  terminal.err(`files of this peer: ${folder}\n`);
  const [peers, updates] = [await askRunningPeer(folder, "/v1/peers"), await askRunningPeer(folder, "/v1/updates")];
  const running = peers === undefined ? undefined : { peers, updates };
  const facts = { version: packageVersion(), at: new Date().toISOString() };
  const text = jsonText(await collectBugReport(folder, { ...facts, ...(running && { running }) }));
  if (out === undefined) {
    terminal.out(text);
    return EXIT_OK;
  }
  const path = resolve(out);
  await writeFileAtomic(path, new TextEncoder().encode(text), { mode: 0o600 });
  terminal.err(`report: ${path}; read it before you give it to anybody\n`);
  if (json) terminal.out(jsonText({ out: path }));
  return EXIT_OK;
}

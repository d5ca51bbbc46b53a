/** `weft network show`: what a network's file says. */

import { resolve } from "node:path";
import { isSignedByFounders, readNetwork } from "../../../node/index.ts";
import { type GenesisStatus, genesisStatus } from "../../../protocol/membership/genesis.ts";
import { networkId } from "../../../protocol/network-manifest.ts";
import type { CommandRow } from "../../command-row.ts";
import { jsonText } from "../../json.ts";
import { JSON_OUTPUT, NETWORK_FILE } from "../../shared-options.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";

/** The row of `weft network show`, and what it runs. */
export const showNetworkCommand: CommandRow = {
  name: ["network", "show"],
  text: "Check a network's file. Show its id, its settings and its signatures.",
  argument: NETWORK_FILE,
  options: [JSON_OUTPUT],
  example: "weft network show network.json",
  json: {
    network: "the network's id",
    manifest: "its settings",
    "signatures?": "who has signed, who is missing, threshold, isValid",
  },
  run,
};

async function run(
  options: { readonly json?: boolean },
  terminal: Terminal,
  file: string | undefined,
): Promise<number> {
  const { manifestLines, signatureLines } = await import("../../network-lines.ts");
  const path = resolve(file ?? "");
  const genesis = await readNetwork(path);
  const { manifest } = genesis;
  terminal.err(`read from ${path}\n`);
  const status: GenesisStatus | undefined = isSignedByFounders(genesis) ? genesisStatus(genesis) : undefined;
  const document = { network: networkId(manifest), manifest, ...(status && { signatures: status }) };
  const lines = [...manifestLines(manifest), ...signatureLines(genesis)];
  terminal.out(options.json ? jsonText(document) : `${lines.join("\n")}\n`);
  return EXIT_OK;
}

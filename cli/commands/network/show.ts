/** `weft network show`: what a network's file says. */
import { resolve } from "node:path";
import { isSignedByFounders, readNetwork } from "../../../node/index.ts";
import { type GenesisStatus, genesisStatus } from "../../../protocol/membership/genesis.ts";
import { networkId } from "../../../protocol/network-manifest.ts";
import { jsonText } from "../../json.ts";
import { manifestLines, signatureLines } from "../../network-lines.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";

export async function run(
  options: { readonly json?: boolean },
  terminal: Terminal,
  file: string | undefined,
): Promise<number> {
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

/** `weft network create`: the manifest of a new network. */
import { resolve } from "node:path";
import { createNetwork } from "../../node/create-network.ts";
import { networkId } from "../../protocol/network-manifest.ts";
import { jsonText } from "../json.ts";
import { modelDirectory } from "../model-directory.ts";
import { writeNetwork } from "../network-file.ts";
import { NETWORK_DEFAULTS, type NetworkOptions, networkSettings } from "../network-options.ts";
import { EXIT_OK, type Terminal } from "../terminal.ts";

export type NetworkCreateOptions = NetworkOptions & {
  readonly name?: string;
  readonly out?: string;
  readonly model?: string;
  readonly bootstrap?: readonly string[];
  readonly json?: boolean;
};

export async function run(options: NetworkCreateOptions, terminal: Terminal): Promise<number> {
  const file = resolve(options.out ?? "network.json");
  const manifest = createNetwork({
    name: options.name ?? "weft",
    modelDirectory: modelDirectory(options.model),
    ...networkSettings(options, NETWORK_DEFAULTS),
    bootstrap: options.bootstrap ?? [],
  });
  await writeNetwork(file, manifest);
  const network = networkId(manifest);
  terminal.err(`manifest written to ${file}; give this file to everybody who shall join\n`);
  terminal.out(options.json ? jsonText({ network, file, manifest }) : `${network}\n`);
  return EXIT_OK;
}

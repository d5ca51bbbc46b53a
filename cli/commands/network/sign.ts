/** `weft network sign`: a founder's signature under a network's file. */
import { resolve } from "node:path";
import { readSigner } from "../../../node/data-directory/key.ts";
import { NodeError } from "../../../node/errors.ts";
import { readNetwork, writeNetwork } from "../../../node/index.ts";
import { type Genesis, genesisStatus, mergeGenesis, signGenesis } from "../../../protocol/membership/genesis.ts";
import { rosterSettings } from "../../../protocol/membership/settings.ts";
import { dataDirectory } from "../../data-directory.ts";
import { jsonText } from "../../json.ts";
import { signatureLines } from "../../network-lines.ts";
import { decide, operatorOf } from "../../roster-action.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";

export interface NetworkSignOptions {
  readonly dataDir?: string;
  readonly add?: readonly string[];
  readonly json?: boolean;
}

export async function run(
  options: NetworkSignOptions,
  terminal: Terminal,
  argument: string | undefined,
): Promise<number> {
  const file = resolve(argument ?? "");
  let genesis = await readNetwork(file);
  if (rosterSettings(genesis.manifest) === undefined) {
    const text = `${file} is of an open network, which nobody signs; weft network create --members makes one with a roster`;
    throw new NodeError("CONFIG_INVALID", text, { file });
  }
  if (genesis.manifest.succeeds !== undefined) {
    return await decide(
      await operatorOf(options, terminal),
      { kind: "succeed", manifest: genesis.manifest },
      options,
      terminal,
    );
  }
  for (const other of options.add ?? []) genesis = mergeGenesis(genesis, await readNetwork(resolve(other)));
  const folder = dataDirectory(options.dataDir, terminal.environment);
  const signed: Genesis = signGenesis(genesis, await readSigner(folder));
  await writeNetwork(file, signed);
  const status = genesisStatus(signed);
  terminal.err(`signed with the key in ${folder}; written to ${file}\n`);
  terminal.out(options.json ? jsonText({ ...status, file }) : `${signatureLines(signed).join("\n")}\n`);
  return EXIT_OK;
}

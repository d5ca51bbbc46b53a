/** `weft network sign`: a founder's signature under a network's file. */

import { resolve } from "node:path";
import { NodeError, readNetwork, recordDoor, writeNetwork } from "../../../node/index.ts";
import { type Genesis, genesisStatus, mergeGenesis, signGenesis } from "../../../protocol/membership/genesis.ts";
import { rosterSettings } from "../../../protocol/membership/settings.ts";
import type { CommandRow } from "../../command-row.ts";
import { dataDirectory } from "../../data-directory.ts";
import { jsonText } from "../../json.ts";
import { MOTION_JSON, optional } from "../../json-shapes.ts";
import { DATA_DIR, JSON_OUTPUT, NETWORK_FILE } from "../../shared-options.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";

/** The row of `weft network sign`, and what it runs. */
export const signNetworkCommand: CommandRow = {
  name: ["network", "sign"],
  text: "Sign a network's file as one of its founders. The file is valid once enough admins have signed: its threshold says how many. Of a successor's file: agree that the network goes on under it.",
  argument: NETWORK_FILE,
  options: [
    { ...DATA_DIR, text: "data directory with the key that signs" },
    {
      flags: "--add <file>",
      text: "also add the signatures of another founder's copy; may be repeated",
      repeatable: true,
    },
    JSON_OUTPUT,
  ],
  example: "weft network sign network.json --data-dir alice",
  json: {
    "networkId?": "the network's id",
    "signed?": "founders that have signed",
    "missing?": "admins among them that have not",
    "threshold?": "number of admins that have to sign",
    "isValid?": "whether enough have",
    "file?": "the file",
    ...optional(MOTION_JSON),
  },
  run,
};

interface NetworkSignOptions {
  readonly dataDir?: string;
  readonly add?: readonly string[];
  readonly json?: boolean;
}

async function run(options: NetworkSignOptions, terminal: Terminal, argument: string | undefined): Promise<number> {
  const { readSigner } = await recordDoor();
  const { signatureLines } = await import("../../network-lines.ts");
  const { decide, operatorOf } = await import("../../roster-action.ts");
  const file = resolve(argument ?? "");
  let genesis = await readNetwork(file);
  if (rosterSettings(genesis.manifest) === undefined) {
    const text = `${file} is the file of an open network, which needs no signatures; weft network create --members makes one with a roster`;
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
  const signer = await readSigner(folder);
  if (!rosterSettings(genesis.manifest)?.founders.some(({ peer }) => peer === signer.peer)) {
    const text = `${signer.peer} of ${folder} is not among the founders of ${file}; sign with the --data-dir of one, which weft network show names`;
    throw new NodeError("CONFIG_INVALID", text, { file });
  }
  const signed: Genesis = signGenesis(genesis, signer);
  await writeNetwork(file, signed);
  const status = genesisStatus(signed);
  terminal.err(`signed with the key in ${folder}; written to ${file}\n`);
  terminal.out(options.json ? jsonText({ ...status, file }) : `${signatureLines(signed).join("\n")}\n`);
  return EXIT_OK;
}

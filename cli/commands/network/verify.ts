/** `weft network verify`: a network's file, its signatures, and a local model held against it. */

import { resolve } from "node:path";
import { counted, isSignedByFounders, networkDoor, readNetwork } from "../../../node/index.ts";
import { genesisStatus } from "../../../protocol/membership/genesis.ts";
import { manifestDifference } from "../../../protocol/network-manifest.ts";
import type { CommandRow } from "../../command-row.ts";
import { jsonText } from "../../json.ts";
import { modelDirectory } from "../../model-directory.ts";
import { JSON_OUTPUT, MODEL, NETWORK_FILE } from "../../shared-options.ts";
import { EXIT_OK, EXIT_REFUSED, type Terminal } from "../../terminal.ts";

/** The row of `weft network verify`, and what it runs. */
export const verifyNetworkCommand: CommandRow = {
  name: ["network", "verify"],
  text: "Check a network's file and its signatures, and a local model against it. Every field that differs is named.",
  argument: NETWORK_FILE,
  options: [
    MODEL,
    { flags: "--same-as <file>", text: "also name the first field that differs in another network's file" },
    JSON_OUTPUT,
  ],
  takesLong: true,
  example: "weft network verify network.json --model models/smollm2-135m",
  json: {
    network: "the network's id",
    isRight: "whether all is right",
    signatures: "who has signed, who is missing, threshold, isValid",
    difference: "first field that differs from --same-as, or null",
    model: "the model held against it, with what differs",
  },
  run,
};

interface NetworkVerifyOptions {
  readonly model?: string;
  readonly sameAs?: string;
  readonly json?: boolean;
}

async function run(options: NetworkVerifyOptions, terminal: Terminal, argument: string | undefined): Promise<number> {
  const { checkModel, modelProblems } = await networkDoor();
  const file = resolve(argument ?? "");
  const genesis = await readNetwork(file);
  terminal.err(`read from ${file}\n`);
  const status = genesisStatus(genesis);
  const signatures = { ...status, isValid: status.isValid || !isSignedByFounders(genesis) };
  const other = options.sameAs === undefined ? undefined : (await readNetwork(resolve(options.sameAs))).manifest;
  const difference = other && manifestDifference(genesis.manifest, other);
  const model = checkModel(genesis.manifest, modelDirectory(options.model));
  const admins = status.signed.length + status.missing.length;
  const wrong = modelProblems(model);
  const problems = [
    ...(signatures.isValid
      ? []
      : [
          `not signed by ${counted(signatures.threshold, "admin")} yet: ${status.signed.length} of ${admins} have; weft network sign adds a signature`,
        ]),
    ...(difference ? [`${difference.path} differs: ${difference.a} here, ${difference.b} in ${options.sameAs}`] : []),
    ...wrong,
  ];
  const isRight = problems.length === 0;
  const fits = wrong.length === 0 ? [`${signatures.networkId} and ${model.directory} fit together`] : [];
  const lines = [...fits, ...problems];
  terminal.out(
    options.json
      ? jsonText({ network: signatures.networkId, isRight, signatures, difference: difference ?? null, model })
      : `${lines.join("\n")}\n`,
  );
  return isRight ? EXIT_OK : EXIT_REFUSED;
}

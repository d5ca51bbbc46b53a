/** `weft network create`: the manifest of a new network. */

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import {
  createNetwork,
  NodeError,
  readNetwork,
  STANDARD_INPUT,
  trainingDoor,
  writeNetwork,
} from "../../../node/index.ts";
import { createGenesis, type Genesis, genesisStatus } from "../../../protocol/membership/genesis.ts";
import { type BaseForm, networkId } from "../../../protocol/network-manifest.ts";
import type { CommandRow } from "../../command-row.ts";
import { CHAT_TEMPLATE, DATA, type DataFlags, dataOptions, READING, templateArgument } from "../../data-options.ts";
import { jsonText } from "../../json.ts";
import {
  MEMBERSHIP_OPTIONS,
  type MembershipOptions,
  membershipOf,
  thresholdWarning,
} from "../../membership-options.ts";
import { modelDirectory } from "../../model-directory.ts";
import {
  headWarning,
  NETWORK_DEFAULTS,
  type NetworkOptions,
  type NetworkSettings,
  networkOptions,
  PLAIN_DEFAULTS,
} from "../../network-options.ts";
import { peerAddress, printable } from "../../option-value.ts";
import { chosenSettings, TUNE } from "../../recipe-argument.ts";
import { AGREED_BASE, JSON_OUTPUT, MODEL } from "../../shared-options.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";
import { sketchWarning } from "../../weights-argument.ts";

/** As the manifest has it. */
const NAME_CHARACTERS_MAX = 64;

/** The row of `weft network create`, and what it runs. */
export const createNetworkCommand: CommandRow = {
  name: ["network", "create"],
  text: "Write the manifest of a new network. It holds everything that the peers agree on; its hash is the network's id.",
  options: [
    {
      flags: "--name <name>",
      text: "name of the network, for people",
      parse: printable(1, NAME_CHARACTERS_MAX),
      otherwise: "weft",
    },
    { flags: "--out <file>", text: "file for the manifest", otherwise: "network.json" },
    { flags: "--force", text: "overwrite --out, even if it holds another manifest" },
    MODEL,
    ...networkOptions(NETWORK_DEFAULTS),
    {
      ...DATA,
      text: "data of the sort that the peers will have: adapter and rate are chosen for it, and nothing of it is kept",
      otherwise: "examples with answers",
    },
    ...READING.filter((row) => row !== CHAT_TEMPLATE),
    TUNE,
    { ...CHAT_TEMPLATE, otherwise: "the model's; each peer's own where it has none" },
    AGREED_BASE,
    ...MEMBERSHIP_OPTIONS,
    {
      flags: "--bootstrap <multiaddr>",
      text: "a peer that new ones may dial first, ending in /p2p/ID; may be repeated",
      parse: peerAddress,
      repeatable: true,
      otherwise: "none",
    },
    JSON_OUTPUT,
  ],
  takesLong: true,
  example: "weft network create --name poems --rounds 20 --out network.json",
  json: {
    network: "the network's id",
    file: "the file",
    manifest: "what stands in it",
  },
  run,
};

type NetworkCreateOptions = NetworkOptions &
  MembershipOptions &
  DataFlags & {
    readonly tune?: boolean;
    readonly name?: string;
    readonly out?: string;
    readonly model?: string;
    readonly chatTemplate?: string;
    readonly base?: BaseForm;
    readonly bootstrap?: readonly string[];
    readonly force?: boolean;
    readonly json?: boolean;
  };

async function run(options: NetworkCreateOptions, terminal: Terminal): Promise<number> {
  const file = resolve(options.out ?? "network.json");
  const membership = await membershipOf(options);
  const directory = modelDirectory(options.model);
  const manifest = await createNetwork({
    name: options.name ?? "weft",
    modelDirectory: directory,
    ...(await settingsFor(options, directory, terminal)),
    bootstrap: options.bootstrap ?? [],
    ...(options.chatTemplate !== undefined && { chatTemplate: templateArgument(options.chatTemplate) }),
    ...(options.base !== undefined && { base: options.base }),
    ...(membership && { membership }),
  });
  const genesis = createGenesis(manifest);
  const there = options.force ? "nothing" : await contentOf(file, genesis);
  if (there === "something else") {
    const text = `${file} exists and is not this manifest; name another file with --out, or overwrite it with --force`;
    throw new NodeError("CONFIG_INVALID", text, { file });
  }
  if (there === "nothing") await writeNetwork(file, genesis);
  const network = networkId(manifest);
  for (const warning of [
    headWarning(manifest.head, manifest.training),
    sketchWarning(manifest.aggregation.weights),
    thresholdWarning(membership),
  ]) {
    if (warning) terminal.err(`warning: ${warning}\n`);
  }
  const done = there === "nothing" ? `manifest written to ${file}` : `${file} holds this manifest already`;
  terminal.err(`${done}; ${nextStep(genesis)}\n`);
  terminal.out(options.json ? jsonText({ network, file, manifest }) : `${network}\n`);
  return EXIT_OK;
}

/** The flags over what suits the model and the data.  Throws: NodeError CONFIG_INVALID for data that can be read only once. */
async function settingsFor(
  options: NetworkCreateOptions,
  directory: string,
  terminal: Terminal,
): Promise<NetworkSettings> {
  if (options.data === STANDARD_INPUT) {
    throw new NodeError("CONFIG_INVALID", "--data is looked at more than once here; give a file, not -");
  }
  const { factsOf, loadExamples } = await trainingDoor();
  const data = dataOptions(options);
  return await chosenSettings(options, {
    base: PLAIN_DEFAULTS,
    facts: await factsOf(directory, data),
    tuning: {
      modelDirectory: directory,
      load: ({ training, seed }) => loadExamples({ ...data, ...training, modelDirectory: directory, seed }),
    },
    terminal,
  });
}

function nextStep(genesis: Genesis): string {
  const { threshold } = genesisStatus(genesis);
  if (threshold === 0) return "give this file to every peer that is to take part";
  return `it is valid once ${threshold} of its admins ${threshold === 1 ? "has" : "have"} signed it: weft network sign`;
}

/** What is at the place of the file; the same manifest may have been signed meanwhile. */
async function contentOf(file: string, { manifest }: Genesis): Promise<"nothing" | "the same" | "something else"> {
  if (!existsSync(file)) return "nothing";
  try {
    return networkId((await readNetwork(file)).manifest) === networkId(manifest) ? "the same" : "something else";
  } catch (error) {
    if (error instanceof NodeError) return "something else";
    throw error;
  }
}

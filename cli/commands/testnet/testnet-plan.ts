/** The network of a testnet and what its peers have in common, by the flags that all testnets have. */
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import {
  createNetwork,
  type EngineOptions,
  type LogLevel,
  modelDoor,
  NodeError,
  STANDARD_INPUT,
  trainingDoor,
} from "../../../node/index.ts";
import type { NetworkManifest } from "../../../protocol/network-manifest.ts";
import { TESTNET_DEFAULTS } from "../../../testnet/defaults.ts";
import type { PeerSettings, TestnetData } from "../../../testnet/peer-arguments.ts";
import type { OptionRow } from "../../command-row.ts";
import { DATA, type DataFlags, dataOptions, READING, templateArgument } from "../../data-options.ts";
import { engineFlags, engineOf } from "../../engine-flags.ts";
import { modelDirectory } from "../../model-directory.ts";
import {
  headWarning,
  type NetworkOptions,
  type NetworkSettings,
  networkOptions,
  PLAIN_DEFAULTS,
} from "../../network-options.ts";
import { integer } from "../../option-value.ts";
import { PRIVACY_OPTIONS, type PrivacyOptions, privacySettings, refuseIdleSketchNoise } from "../../privacy-options.ts";
import { chosenSettings, TUNE } from "../../recipe-argument.ts";
import { MODEL, SPLIT } from "../../shared-options.ts";
import type { Terminal } from "../../terminal.ts";
import { sketchWarning } from "../../weights-argument.ts";

/** Values of the flags below. */
export type TestnetFlags = NetworkOptions &
  PrivacyOptions &
  DataFlags &
  EngineOptions & {
    readonly peers?: number;
    readonly model?: string;
    readonly split?: string;
    readonly tune?: boolean;
    readonly logLevel?: LogLevel;
  };

/** Flags of every testnet.  defaults: of its network. */
export function testnetOptions(defaults: NetworkSettings): readonly OptionRow[] {
  return [
    {
      flags: "--peers <count>",
      text: "number of peers",
      parse: integer(1, 256),
      otherwise: String(TESTNET_DEFAULTS.peers),
    },
    MODEL,
    DATA,
    ...READING,
    SPLIT,
    ...networkOptions(defaults),
    TUNE,
    ...engineFlags({ threads: "processors divided by peers" }),
    ...PRIVACY_OPTIONS,
  ];
}

/** A testnet before it has a folder. */
export interface PlannedTestnet {
  readonly manifest: NetworkManifest;
  readonly settings: Omit<PeerSettings, "folder">;
}

/** The testnet that the flags mean; what a person should know of it is said.  Throws: NodeError, ProtocolError. */
export async function plannedTestnet(
  options: TestnetFlags,
  terminal: Terminal,
  { rounds }: Pick<NetworkSettings, "rounds">,
): Promise<PlannedTestnet> {
  const peers = options.peers ?? TESTNET_DEFAULTS.peers;
  const privacy = privacySettings(options);
  const { openModel } = await modelDoor();
  for (const note of openModel(modelDirectory(options.model)).model.notes) terminal.err(`${note}\n`);
  const data = options.data === undefined ? undefined : sharedData(options.data, options);
  const manifest = await createTestnetManifest(options, { data, peers, terminal, rounds });
  refuseIdleSketchNoise(options, manifest);
  for (const warning of [headWarning(manifest.head, manifest.training), sketchWarning(manifest.aggregation.weights)]) {
    if (warning) terminal.err(`warning: ${warning}\n`);
  }
  const settings = {
    peers,
    ...(options.model !== undefined && { modelDirectory: resolve(options.model) }),
    ...(data && { data }),
    engine: engineOf(options, { threads: Math.max(1, Math.floor(availableParallelism() / peers)) }),
    ...(privacy && { privacy }),
    ...(options.sketchNoise !== undefined && { sketchNoise: options.sketchNoise }),
    logLevel: options.logLevel ?? "warn",
  };
  return { manifest, settings };
}

function sharedData(file: string, { split = "iid", columns, roles, charset, chatTemplate }: TestnetFlags): TestnetData {
  if (file === STANDARD_INPUT) {
    throw new NodeError("CONFIG_INVALID", "the peers of a testnet read --data each by itself; give a file, not -");
  }
  return {
    file: resolve(file),
    split,
    reading: [
      ...(columns === undefined ? [] : ["--columns", columns]),
      ...(roles === undefined ? [] : ["--roles", roles]),
      ...(charset === undefined ? [] : ["--charset", charset]),
      ...(chatTemplate === undefined ? [] : ["--chat-template", templateArgument(chatTemplate)]),
    ],
  };
}

async function createTestnetManifest(
  options: TestnetFlags,
  {
    data,
    peers,
    terminal,
    rounds,
  }: {
    readonly data: TestnetData | undefined;
    readonly peers: number;
    readonly terminal: Terminal;
    readonly rounds: NetworkSettings["rounds"];
  },
): Promise<NetworkManifest> {
  const { factsOf, loadExamples } = await trainingDoor();
  const directory = modelDirectory(options.model);
  const read = data === undefined ? {} : dataOptions(options);
  // What the first peer will have is what is tuned on.
  const own = {
    ...read,
    ...(options.split !== undefined && { split: options.split }),
    part: { index: 0, count: peers },
  };
  const settings = await chosenSettings(options, {
    base: { ...PLAIN_DEFAULTS, rounds },
    facts: await factsOf(directory, read),
    tuning: {
      modelDirectory: directory,
      load: ({ training, seed }) => loadExamples({ ...own, ...training, modelDirectory: directory, seed }),
    },
    terminal,
  });
  const chatTemplate =
    options.chatTemplate === undefined ? {} : { chatTemplate: templateArgument(options.chatTemplate) };
  return createNetwork({ name: "testnet", modelDirectory: directory, ...settings, ...chatTemplate, bootstrap: [] });
}

/** The words that start one peer of a testnet: every option in one place. */
import { join } from "node:path";
import { ENGINE_OPTIONS, type EngineOptions, type PrivacySettings } from "../node/index.ts";
import { fieldArguments, type OptionValue, optionArguments } from "../protocol/settings/field-words.ts";

/** A file that the peers share, and how each reads it. */
export interface TestnetData {
  readonly file: string;
  readonly split?: string;
  /** Further words for each peer about how the file is read. */
  readonly reading?: readonly string[];
}

/** What the peers of one testnet have in common. */
export interface PeerSettings {
  /** Number of peers, 1 or more. */
  readonly peers: number;
  /** Holds `network.json` and one data directory per peer, `peer-1` and so on. */
  readonly folder: string;
  /** Hugging Face model directory; the embedded model when absent. */
  readonly modelDirectory?: string;
  /** File of examples and how it is split among the peers; the embedded tasks when absent. */
  readonly data?: TestnetData;
  /** How each peer computes. */
  readonly engine: EngineOptions;
  /** Of every peer; each has a budget of its own. */
  readonly privacy?: PrivacySettings;
  /** See `PeerOptions`. */
  readonly sketchNoise?: number;
  readonly logLevel: string;
}

/** The data directory of a peer.  index: counted from 0. */
export function peerFolder(folder: string, index: number): string {
  return join(folder, `peer-${index + 1}`);
}

/** The words after the command.  more: what this kind of testnet wants of its peers besides. */
export function peerArguments(
  index: number,
  { peers, folder, modelDirectory, data, engine, privacy, sketchNoise, logLevel }: PeerSettings,
  more: Readonly<Record<string, OptionValue>>,
): readonly string[] {
  return [
    "run",
    ...optionArguments({
      ...more,
      network: join(folder, "network.json"),
      dataDir: peerFolder(folder, index),
      part: `${index + 1}/${peers}`,
      listen: "/ip4/127.0.0.1/tcp/0",
      logLevel,
    }),
    ...fieldArguments(ENGINE_OPTIONS, engine),
    ...(privacy === undefined ? [] : privacyArguments(privacy)),
    ...optionArguments({ sketchNoise, model: modelDirectory, data: data?.file ?? "embedded", split: data?.split }),
    ...(data?.reading ?? []),
  ];
}

function privacyArguments({ mode, clip, noise, epsilon, delta }: PrivacySettings): readonly string[] {
  return optionArguments({ dp: mode, dpClip: clip, dpNoise: noise, epsilon, delta });
}

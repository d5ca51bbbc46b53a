/** What a program says when it runs a peer. */
import type { LoadedExamples } from "../local/data-source.ts";
import type { ModelDigests } from "../manifest/model-digests.ts";
import type { ReachOptions } from "../system/network/reach.ts";
import type { GivenNetwork } from "./network-file.ts";
import type { OwnSettings } from "./network-peer-options.ts";
import type { ManifestAndModel, PeerData } from "./peer-data.ts";

/** Settings that are not given take `PEER_DEFAULTS`; `dataDirectory` alone has none. */
export interface PeerOptions extends Partial<OwnSettings> {
  readonly dataDirectory: string;
  /** The network: its file, or what such a file holds. Default: the one that the data directory keeps. */
  readonly network?: GivenNetwork;
  /** Where the base model is; default: the embedded one. A later manifest's is looked for in the data directory as well. */
  readonly modelDirectory?: string;
  /** What is known of model directories that this program has read before. */
  readonly digests?: ModelDigests;
  /** What it trains on; a function is asked anew under every manifest. Default: the embedded tasks. */
  readonly data?: PeerData | ((network: ManifestAndModel) => Promise<LoadedExamples>);
  /** How it is reached beside where it listens, and how it finds others. */
  readonly reach?: Omit<ReachOptions, "network">;
  /** Multiaddrs to dial first, beside those that the manifest names. */
  readonly bootstrap?: readonly string[];
  /** The first round waits for this; listening and connecting do not. */
  readonly startWhen?: Promise<void>;
  /** After the last round stay, and serve updates to others until stopped. */
  readonly serve?: boolean;
}

/** A peer that is told nothing else: on a free port of this machine, one thread, to its last round. */
export const PEER_DEFAULTS = {
  listen: ["/ip4/127.0.0.1/tcp/0"],
  compareAlone: false,
  engine: { threads: 1 },
  logLevel: "warn",
} as const satisfies Omit<OwnSettings, "dataDirectory">;

/** The settings that stay through all manifests of the network. */
export function ownSettings(options: PeerOptions): OwnSettings {
  const { network, modelDirectory, digests, data, reach, bootstrap, startWhen, serve, ...own } = options;
  return { ...PEER_DEFAULTS, ...own };
}

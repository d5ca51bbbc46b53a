/** What a peer is started with: what is its own for good, and what one manifest of its network adds. */
import type { Genesis } from "../../protocol/membership/genesis.ts";
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import type { OwnRule } from "../aggregation/index.ts";
import type { EngineOptions } from "../interface/engine-options.ts";
import type { LogLevel, LogModule } from "../interface/logger.ts";
import type { PeerEvent } from "../interface/peer-event.ts";
import type { PrivacySettings } from "../interface/privacy.ts";
import type { TraceTarget } from "../interface/tracing.ts";
import type { ExampleSets } from "../interface/trainer.ts";
import type { ModelDigests } from "../manifest/model-digests.ts";
import type { ModelSearch } from "../manifest/model-search.ts";
import type { ReachOptions } from "../system/network/reach.ts";

/** A peer's own settings: the same under every manifest of its network. */
export interface OwnSettings {
  readonly dataDirectory: string;
  /** Multiaddrs to listen on; empty for a peer that only dials. */
  readonly listen: readonly string[];
  /** Train alone for as many local steps afterwards, to compare. */
  readonly compareAlone: boolean;
  /** How this peer computes. */
  readonly engine: EngineOptions;
  /** Budget and noise of what this peer sends; without it nothing is hidden but the data themselves. */
  readonly privacy?: PrivacySettings;
  /** Noise of its sketch, where the network weighs by data sets, as a multiple of one example's most; none when absent. */
  readonly sketchNoise?: number;
  /** Puts the neighbours' adapters together in place of the network's rule; others do not notice. */
  readonly rule?: OwnRule;
  readonly logLevel: LogLevel;
  /** Other levels than that of parts of the peer. */
  readonly logModules?: Readonly<Partial<Record<LogModule, LogLevel>>>;
  /** Who is told of each round as spans of OpenTelemetry; nobody when absent. */
  readonly trace?: TraceTarget;
  /** Whether a log is kept among its files too. */
  readonly keepsLog?: boolean;
}

/** A peer under one manifest. */
export interface NetworkPeerOptions extends OwnSettings {
  readonly manifest: NetworkManifest;
  /** Of a network with a roster: the signed genesis of its first manifest. */
  readonly genesis?: Genesis;
  /**
   * What is missing of the model, where something is: take part without training or evaluating, keep the roster, and keep and
   * hand on updates as the role allows. Without a roster it is an error.
   */
  readonly lacks?: ModelSearch;
  readonly modelDirectory: string;
  /** What is known of model directories that were read before. */
  readonly digests?: ModelDigests;
  readonly examples: ExampleSets;
  /** How it is reached beside where it listens, and how it finds others; by what it is told alone when absent. */
  readonly reach?: ReachOptions;
  /** Multiaddrs to dial first. */
  readonly bootstrap: readonly string[];
  /** The first round waits for this; listening and connecting do not. */
  readonly startWhen?: Promise<void>;
  /** Aborted when the peer is to stop: a start that is under way ends where it can, with the signal's reason. */
  readonly stopping?: AbortSignal;
  /** How long whoever has the data directory open may take to leave it; default 0. */
  readonly lockWaitMs?: number;
  /** Called once nothing is left that could refuse the start, before `started` is told; what it throws does refuse it. */
  readonly beforeStarted?: () => Promise<void>;
  /** Must not throw. */
  readonly onEvent: (event: PeerEvent) => void;
}

/** Whether membership of the network is by roster. */
export const hasRoster = (manifest: NetworkManifest): boolean => manifest.membership?.kind === "roster";

/** A peer of a network, as programs run it. */
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import type { OwnRule } from "../aggregation/own-rule.ts";
import type { EngineOptions } from "../interface/engine-options.ts";
import type { LogLevel } from "../interface/logger.ts";
import type { PeerReport } from "../interface/peer-event.ts";
import type { PrivacySettings } from "../interface/privacy.ts";
import { createPeer as createSession } from "../peer/peer.ts";
import type { PeerOptions as SessionOptions } from "../peer/peer-options.ts";
import type { PeerView } from "../peer/peer-view.ts";
import type { PeerNews } from "../peer/session-event.ts";
import type { Data, Model } from "./types.ts";

/** What a peer is made from. `dataDirectory` alone has no default. */
export interface PeerOptions {
  /** Its key, its checkpoints and all else that it keeps. One peer, one directory. */
  readonly dataDirectory: string;
  /** A manifest, or the file of one. Default: the one that the data directory keeps. */
  readonly network?: NetworkManifest | string;
  /** The base model of the network, or its directory; the model that comes with weft when absent. */
  readonly model?: Model | string;
  /** What it trains on; it never leaves the machine. The small tasks that come with weft when absent. */
  readonly data?: Data;
  /** Multiaddrs to listen on; a free port of this machine when absent, none for a peer that only dials. */
  readonly listen?: readonly string[];
  /** Multiaddrs of peers to dial first, beside those that the manifest names. */
  readonly bootstrap?: readonly string[];
  /** The first round waits for this; listening and connecting do not. */
  readonly startWhen?: Promise<void>;
  /** After the last round stay, and serve updates to others until stopped. */
  readonly serve?: boolean;
  /** Train alone for as many steps afterwards, to compare. */
  readonly compareAlone?: boolean;
  /** Puts the neighbours' adapters together in place of the network's rule. It is this peer's own: others do not notice. */
  readonly rule?: OwnRule;
  /** Budget and noise of what it sends. */
  readonly privacy?: PrivacySettings;
  readonly engine?: EngineOptions;
  /** Default: error; events tell what happens. The log goes to standard error. */
  readonly logLevel?: LogLevel;
}

/** Where a peer is. */
export interface PeerStatus {
  /** What it trains under at the moment. */
  readonly manifest: NetworkManifest;
  /** What its events come to. */
  readonly view: PeerView;
}

/** A peer that can be started once. */
export interface Peer {
  /** Begin; resolves when it listens and its model is loaded. Idempotent.  Throws: NodeError, one line; nothing is left running. */
  start(): Promise<void>;
  /** Finish the running steps, save, say goodbye. Idempotent; throws nothing, `done` has what went wrong. */
  stop(): Promise<void>;
  /** Hear everything from now on; the listener must not throw.  Returns what ends that. */
  events(listener: (event: PeerNews) => void): () => void;
  /** Where it is; undefined until it has found its network. */
  status(): PeerStatus | undefined;
  /** Finish the running steps and begin nothing new; others are heard and served. Idempotent. */
  pause(): void;
  /** Go on. Idempotent. */
  resume(): void;
  /** The report after the last round, undefined when stopped before. Rejects when the peer cannot start or cannot go on. */
  readonly done: Promise<PeerReport | undefined>;
}

/** A peer of the library as `node/peer` makes it. */
export function peerOf({ model, data, ...options }: PeerOptions): Peer {
  const modelDirectory = typeof model === "object" ? model.directory : model;
  const settings: SessionOptions = {
    logLevel: "error",
    ...options,
    ...(modelDirectory !== undefined && { modelDirectory }),
    ...(data !== undefined && { data: typeof data === "string" ? { file: data } : data }),
  };
  return createSession(settings);
}

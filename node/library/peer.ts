/** A peer of a network, as programs run it. */
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import type { OwnRule } from "../aggregation/own-rule.ts";
import type { EngineOptions } from "../interface/engine-options.ts";
import type { LogLevel } from "../interface/logger.ts";
import type { PrivacySettings } from "../interface/privacy.ts";
import { createPeer as createSession, type Peer as Session } from "../peer/peer.ts";
import type { PeerOptions as SessionOptions } from "../peer/peer-options.ts";
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

/** A peer that can be started once. */
export type Peer = Pick<Session, "start" | "stop" | "events" | "status" | "pause" | "resume" | "done">;

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

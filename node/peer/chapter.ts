/** One chapter in the life of a peer: its time under one manifest, from the search for the model to the end. */
import type { Genesis } from "../../protocol/membership/genesis.ts";
import { type NetworkManifest, networkId } from "../../protocol/network-manifest.ts";
import { dataDirectoryLayout } from "../data-directory/layout.ts";
import type { PeerEvent } from "../interface/peer-event.ts";
import { keepTrainedData } from "../local/trained-data.ts";
import { ModelDigests } from "../manifest/model-digests.ts";
import { type ModelSearch, searchModel, waitForModel } from "../manifest/model-search.ts";
import { agreedEngine } from "../model/base/agreed-base.ts";
import { absolutePath } from "../system/files/absolute-path.ts";
import { embeddedModelDirectory } from "../system/files/embedded-model.ts";
import { createSystemClock } from "../system/platform/system-clock.ts";
import type { LeftNetwork } from "./enter-network.ts";
import { keepNetwork, rosterGenesis } from "./network-file.ts";
import { type NetworkPeer, startNetworkPeer } from "./network-peer.ts";
import { loadPeerExamples, NO_EXAMPLES } from "./peer-data.ts";
import { ownSettings, type PeerOptions } from "./peer-options.ts";
import type { SessionEvent } from "./session-event.ts";

/** The peer under one manifest, and what it was started with. */
export interface Chapter extends LeftNetwork {
  readonly peer: NetworkPeer;
  /** Where its model may be; the last place is where it should be. */
  readonly places: readonly [string, ...string[]];
  readonly lacks: ModelSearch | undefined;
  readonly digests: ModelDigests;
}

/** What differs between the first chapter and a later one, and who hears what happens. */
export interface ChapterOptions {
  /** How long whoever has the data directory open may take to leave it. */
  readonly lockWaitMs: number;
  readonly startWhen?: Promise<void> | undefined;
  /** See NetworkPeerOptions. */
  readonly stopping: AbortSignal;
  /** What is known of model directories that were read before. */
  readonly digests?: ModelDigests | undefined;
  /** Must not throw. */
  readonly onEvent: (event: PeerEvent | SessionEvent) => void;
}

/** Start the peer under the manifest of this network.  Throws: as `Peer.start`; nothing is left running then. */
export async function openChapter(options: PeerOptions, genesis: Genesis, chapter: ChapterOptions): Promise<Chapter> {
  const { manifest } = genesis;
  const { dataDirectory, reach, bootstrap = [] } = options;
  const { lockWaitMs, startWhen, stopping, digests = new ModelDigests(), onEvent } = chapter;
  const roster = await rosterGenesis(genesis, dataDirectory);
  const places = placesOf(options);
  const { directory: modelDirectory, lacks } = modelOf(manifest, { options, places, digests });
  const network = { manifest, modelDirectory };
  const { sets: examples, cut, trainedData } = lacks ? NO_EXAMPLES : await examplesUnder(options.data, network);
  if (cut.records > 0) onEvent({ type: "session", step: "records cut", cut, maxTokens: manifest.training.maxTokens });
  stopping.throwIfAborted();
  const own = ownSettings(options);
  const peer = await startNetworkPeer({
    ...{ ...own, engine: agreedEngine(own.engine, manifest.base) },
    ...{ manifest, modelDirectory, examples, lockWaitMs, digests, stopping },
    ...(roster && { genesis: roster }),
    ...(lacks && { lacks }),
    ...(startWhen && { startWhen }),
    reach: { ...reach, network: networkId(manifest) },
    bootstrap: [...bootstrap, ...manifest.bootstrap],
    // Not earlier: a start that is refused leaves a fresh directory free for any network.
    beforeStarted: async () => {
      await keepNetwork(genesis, dataDirectory);
      await keepTrainedData(dataDirectory, trainedData);
    },
    onEvent,
  });
  return { manifest, roster, peer, places, lacks, digests };
}

/** A folder of the peer's own for a model that comes later, and the directory that the person names; last, where it should be. */
function placesOf({ dataDirectory, modelDirectory }: PeerOptions): readonly [string, string] {
  const own = absolutePath(dataDirectoryLayout(dataDirectory).model);
  return modelDirectory === undefined ? [embeddedModelDirectory(), own] : [own, modelDirectory];
}

/** The first network's model is there before a peer takes part; that of a later one may have to be got. */
function modelOf(
  manifest: NetworkManifest,
  { options, places, digests }: { options: PeerOptions } & Pick<Chapter, "places" | "digests">,
): { directory: string; lacks: ModelSearch | undefined } {
  if (manifest.succeeds === undefined) {
    return { directory: options.modelDirectory ?? embeddedModelDirectory(), lacks: undefined };
  }
  const search = searchModel(manifest, places, digests);
  return { directory: search.directory, lacks: search.needs.length > 0 ? search : undefined };
}

/** The examples under one manifest.  Throws: as loadExamples, or what the given function throws. */
function examplesUnder(
  data: PeerOptions["data"],
  network: Parameters<typeof loadPeerExamples>[1],
): ReturnType<typeof loadPeerExamples> {
  return typeof data === "function" ? data(network) : loadPeerExamples(data ?? {}, network);
}

/** Resolves when the model that a chapter lacks has come.  onReminder: told again and again of what is still missing. */
export async function modelOfChapter(
  { manifest, places, digests }: Chapter,
  options: { readonly onReminder: (still: ModelSearch) => void; readonly signal: AbortSignal },
): Promise<void> {
  await waitForModel({ clock: createSystemClock(), digests }, manifest, places, options);
}

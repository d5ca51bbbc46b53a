/**
 * One peer under one manifest, put together: identity, store, network, training thread and rounds. Everything it needs comes
 * in through the options, everything it has to say goes out as events, and all its files are in its data directory. What
 * lives through all manifests of a network is `peer.ts`, which starts one of these after the other.
 */
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import { loraUpdateBytes } from "../adapter/lora-bytes.ts";
import { NodeError } from "../errors.ts";
import type { PeerEvent, PeerReport } from "../interface/peer-event.ts";
import type { PrivacyGuard } from "../interface/privacy-guard.ts";
import { ModelDigests } from "../manifest/model-digests.ts";
import type { ModelSearch } from "../manifest/model-search.ts";
import { verifyModel } from "../manifest/verify-model.ts";
import type { ModelShape } from "../model/base-model.ts";
import type { RoundDriver } from "../round/driver.ts";
import { observeRounds } from "../round/observation.ts";
import { Shutdown } from "../shutdown.ts";
import { untilAborted } from "../until-aborted.ts";
import { logEvent } from "./event-log.ts";
import { type GoingOver, watchSuccession } from "./going-over.ts";
import { labelledEvent } from "./labelled-event.ts";
import { hasRoster, type NetworkPeerOptions } from "./network-peer-options.ts";
import type { PeerDesk } from "./peer-desk.ts";
import { openPeerFiles, type PeerFiles } from "./peer-files.ts";
import { type ActOnRoster, rosterDesk, serveOperators, whenEnded } from "./peer-membership.ts";
import { connectParts, openPeerNetwork, type PeerNetwork } from "./peer-network.ts";
import { openRounds, openTraining } from "./peer-training.ts";

/** A peer that runs under one manifest. */
export interface NetworkPeer {
  /** The report after the last round, undefined when stopped before; rejects when the peer cannot go on. */
  readonly done: Promise<PeerReport | undefined>;
  /** What the roster has agreed to go on under, and from which round on; undefined without that, or before it is here. */
  successor(): { readonly manifest: NetworkManifest; readonly round: number } | undefined;
  /**
   * The manifests to go on under, one after the other: once the others have gone over and this peer is far behind them or has
   * no rounds of its own, or once all its rounds are done. Never when it goes over after its last round: `done` comes then.
   */
  readonly goesOver: Promise<readonly NetworkManifest[]>;
  /** What people may look at and do meanwhile. */
  readonly desk: PeerDesk;
  /** Finish the running steps, save, say goodbye; idempotent. */
  stop(): Promise<void>;
}

/**
 * Start a peer; resolves when it listens and its model is loaded.
 * Throws: MODEL_MISMATCH, DATA_LOCKED, KEY_FILE, PORT_IN_USE, CHECKPOINT_CORRUPT, DATA_MISMATCH and others, one line
 * each; nothing is left running then.
 */
export async function startNetworkPeer(options: NetworkPeerOptions): Promise<NetworkPeer> {
  const shutdown = new Shutdown();
  try {
    return await start(options, shutdown);
  } catch (error) {
    await shutdown.run();
    throw error;
  }
}

/** The parts of a peer that runs. */
interface Parts {
  readonly files: PeerFiles;
  readonly network: PeerNetwork;
  /** Of a peer that trains. */
  readonly driver: RoundDriver | undefined;
  /** Of a network with a roster. */
  readonly act: ActOnRoster | undefined;
  /** See PeerDesk. */
  readonly loraBytes: number | undefined;
  readonly privacy: PrivacyGuard | undefined;
  /** What a peer that would train lacks of the model. */
  readonly lacks: ModelSearch | undefined;
}

/** What people look at and act on. */
type DeskParts = Omit<Parts, "privacy" | "lacks">;

async function start(given: NetworkPeerOptions, shutdown: Shutdown): Promise<NetworkPeer> {
  // A relay needs no model; whether this peer is one, the roster says later.
  let model = hasRoster(given.manifest) ? undefined : requireModel(given);
  const files = await openPeerFiles(given, shutdown);
  const log = files.logs.of("events");
  const onEvent = (event: PeerEvent): void => {
    const named = labelledEvent(event, (peer) => files.logs.labelOf(peer));
    logEvent(log, named);
    given.onEvent(named);
  };
  const options = { ...given, onEvent };
  options.stopping?.throwIfAborted();
  const network = await openPeerNetwork(options, files, shutdown);
  const { membership, exchange, transport, dialer, company, addressWatch } = network;
  files.logs.nameBy((peer) => membership?.proposals.labelOf(peer));
  const isRelay = membership?.roleOf(files.signer.peer) === "relay";
  const lacks = isRelay ? undefined : options.lacks;
  const trains = !isRelay && lacks === undefined;
  if (hasRoster(options.manifest) && trains) model = requireModel(options);
  await connectParts(network, options.onEvent);
  const training = trains ? await openTraining(options, files, shutdown) : undefined;
  const privacy = training?.privacy;
  if (privacy !== undefined) network.account(privacy);
  options.stopping?.throwIfAborted();
  await exchange.start();
  shutdown.add(() => exchange.stop());
  shutdown.add(() => dialer.stop());
  shutdown.add(async () => company.stop());
  shutdown.add(() => addressWatch.stop());
  let act: ActOnRoster | undefined;
  if (membership !== undefined) {
    act = await serveOperators(rosterDesk(membership, files, transport), files, shutdown);
    options.onEvent(membership.rosterEvent());
    for (const event of membership.endings()) options.onEvent(event);
  }
  const driver = training && (await openRounds(options, files, { training, exchange, shutdown }));
  if (lacks !== undefined) observeRounds({ exchange, emit: options.onEvent });
  options.stopping?.throwIfAborted();
  const goingOver = watchSuccession(options.manifest, { membership, driver });
  await options.beforeStarted?.();
  tellStarted(options, { files, network, driver, privacy, lacks });
  files.loop.start();
  company.begin();
  await untilAborted(dialer.start(), options.stopping);
  const loraBytes = model && loraUpdateBytes(model);
  return running(options, { files, network, driver, act, loraBytes }, { goingOver, shutdown });
}

/** Throws: MODEL_MISMATCH, MODEL_MISSING, MANIFEST_INVALID and others, one line each. */
function requireModel({ manifest, modelDirectory, digests = new ModelDigests() }: NetworkPeerOptions): ModelShape {
  const { files, digest } = digests.read(modelDirectory);
  return verifyModel(manifest, files, digest);
}

function tellStarted(
  { examples, onEvent }: NetworkPeerOptions,
  { files, network, driver, privacy, lacks }: Omit<Parts, "act" | "loraBytes">,
): void {
  const { train, validation, test } = examples;
  onEvent({
    type: "started",
    peer: files.signer.peer,
    addresses: network.transport.addresses(),
    dataDirectory: files.layout.folder,
    ...(driver?.position ?? { round: 0, resumed: false }),
    examples: { train: train.length, validation: validation.length, test: test.length },
  });
  if (lacks !== undefined) onEvent({ type: "observing", ...lacks });
  if (privacy !== undefined) onEvent({ type: "privacy", status: privacy.status() });
}

/** The rounds, from the moment on for which they wait, to the last one or to the end of this peer's membership. */
function running(
  { startWhen }: NetworkPeerOptions,
  parts: DeskParts,
  { goingOver, shutdown }: { readonly goingOver: GoingOver; readonly shutdown: Shutdown },
): NetworkPeer {
  const { files, network, driver } = parts;
  const { membership } = network;
  let stopped: Promise<void> | undefined;
  const whenStopped = Promise.withResolvers<undefined>();
  const ended = whenEnded(membership, files.signer.peer);
  const run = async (): Promise<PeerReport | undefined> => {
    await startWhen;
    if (stopped !== undefined) return undefined;
    const report = await Promise.race([driver?.run() ?? whenStopped.promise, ended]);
    if (report !== undefined) goingOver.finished();
    return report;
  };
  const done = run();
  // A membership may end before the caller has got this far; it hears of it all the same.
  done.catch(() => undefined);
  return {
    done,
    successor: () => membership?.migration.ahead()[0],
    desk: deskOf(parts),
    goesOver: goingOver.manifests,
    stop: () => {
      stopped ??= shutdown.run().finally(() => whenStopped.resolve(undefined));
      return stopped;
    },
  };
}

function deskOf({ files, network, driver, act, loraBytes }: DeskParts): PeerDesk {
  const { transport, exchange } = network;
  return {
    labelOf: (peer) => files.logs.labelOf(peer),
    links: () => {
      const neighbours = new Set(exchange.admitted());
      return transport.links().map((link) => ({ ...link, isNeighbour: neighbours.has(link.peer) }));
    },
    bytes: () => transport.bytes(),
    figures: () => transport.figures(),
    egress: () => files.ledger.totals(),
    loraUpdateBytes: loraBytes,
    act: async (action) => {
      if (act !== undefined) return await act(action);
      throw new NodeError(
        "NOT_ALLOWED",
        "the network is open: it has no roster, and every peer with its manifest takes part",
      );
    },
    pause: () => driver?.pause(),
    resume: () => driver?.resume(),
    cutOff: (peers) => network.cutOff(peers),
  };
}

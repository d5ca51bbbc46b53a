/**
 * One peer, put together: identity, store, network, training thread and rounds. Everything it needs comes in through
 * the options, everything it has to say goes out as events, and all its files are in its data directory.
 */

import type { Signer } from "../../protocol/envelope.ts";
import { LIMITS } from "../../protocol/limits.ts";
import type { Genesis } from "../../protocol/membership/genesis.ts";
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { createPrng } from "../../protocol/prng.ts";
import { signerIn } from "../data-directory/key.ts";
import { dataDirectoryLayout } from "../data-directory/layout.ts";
import { NodeError } from "../errors.ts";
import { createDialer } from "../exchange/dialer.ts";
import { createExchange, type Exchange } from "../exchange/exchange.ts";
import { hasPublished } from "../exchange/own-chain.ts";
import { hasSketch } from "../exchange/sketch-exchange.ts";
import type { EngineOptions } from "../interface/engine-options.ts";
import type { Logger, LogLevel } from "../interface/logger.ts";
import type { PeerEvent, PeerReport } from "../interface/peer-event.ts";
import type { PrivacySettings } from "../interface/privacy.ts";
import type { PrivacyGuard } from "../interface/privacy-guard.ts";
import type { DataSimilarity } from "../interface/sketches.ts";
import type { Store } from "../interface/store.ts";
import type { ExampleSets } from "../interface/trainer.ts";
import type { ModelSearch } from "../manifest/model-search.ts";
import { verifyModel } from "../manifest/verify-model.ts";
import { createMembership, type MembershipDependencies, type RosterMembership } from "../membership/membership.ts";
import { actOnRoster, type RosterAction } from "../membership/roster-desk.ts";
import { standingError } from "../membership/standing-error.ts";
import { hasBudget } from "../privacy/budget.ts";
import { createPrivacyGuard } from "../privacy/privacy-guard.ts";
import { createRecordedTransport } from "../privacy/recorded-transport.ts";
import { createDataSimilarity } from "../round/data-similarity.ts";
import { createRoundDriver } from "../round/driver.ts";
import { observeRounds } from "../round/observation.ts";
import { startTrainerThread, type TrainerThread } from "../system/compute/trainer-thread.ts";
import { createCheckpointFiles } from "../system/files/checkpoint-file.ts";
import { openEgressFile } from "../system/files/egress-file.ts";
import { readOrCreateKey } from "../system/files/key-file.ts";
import { takeLock } from "../system/files/lock-file.ts";
import { readModelFiles } from "../system/files/model-files.ts";
import { watchRequestInbox } from "../system/files/request-inbox.ts";
import { openStore } from "../system/files/store.ts";
import { createLibp2pTransport } from "../system/network/libp2p.ts";
import type { ReachOptions } from "../system/network/reach.ts";
import { createNativeSigner, createNativeVerifier } from "../system/platform/ed25519.ts";
import { createLogger } from "../system/platform/log.ts";
import { createSecureRandom } from "../system/platform/secure-random.ts";
import { createNativeSha256 } from "../system/platform/sha256.ts";
import { createSystemClock } from "../system/platform/system-clock.ts";
import { fisherOptions } from "../training/fisher.ts";
import { publishSketch } from "./publish-sketch.ts";

export interface PeerOptions {
  readonly dataDirectory: string;
  readonly manifest: NetworkManifest;
  /** Of a network with a roster: the signed genesis of its first manifest. */
  readonly genesis?: Genesis;
  /**
   * What is missing of the model, where something is: take part without training or evaluating, keep the roster, and keep and
   * hand on updates as the role allows. Without a roster it is an error.
   */
  readonly lacks?: ModelSearch;
  readonly modelDirectory: string;
  readonly examples: ExampleSets;
  /** Multiaddrs to listen on; empty for a peer that only dials. */
  readonly listen: readonly string[];
  /** How it is reached beside them, and how it finds others; by what it is told alone when absent. */
  readonly reach?: ReachOptions;
  /** Multiaddrs to dial first. */
  readonly bootstrap: readonly string[];
  /** The first round waits for this; listening and connecting do not. */
  readonly startWhen?: Promise<void>;
  /** Train alone for as many local steps afterwards, to compare. */
  readonly compareAlone: boolean;
  /** How this peer computes. */
  readonly engine: EngineOptions;
  /** Budget and noise of what this peer sends; without it nothing is hidden but the data themselves. */
  readonly privacy?: PrivacySettings;
  /** Noise of its sketch, where the network weighs by data sets, as a multiple of one example's most; none when absent. */
  readonly sketchNoise?: number;
  readonly logLevel: LogLevel;
  /** How long whoever has the data directory open may take to leave it; default 0. */
  readonly lockWaitMs?: number;
  /** Called once nothing is left that could refuse the start, before `started` is told; what it throws does refuse it. */
  readonly beforeStarted?: () => Promise<void>;
  /** Must not throw. */
  readonly onEvent: (event: PeerEvent) => void;
}

export interface RunningPeer {
  /** The report after the last round, undefined when stopped before; rejects when the peer cannot go on. */
  readonly done: Promise<PeerReport | undefined>;
  /** What the roster has agreed to go on under, and from which round on; undefined without that, or before it is here. */
  successor(): { readonly manifest: NetworkManifest; readonly round: number } | undefined;
  /**
   * The manifests to go on under, one after the other: once the others have gone over and this peer is far behind them or has
   * no rounds of its own, or once all its rounds are done. Never when it goes over after its last round: `done` comes then.
   */
  readonly goesOver: Promise<readonly NetworkManifest[]>;
  /** Finish the running steps, save, say goodbye; idempotent. */
  stop(): Promise<void>;
}

/** Connections beside those of admitted neighbours: strangers in their handshake. */
const CONNECTIONS_MAX = 128;
/** Head exchanges, handshakes and transfers that one neighbour may have open at a time. */
const STREAMS_PER_PROTOCOL_MAX = 16;

/** Ends what was started, last first; a failure does not keep the rest from ending. */
class Shutdown {
  readonly #steps: (() => Promise<void>)[] = [];

  add(step: () => Promise<void>): void {
    this.#steps.unshift(step);
  }

  async run(): Promise<void> {
    const failures: unknown[] = [];
    for (const step of this.#steps.splice(0)) {
      try {
        await step();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}

/**
 * Start a peer; resolves when it listens and its model is loaded.
 * Throws: MODEL_MISMATCH, DATA_LOCKED, KEY_FILE, PORT_IN_USE, CHECKPOINT_CORRUPT, DATA_MISMATCH and others, one line
 * each; nothing is left running then.
 */
export async function runPeer(options: PeerOptions): Promise<RunningPeer> {
  const shutdown = new Shutdown();
  try {
    return await start(options, shutdown);
  } catch (error) {
    await shutdown.run();
    throw error;
  }
}

async function start(options: PeerOptions, shutdown: Shutdown): Promise<RunningPeer> {
  const { manifest, onEvent } = options;
  // A relay needs no model; whether this peer is one, the roster says later.
  if (!hasRoster(manifest)) verifyModel(manifest, readModelFiles(options.modelDirectory));
  const layout = dataDirectoryLayout(options.dataDirectory);
  const { seed } = await readOrCreateKey(layout.key);
  const lock = await takeLock(layout.lock, { waitMs: options.lockWaitMs ?? 0 });
  shutdown.add(() => lock.release());

  const clock = createSystemClock();
  const signer = createNativeSigner(seed);
  const logger = createLogger({ level: options.logLevel, fields: { self: signer.peer } });
  const store = await openStore(layout.store);
  shutdown.add(() => store.close());
  const ledger = await openEgressFile({ clock, logger }, { path: layout.egress });
  shutdown.add(() => ledger.close());

  let exchange: Exchange | undefined;
  let privacy: PrivacyGuard | undefined;
  let membership: RosterMembership | undefined;
  const network = await createLibp2pTransport(
    {
      logger,
      admits: (peer) => exchange?.refuses(peer) !== true && membership?.admits(peer) !== false,
      mayGossip: (peer) => membership?.mayGossip(peer) !== false,
    },
    {
      seed,
      listen: options.listen,
      connectionsMax: CONNECTIONS_MAX,
      streamsPerProtocolMax: STREAMS_PER_PROTOCOL_MAX,
      gossipBytesMax: hasRoster(manifest) ? LIMITS.rosterNoteBytesMax : LIMITS.announcementBytesMax,
      ...(options.reach !== undefined && { reach: options.reach }),
    },
  );
  const createSha256 = createNativeSha256;
  const epsilon = (): number | undefined => privacy?.status().spent;
  const transport = createRecordedTransport({ transport: network, ledger, logger, epsilon, createSha256 });
  const dependencies = { transport, store, clock, logger, signer, verify: createNativeVerifier(), createSha256 };
  const joined = await openMembership(options, dependencies);
  membership = joined;
  if (joined !== undefined) shutdown.add(() => joined.stop());
  const isRelay = joined?.roleOf(signer.peer) === "relay";
  // A relay needs none.
  const lacks = isRelay ? undefined : options.lacks;
  const isPassive = isRelay || lacks !== undefined;
  if (hasRoster(manifest) && !isPassive) verifyModel(manifest, readModelFiles(options.modelDirectory));
  exchange = createExchange(dependencies, { manifest, ...(joined && { membership: joined }) });
  if (joined !== undefined) {
    exchange.onAdmitted((peer) => joined.welcome(peer));
    joined.onEvent(onEvent);
    await joined.start();
  }
  const tellNeighbours = (): void => onEvent({ type: "neighbours", connected: exchange?.admitted().length ?? 0 });
  exchange.onAdmitted(tellNeighbours);
  exchange.onLeft(tellNeighbours);
  const dialer = createDialer({ transport, store, clock, logger }, { bootstrap: options.bootstrap });
  exchange.onAdmitted((peer) => dialer.meet(peer));
  exchange.onAddresses((addresses) => dialer.hear(addresses));
  transport.onDiscovered((addresses) => dialer.hear(addresses));
  const training = isPassive ? undefined : await openTraining(options, { shutdown, signer, store, logger });
  privacy = training?.privacy;
  await exchange.start();
  shutdown.add(async () => exchange?.stop());
  shutdown.add(() => dialer.stop());

  if (joined !== undefined) {
    const desk = {
      membership: joined,
      clock,
      self: signer.peer,
      connected: () => transport.connected(),
      signerOf: signerIn,
    };
    const requests = await watchRequestInbox(layout.requestInbox, { clock, logger }, (request) =>
      actOnRoster(desk, request as RosterAction),
    );
    shutdown.add(() => requests.stop());
    onEvent(joined.rosterEvent());
  }
  const similarity = training && (await openDataSimilarity(options, { exchange, training, peer: signer.peer, logger }));
  const driver =
    training &&
    (await createRoundDriver(
      {
        trainer: training.trainer,
        aggregate: training.trainer.aggregate,
        exchange,
        checkpoints: training.checkpoints,
        clock,
        logger,
        ...(privacy && { privacy }),
        ...(similarity && { similarity }),
        emit: onEvent,
      },
      { manifest, peer: signer.peer, examples: options.examples, compareAlone: options.compareAlone },
    ));
  if (driver !== undefined) shutdown.add(() => driver.stop());
  if (lacks !== undefined) observeRounds({ exchange, emit: onEvent });
  const goesOver = Promise.withResolvers<readonly NetworkManifest[]>();
  let isDone = false;
  const heedSuccession = (): void => {
    const next = joined?.successions.ahead()[0];
    if (next === undefined) return;
    driver?.endBefore(next.round);
    if (isDone) goesOver.resolve([next.manifest]);
    const followed = joined?.followed() ?? [];
    const last = followed.at(-1);
    const round = Math.max(driver?.position.round ?? 0, driver?.status().round ?? 0);
    // Close to it, the rounds that are left are done first.
    const isFar = driver === undefined || (last !== undefined && round + manifest.aggregation.ageMax < last.round);
    if (last !== undefined && isFar) goesOver.resolve(followed.map((link) => link.manifest));
  };
  heedSuccession();
  joined?.onSuccession(heedSuccession);
  await options.beforeStarted?.();
  const { train, validation, test } = options.examples;
  onEvent({
    type: "started",
    peer: signer.peer,
    addresses: transport.addresses(),
    dataDirectory: layout.folder,
    ...(driver?.position ?? { round: 0, resumed: false }),
    examples: { train: train.length, validation: validation.length, test: test.length },
  });
  if (lacks !== undefined) onEvent({ type: "observing", ...lacks });
  if (privacy) onEvent({ type: "privacy", status: privacy.status() });
  await dialer.start();

  let stopped: Promise<void> | undefined;
  const whenStopped = Promise.withResolvers<undefined>();
  const ended = joined === undefined ? new Promise<never>(() => {}) : whenEnded(joined, signer.peer);
  // Nobody may be waiting for the end when it comes.
  ended.catch(() => undefined);
  const run = async (): Promise<PeerReport | undefined> => {
    await options.startWhen;
    if (stopped !== undefined) return undefined;
    return await Promise.race([driver?.run() ?? whenStopped.promise, ended]);
  };
  const done = run().then((report) => {
    isDone = report !== undefined;
    return report;
  });
  // A membership may end before the caller has got this far; it hears of it all the same.
  done.catch(() => undefined);
  return {
    done,
    successor: () => joined?.successions.ahead()[0],
    goesOver: goesOver.promise,
    stop: () => {
      stopped ??= shutdown.run().finally(() => whenStopped.resolve(undefined));
      return stopped;
    },
  };
}

/** Whether membership of the network is by roster. */
const hasRoster = (manifest: NetworkManifest): boolean => manifest.membership?.kind === "roster";

/** Throws: NOT_ALLOWED, MEMBERSHIP_ENDED where this peer is no member; GENESIS_INVALID; STORE_FAILED. */
async function openMembership(
  { manifest, genesis, reach }: PeerOptions,
  dependencies: MembershipDependencies,
): Promise<RosterMembership | undefined> {
  if (!hasRoster(manifest)) return undefined;
  if (genesis === undefined) {
    const text = "the network has a roster, and a roster begins with a signed genesis; give the network's signed file";
    throw new NodeError("NOT_ALLOWED", text);
  }
  const membership = await createMembership(dependencies, { genesis, manifest });
  const { peer } = dependencies.signer;
  const role = membership.roleOf(peer);
  const problem = role === undefined ? standingError(membership.standingOf(peer), peer) : undefined;
  if (problem !== undefined) throw problem;
  if (reach?.relay === true && role !== "relay" && role !== "admin") {
    const text = `only a member with the role relay or admin may relay; this peer is ${role}`;
    throw new NodeError("NOT_ALLOWED", text, { role, problem: "relay-without-role" });
  }
  return membership;
}

/** Rejects when this peer stops being a member. */
function whenEnded(membership: RosterMembership, peer: PeerId): Promise<never> {
  return new Promise((_, reject) => {
    membership.onChange(() => {
      const standing = membership.standingOf(peer);
      if (standing !== "member") reject(standingError(standing, peer));
    });
  });
}

/** What a peer trains with. */
async function openTraining(
  options: PeerOptions,
  { shutdown, signer, store, logger }: { shutdown: Shutdown; signer: Signer; store: Store; logger: Logger },
) {
  const { manifest } = options;
  const trainer = await startTrainerThread({
    modelDirectory: options.modelDirectory,
    adapter: manifest.adapter,
    training: manifest.training,
    networkSeed: manifest.seed,
    peerSeed: ownSeed(signer.peer),
    data: options.examples,
    engine: options.engine,
    ...(manifest.head !== undefined && { head: manifest.head }),
    ...fisherOptions(manifest.reference),
    totalSteps: manifest.rounds.count * manifest.rounds.localSteps,
    ...(options.privacy?.mode === "example" && { privacy: options.privacy }),
  });
  shutdown.add(() => trainer.close());
  const checkpoints = await createCheckpointFiles(
    { logger },
    { folder: dataDirectoryLayout(options.dataDirectory).checkpoints },
  );
  const privacy = await openPrivacy(options, {
    store,
    trainer,
    peer: signer.peer,
    fresh:
      (await checkpoints.load()) === undefined &&
      !(await hasPublished(store)) &&
      !(await hasSketch(store, signer.peer)),
  });
  return { trainer, checkpoints, privacy };
}

/** This peer's sketch, published, and comparisons with the others'; undefined where the network does not weigh by data. */
async function openDataSimilarity(
  { manifest, examples, sketchNoise }: PeerOptions,
  {
    exchange: { sketches },
    training: { trainer, privacy },
    peer,
    logger,
  }: {
    readonly exchange: Exchange;
    readonly training: Awaited<ReturnType<typeof openTraining>>;
    readonly peer: string;
    readonly logger: Logger;
  },
): Promise<DataSimilarity | undefined> {
  const { weights } = manifest.aggregation;
  if (sketches === undefined || weights?.kind !== "similarity" || weights.data === undefined) return undefined;
  const own = { manifest, examples: examples.train.length, peerSeed: ownSeed(peer), noise: sketchNoise };
  await publishSketch({ sketches, trainer, privacy, random: createSecureRandom(), logger }, own);
  return createDataSimilarity({ sketches, distances: trainer.distances }, weights.data);
}

/** Throws: PRIVACY_BUDGET where the peer's settings and what its store holds do not go together. */
async function openPrivacy(
  { privacy: settings, manifest, examples }: PeerOptions,
  {
    store,
    trainer,
    peer,
    fresh,
  }: { readonly store: Store; readonly trainer: TrainerThread; readonly peer: string; readonly fresh: boolean },
): Promise<PrivacyGuard | undefined> {
  if (settings === undefined) {
    if (!(await hasBudget(store))) return undefined;
    const text = "this peer's updates are covered by a privacy budget, and nothing is said of one now";
    throw new NodeError("PRIVACY_BUDGET", text, { problem: "budget-kept" });
  }
  // Nothing is restored yet: the trainer stands where all peers of the network start.
  const commonStart = await trainer.adapter();
  const random = createSecureRandom();
  const what = { settings, manifest, peer, examples: examples.train.length, commonStart, fresh };
  return await createPrivacyGuard({ store, random, aggregate: trainer.aggregate }, what);
}

/** A seed for what is this peer's own, such as its batch order; its id stands for it, the key is not touched. */
function ownSeed(peer: string): number {
  return createPrng(0).fork(peer).uint32();
}

/**
 * One peer, put together: identity, store, network, training thread and rounds. Everything it needs comes in through
 * the options, everything it has to say goes out as events, and all its files are in its data directory.
 */

import { createSigner } from "../protocol/envelope.ts";
import { LIMITS } from "../protocol/limits.ts";
import type { NetworkManifest } from "../protocol/network-manifest.ts";
import { createPrng } from "../protocol/prng.ts";
import { dataDirectoryLayout } from "./config.ts";
import { verifyModel } from "./create-network.ts";
import { NodeError } from "./errors.ts";
import { createDialer } from "./exchange/dialer.ts";
import { createExchange, type Exchange } from "./exchange/exchange.ts";
import { hasPublished } from "./exchange/own-chain.ts";
import type { PeerEvent, PeerReport } from "./interface/peer-event.ts";
import type { PrivacySettings } from "./interface/privacy.ts";
import type { PrivacyGuard } from "./interface/privacy-guard.ts";
import type { Device } from "./interface/runtime.ts";
import type { Store } from "./interface/store.ts";
import type { ExampleSets, Precision } from "./interface/trainer.ts";
import { hasBudget } from "./privacy/budget.ts";
import { createPrivacyGuard } from "./privacy/privacy-guard.ts";
import { createRecordedTransport } from "./privacy/recorded-transport.ts";
import { createRoundDriver } from "./round/driver.ts";
import { createCheckpointFiles } from "./system/checkpoint-file.ts";
import { openEgressFile } from "./system/egress-file.ts";
import { readOrCreateKey } from "./system/key-file.ts";
import { createLibp2pTransport } from "./system/libp2p.ts";
import { takeLock } from "./system/lock-file.ts";
import { createLogger, type LogLevel } from "./system/log.ts";
import { readModelFiles } from "./system/model-files.ts";
import type { ReachOptions } from "./system/reach.ts";
import { createSecureRandom } from "./system/secure-random.ts";
import { openStore } from "./system/store.ts";
import { createSystemClock } from "./system/system-clock.ts";
import { startTrainerThread, type TrainerThread } from "./system/trainer-thread.ts";
import { fisherOptions } from "./training/fisher.ts";

export interface PeerOptions {
  readonly dataDirectory: string;
  readonly manifest: NetworkManifest;
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
  /** Threads of the training engine. */
  readonly threads: number;
  /** What the training engine computes on; default: cpu. */
  readonly device?: Device;
  /** Compute activations again instead of keeping them. */
  readonly lowMemory?: boolean;
  /** At most so many different lengths of batches; see `TrainerOptions`. */
  readonly buckets?: number;
  /** Budget and noise of what this peer sends; without it nothing is hidden but the data themselves. */
  readonly privacy?: PrivacySettings;
  /** Let short examples share rows; see `TrainerOptions`. */
  readonly pack?: boolean;
  /** Arithmetic of products with frozen matrices; see `TrainerOptions`. */
  readonly precision?: Precision;
  readonly logLevel: LogLevel;
  /** Must not throw. */
  readonly onEvent: (event: PeerEvent) => void;
}

export interface RunningPeer {
  /** The report after the last round, undefined when stopped before; rejects when the peer cannot go on. */
  readonly done: Promise<PeerReport | undefined>;
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
  verifyModel(manifest, readModelFiles(options.modelDirectory));
  const layout = dataDirectoryLayout(options.dataDirectory);
  const { seed } = await readOrCreateKey(layout.key);
  const lock = await takeLock(layout.lock);
  shutdown.add(() => lock.release());

  const clock = createSystemClock();
  const signer = createSigner(seed);
  const logger = createLogger({ level: options.logLevel, fields: { self: signer.peer } });
  const store = await openStore(layout.store);
  shutdown.add(() => store.close());
  const trainer = await startTrainerThread({
    modelDirectory: options.modelDirectory,
    adapter: manifest.adapter,
    training: manifest.training,
    networkSeed: manifest.seed,
    peerSeed: ownSeed(signer.peer),
    data: options.examples,
    threads: options.threads,
    ...(options.device !== undefined && { device: options.device }),
    lowMemory: options.lowMemory ?? false,
    pack: options.pack ?? false,
    ...(manifest.head !== undefined && { head: manifest.head }),
    ...(options.precision !== undefined && { precision: options.precision }),
    ...fisherOptions(manifest.reference),
    totalSteps: manifest.rounds.count * manifest.rounds.localSteps,
    ...(options.buckets !== undefined && { buckets: options.buckets }),
    ...(options.privacy?.mode === "example" && { privacy: options.privacy }),
  });
  shutdown.add(() => trainer.close());
  const ledger = await openEgressFile({ clock, logger }, { path: layout.egress });
  shutdown.add(() => ledger.close());

  let exchange: Exchange | undefined;
  let privacy: PrivacyGuard | undefined;
  const network = await createLibp2pTransport(
    { logger, admits: (peer) => exchange?.refuses(peer) !== true },
    {
      seed,
      listen: options.listen,
      connectionsMax: CONNECTIONS_MAX,
      streamsPerProtocolMax: STREAMS_PER_PROTOCOL_MAX,
      gossipBytesMax: LIMITS.announcementBytesMax,
      ...(options.reach !== undefined && { reach: options.reach }),
    },
  );
  const epsilon = (): number | undefined => privacy?.status().spent;
  const transport = createRecordedTransport({ transport: network, ledger, logger, epsilon });
  exchange = createExchange({ transport, store, clock, logger, signer }, { manifest });
  const tellNeighbours = (): void => onEvent({ type: "neighbours", connected: exchange?.admitted().length ?? 0 });
  exchange.onAdmitted(tellNeighbours);
  exchange.onLeft(tellNeighbours);
  const dialer = createDialer({ transport, store, clock, logger }, { bootstrap: options.bootstrap });
  exchange.onAdmitted((peer) => dialer.meet(peer));
  exchange.onAddresses((addresses) => dialer.hear(addresses));
  transport.onDiscovered((addresses) => dialer.hear(addresses));
  const checkpoints = await createCheckpointFiles({ logger }, { folder: layout.checkpoints });
  privacy = await openPrivacy(options, {
    store,
    trainer,
    peer: signer.peer,
    fresh: (await checkpoints.load()) === undefined && !(await hasPublished(store)),
  });
  await exchange.start();
  shutdown.add(async () => exchange?.stop());
  shutdown.add(() => dialer.stop());

  const driver = await createRoundDriver(
    {
      trainer,
      aggregate: trainer.aggregate,
      exchange,
      checkpoints,
      clock,
      logger,
      ...(privacy && { privacy }),
      emit: onEvent,
    },
    { manifest, peer: signer.peer, examples: options.examples, compareAlone: options.compareAlone },
  );
  shutdown.add(() => driver.stop());
  const { train, validation, test } = options.examples;
  onEvent({
    type: "started",
    peer: signer.peer,
    addresses: transport.addresses(),
    dataDirectory: layout.folder,
    ...driver.position,
    examples: { train: train.length, validation: validation.length, test: test.length },
  });
  if (privacy) onEvent({ type: "privacy", status: privacy.status() });
  await dialer.start();

  let stopped: Promise<void> | undefined;
  return {
    done: (options.startWhen ?? Promise.resolve()).then(() => (stopped ? undefined : driver.run())),
    stop: () => {
      stopped ??= shutdown.run();
      return stopped;
    },
  };
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
    const text =
      "this peer's updates are covered by a privacy budget; name its --dp again, or start with a new --data-dir";
    throw new NodeError("PRIVACY_BUDGET", text);
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

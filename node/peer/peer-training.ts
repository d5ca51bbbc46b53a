/** What a peer trains with: the training thread, checkpoints, its privacy budget, and what its data are compared by. */
import { networkId } from "../../protocol/network-manifest.ts";
import { createPrng } from "../../protocol/prng.ts";
import { NodeError } from "../errors.ts";
import type { Exchange } from "../exchange/exchange.ts";
import { hasPublished } from "../exchange/own-chain.ts";
import { hasSketch } from "../exchange/sketch-exchange.ts";
import type { Checkpoints } from "../interface/checkpoint.ts";
import { namedClock } from "../interface/event-loop.ts";
import type { Logger } from "../interface/logger.ts";
import type { PrivacyGuard } from "../interface/privacy-guard.ts";
import type { DataSimilarity } from "../interface/sketches.ts";
import type { TrainerOptions } from "../interface/trainer.ts";
import { hasBudget } from "../privacy/budget.ts";
import { countedTrainer } from "../privacy/counted-trainer.ts";
import { createPrivacyGuard } from "../privacy/privacy-guard.ts";
import { createDataSimilarity } from "../round/data-similarity.ts";
import { createRoundDriver, type RoundDriver } from "../round/driver.ts";
import type { Shutdown } from "../shutdown.ts";
import { startTrainerThread, type TrainerThread } from "../system/compute/trainer-thread.ts";
import { fileExists } from "../system/files/atomic-file.ts";
import { createCheckpointFiles } from "../system/files/checkpoint-file.ts";
import { createSecureRandom } from "../system/platform/secure-random.ts";
import { RoundTracer } from "../tracing/round-tracer.ts";
import { fisherOptions } from "../training/fisher.ts";
import { keepsBestRound } from "./best-adapter.ts";
import type { NetworkPeerOptions } from "./network-peer-options.ts";
import type { PeerFiles } from "./peer-files.ts";
import { publishSketch } from "./publish-sketch.ts";

/** The parts that only a peer has that trains. */
export interface PeerTraining {
  readonly trainer: TrainerThread;
  readonly checkpoints: Checkpoints;
  readonly privacy: PrivacyGuard | undefined;
}

/** Start the training thread; `shutdown` ends it.  Throws: CHECKPOINT_CORRUPT, PRIVACY_BUDGET; what createTrainer throws. */
export async function openTraining(
  options: NetworkPeerOptions,
  files: PeerFiles,
  shutdown: Shutdown,
): Promise<PeerTraining> {
  const { manifest } = options;
  const { layout, store, logs, signer } = files;
  const trained: TrainerOptions = {
    modelDirectory: options.modelDirectory,
    adapter: manifest.adapter,
    training: manifest.training,
    networkSeed: manifest.seed,
    peerSeed: ownSeed(signer.peer),
    data: options.examples,
    engine: options.engine,
    ...(manifest.base && { agreedBase: manifest.base }),
    ...(manifest.head !== undefined && { head: manifest.head }),
    ...fisherOptions(manifest.reference),
    totalSteps: manifest.rounds.count * manifest.rounds.localSteps,
    ...(options.privacy?.mode === "example" && { privacy: options.privacy }),
  };
  const onAnswer = () => files.loop.entered("answer of the training thread");
  const trainer = await startTrainerThread(trained, { onAnswer, signal: options.stopping });
  shutdown.add(() => trainer.close());
  const checkpoints = await createCheckpointFiles({ logger: logs.of("files") }, { folder: layout.checkpoints });
  const hasTrained =
    (await checkpoints.load()) !== undefined || (await hasPublished(store)) || (await hasSketch(store, signer.peer));
  const privacy = await openPrivacy(options, files, { trainer, fresh: !hasTrained });
  // Nothing of the peer gets hold of the trainer that does not count.
  return { trainer: privacy === undefined ? trainer : countedTrainer(trainer, privacy), checkpoints, privacy };
}

/** Throws: PRIVACY_BUDGET where the peer's settings and what its store holds do not go together. */
async function openPrivacy(
  { privacy: settings, manifest, examples }: NetworkPeerOptions,
  { store, layout, signer: { peer } }: PeerFiles,
  { trainer, fresh }: { readonly trainer: TrainerThread; readonly fresh: boolean },
): Promise<PrivacyGuard | undefined> {
  if (settings === undefined) {
    if (!(await hasBudget(store))) return undefined;
    const text = "this peer's updates are covered by a privacy budget, and nothing is said of one now";
    throw new NodeError("PRIVACY_BUDGET", text, { problem: "budget-kept" });
  }
  // Nothing is restored yet: the trainer stands where all peers of the network start.
  const commonStart = await trainer.adapter();
  const random = createSecureRandom();
  const isRestored = await fileExists(layout.restoredKey);
  const what = { settings, manifest, peer, examples: examples.train.length, commonStart, fresh, isRestored };
  return await createPrivacyGuard({ store, random, aggregate: trainer.aggregate }, what);
}

/** The rounds, where they go on; `shutdown` ends them. The exchange runs by now.  Throws: as createRoundDriver, publishSketch. */
export async function openRounds(
  options: NetworkPeerOptions,
  { layout, signer: { peer }, clock, logs, loop }: PeerFiles,
  { training, exchange, shutdown }: { training: PeerTraining; exchange: Exchange; shutdown: Shutdown },
): Promise<RoundDriver> {
  const { manifest, examples, compareAlone, rule, onEvent } = options;
  const { trainer, checkpoints, privacy } = training;
  if (rule && privacy) {
    const text = `the budget of privacy is counted for the network's rule, not for "${rule.name}"; leave one of them out`;
    throw new NodeError("CONFIG_INVALID", text);
  }
  if (rule) logs.of("rounds").info("own aggregation rule", { rule: rule.name });
  const tracer = await openTracer(options, { peer, clock, logs, shutdown });
  const similarity = await openDataSimilarity(options, { exchange, training, peer, logger: logs.of("training") });
  const driver = await createRoundDriver(
    {
      ...{ exchange, checkpoints, logger: logs.of("rounds") },
      trainer: tracer?.traced(trainer) ?? trainer,
      aggregate: (asked) => tracer?.during("aggregate", {}, () => trainer.aggregate(asked)) ?? trainer.aggregate(asked),
      clock: namedClock(clock, loop, "timer of the rounds"),
      ...(privacy && { privacy }),
      ...(rule && { ownRule: rule }),
      ...(similarity && { similarity }),
      // What a budget counts is let out, the last round's adapter; one chosen by looking at the data is not covered by it.
      ...(privacy === undefined && { keepBest: keepsBestRound(layout, options) }),
      emit: (event) => {
        tracer?.note(event);
        onEvent(event);
      },
    },
    { manifest, peer, examples, compareAlone },
  );
  shutdown.add(() => driver.stop());
  return driver;
}

/** What turns the rounds into spans; undefined where nobody is told of them. */
async function openTracer(
  { trace, manifest }: NetworkPeerOptions,
  { peer, clock, logs, shutdown }: Pick<PeerFiles, "clock" | "logs"> & { readonly peer: string; shutdown: Shutdown },
): Promise<RoundTracer | undefined> {
  if (trace === undefined) return undefined;
  // Loaded here: most peers have no use for it.
  const { createOtlpSender, randomSpanId } = await import("../system/http/otlp-sender.ts");
  const sender = createOtlpSender(trace, { instance: peer, logger: logs.of("events") });
  shutdown.add(() => sender.close());
  return new RoundTracer({ sender, clock, spanId: randomSpanId, networkId: networkId(manifest), peer });
}

/** This peer's sketch, published, and comparisons with the others'; undefined where the network does not weigh by data. */
async function openDataSimilarity(
  { manifest, examples, sketchNoise }: NetworkPeerOptions,
  {
    exchange: { sketches },
    training: { trainer, privacy },
    peer,
    logger,
  }: {
    readonly logger: Logger;
    readonly exchange: Exchange;
    readonly training: PeerTraining;
    readonly peer: string;
  },
): Promise<DataSimilarity | undefined> {
  const { weights } = manifest.aggregation;
  if (sketches === undefined || weights?.kind !== "similarity" || weights.data === undefined) return undefined;
  const own = { manifest, examples: examples.train.length, peerSeed: ownSeed(peer), noise: sketchNoise };
  await publishSketch({ sketches, trainer, privacy, random: createSecureRandom(), logger }, own);
  return createDataSimilarity({ sketches, distances: trainer.distances }, weights.data);
}

/** A seed for what is this peer's own, such as its batch order; its id stands for it, the key is not touched. */
function ownSeed(peer: string): number {
  return createPrng(0).fork(peer).uint32();
}

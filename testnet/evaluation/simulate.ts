/**
 * n peers in one process on one base model. Training, signed updates, their encoding and the aggregation are the
 * product's own; only the transport between the peers is left out: everybody hears everybody, every round, unless the
 * options say who meets whom.
 */

import {
  dataSimilarity,
  emptyReference,
  isFinitePoint,
  type ReferenceState,
  type RememberedAggregate,
  sketchOfFeatures,
} from "../../node/aggregation/index.ts";
import type { Logger } from "../../node/interface/logger.ts";
import type { ExampleSets, Trainer } from "../../node/interface/trainer.ts";
import { NO_TRIAL, type TrialMemory } from "../../node/lambda/trial.ts";
import { SKETCH_EXAMPLES } from "../../node/peer/publish-sketch.ts";
import { aggregateRound, holdToReference } from "../../node/round/aggregate-round.ts";
import type { NeighbourScore } from "../../node/round/neighbour-scores.ts";
import { fallbackAdapters, goOnFrom, hasDiverged } from "../../node/round/recover-adapter.ts";
import { fisherOptions } from "../../node/training/fisher.ts";
import { createTrainer } from "../../node/training/trainer.ts";
import { createSigner } from "../../protocol/envelope.ts";
import { type NetworkManifest, networkId } from "../../protocol/network-manifest.ts";
import { createPrng } from "../../protocol/prng.ts";
import { readSketch, type SketchComponent, signSketch } from "../../protocol/sketch.ts";
import { type Attack, flipLabels, trainsLiar } from "./attack.ts";
import type { SharedBase } from "./base.ts";
import { type Exchange, type ExchangingPeer, honestExchange, lyingExchange } from "./exchange.ts";
import { createInboxes, createOutbox } from "./inbox.ts";
import { createJury, type Jury, type PeerScores } from "./jury.ts";
import { type MeetingKind, type Meetings, meetingsOf } from "./meetings.ts";
import { hearsOthers, type Method, manifestOf, type SwarmSettings } from "./method.ts";
import type { PeerData } from "./peer-data.ts";

/** One simulation. */
export interface SimulateOptions {
  readonly base: SharedBase;
  /** One for each peer. */
  readonly data: readonly PeerData[];
  readonly method: Method;
  readonly settings: SwarmSettings;
  /** The seed of the network, and of each peer's order of batches. */
  readonly seed: number;
  /** How the last of the peers lie; absent when nobody does. */
  readonly attack?: Attack;
  /** How many of them lie; 1 when absent. */
  readonly liars?: number;
  /** Who meets whom where nobody lies; everybody when absent. */
  readonly meetings?: MeetingKind;
  /** Whether peers are scored on each other's data as well; true when absent. */
  readonly scoresOthers?: boolean;
  /** Rounds between two looks at the validation sets; 1 when absent. */
  readonly lookEvery?: number;
  readonly signal?: AbortSignal;
  readonly onRound?: (round: number, validationLoss: number) => void;
  /** Told the validation loss of each honest peer before and after each aggregation; it costs an evaluation. */
  readonly onMix?: (mix: { readonly round: number; readonly own: number; readonly mixed: number }) => void;
}

/** The outcome for one simulated peer. */
export interface PeerResult {
  /** On the peer's own test set, and on those of peers with other tasks, at the end. */
  readonly own: PeerScores;
  readonly others: PeerScores;
  /** On the validation sets: before the first round, then as the adapter left every round that was looked at. */
  readonly ownCurve: readonly PeerScores[];
  readonly othersCurve: readonly PeerScores[];
  /** All trained values as they are at the end, f32[P]. */
  readonly adapter: Float32Array;
  /** The lambda of each round. */
  readonly lambdas: readonly number[];
  /** Rounds whose aggregate was refused. */
  readonly refused: number;
  /** Whether its training diverged for good, so that its process would have ended. */
  readonly hasExited: boolean;
}

/** The outcome of a simulation. */
export interface SimulationResult {
  /** The honest ones. */
  readonly peers: readonly PeerResult[];
  /** Honest updates for which a peer would have blamed somebody. */
  readonly blamed: number;
  /** Rounds that were over at each look of the curves. */
  readonly looks: readonly number[];
  /** Values that a peer trains, and those that it sends. */
  readonly trainedParameters: number;
  readonly sentParameters: number;
  /** One update's envelope; 0 where nothing is sent. */
  readonly updateBytes: number;
  /** Seconds of the processor, of all peers together. */
  readonly seconds: { readonly train: number; readonly aggregate: number; readonly evaluate: number };
}

interface SimulatedPeer extends ExchangingPeer {
  readonly trainer: Trainer;
  reference: ReferenceState;
  trial: TrialMemory;
  aggregate: RememberedAggregate | undefined;
  /** The adapter from before others' values last came into it. */
  before: Float32Array | undefined;
  refused: number;
  hasExited: boolean;
  /** The best loss on its validation set after any round. */
  bestLoss: number;
  readonly lambdas: number[];
  scores: readonly NeighbourScore[] | undefined;
  /** S_data of each other peer, where the method weighs by it. */
  alike: ReadonlyMap<string, number>;
}

/** Throws: what the trainer, the manifest or the data are refused with; the signal's reason between two rounds. */
export async function simulate(options: SimulateOptions): Promise<SimulationResult> {
  const { base, data, method, settings, seed, attack, scoresOthers = true } = options;
  const liars = attack === undefined ? 0 : (options.liars ?? 1);
  const manifest = manifestOf(method, { modelDirectory: base.directory, peers: data.length, seed, settings });
  const honest = data.slice(0, data.length - liars);
  const jury = await createJury(base, { adapter: method.adapter, networkSeed: seed, data: honest, scoresOthers });
  const pooled = method.exchange === "pooled";
  const sets = pooled ? [poolOf(data)] : data.map((peer) => peer.sets);
  if (attack === "label-flip") sets.push(...sets.splice(-liars).map(flipLabels));
  const inboxes = createInboxes(manifest);
  const peers: SimulatedPeer[] = [];
  for (const [index, one] of sets.entries()) {
    peers.push(await startPeer(base, { manifest, sets: one, seed, index, inboxes }));
  }
  const swarm: Swarm = {
    manifest,
    peers,
    honest: pooled ? peers : peers.slice(0, honest.length),
    judged: honest.map((_, index) => peers[pooled ? 0 : index]!),
    trained: attack !== undefined && !trainsLiar(attack) ? peers.slice(0, honest.length) : peers,
    jury,
    seconds: { train: 0, aggregate: 0, evaluate: 0 },
  };
  try {
    await timed(swarm, "aggregate", () => compareData(peers, { manifest, sets, seed }));
    const everybody = { peers: peers.length, seed };
    const meetings = meetingsOf(hearsOthers(method) ? options.meetings : undefined, everybody);
    const exchange = await exchangeOf(peers, { method, manifest, attack, liars, meetings });
    const { looks, updateBytes } = await runRounds(swarm, { ...options, exchange, attendance: meetings });
    const results: PeerResult[] = [];
    for (const [peer, { trainer, lambdas, refused, hasExited }] of swarm.judged.entries()) {
      const { adapter } = await trainer.state();
      const closing = await timed(swarm, "evaluate", () => jury.close(peer, adapter));
      results.push({ ...closing, adapter, lambdas, refused, hasExited });
    }
    const trainedParameters = results[0]!.adapter.length;
    const sentParameters = (await peers[0]!.trainer.adapter()).length;
    const { seconds } = swarm;
    const blamed = exchange?.blamed() ?? 0;
    return { peers: results, blamed, looks, trainedParameters, sentParameters, updateBytes, seconds };
  } finally {
    for (const { trainer } of peers) await trainer.close();
  }
}

/** Everybody who takes part in a simulation. */
interface Swarm {
  readonly manifest: NetworkManifest;
  readonly peers: readonly SimulatedPeer[];
  readonly honest: readonly SimulatedPeer[];
  /** Who has the adapter that is scored on each honest peer's data. */
  readonly judged: readonly SimulatedPeer[];
  /** Those that train: the honest ones, and liars whose lies are made of what they trained. */
  readonly trained: readonly SimulatedPeer[];
  readonly jury: Jury;
  readonly seconds: { train: number; aggregate: number; evaluate: number };
}

async function timed<T>({ seconds }: Swarm, what: keyof Swarm["seconds"], work: () => Promise<T>): Promise<T> {
  const before = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(before);
  seconds[what] += (user + system) / 1e6;
  return result;
}

async function runRounds(
  swarm: Swarm,
  options: SimulateOptions & { readonly exchange: Exchange | undefined; readonly attendance: Meetings },
): Promise<{ readonly looks: readonly number[]; readonly updateBytes: number }> {
  const { manifest, peers, honest, judged, trained, jury } = swarm;
  const { exchange, attendance, lookEvery = 1, onRound, onMix, signal = new AbortController().signal } = options;
  const look = (): Promise<void> =>
    timed(swarm, "evaluate", async () => {
      for (const [peer, { trainer }] of judged.entries()) await jury.look(peer, (await trainer.state()).adapter);
    });
  const looks: number[] = [0];
  let updateBytes = 0;
  await look();
  for (let round = 0; round < manifest.rounds.count; round++) {
    signal.throwIfAborted();
    const isPresent = (peer: SimulatedPeer): boolean => attendance.isPresent(peers.indexOf(peer), round);
    for (const peer of trained.filter(isPresent)) await timed(swarm, "train", () => trainOrRecover(peer, manifest));
    const losses = await timed(swarm, "aggregate", async () => {
      if (exchange)
        updateBytes = exchange.round(round, await Promise.all(peers.map(({ trainer }) => trainer.adapter())));
      const results: number[] = [];
      for (const peer of honest.filter(isPresent)) {
        const own = onMix && (await peer.trainer.evaluate({ set: "validation" })).loss;
        const mixed = await aggregate(peer, { manifest, round, signal });
        if (onMix && own !== undefined) onMix({ round, own, mixed });
        results.push(mixed);
      }
      return results;
    });
    if ((round + 1) % lookEvery === 0 || round + 1 === manifest.rounds.count) {
      await look();
      looks.push(round + 1);
    }
    onRound?.(round, losses.reduce((sum, loss) => sum + loss, 0) / losses.length);
  }
  return { looks, updateBytes };
}

async function startPeer(
  base: SharedBase,
  {
    manifest,
    sets,
    seed,
    index,
    inboxes,
  }: {
    readonly manifest: NetworkManifest;
    readonly sets: ExampleSets;
    readonly seed: number;
    readonly index: number;
    readonly inboxes: ReturnType<typeof createInboxes>;
  },
): Promise<SimulatedPeer> {
  const prng = createPrng(seed).fork(`evaluation-peer-${index}`);
  const secretKey = Uint8Array.from({ length: 32 }, () => prng.below(256));
  const trainer = await createTrainer(
    { runtime: base.runtime, files: base.files },
    {
      modelDirectory: base.directory,
      adapter: manifest.adapter,
      training: manifest.training,
      networkSeed: manifest.seed,
      peerSeed: prng.uint32(),
      data: sets,
      engine: { threads: base.threads },
      ...(manifest.head !== undefined && { head: manifest.head }),
      ...fisherOptions(manifest.reference),
      totalSteps: manifest.rounds.count * manifest.rounds.localSteps,
    },
  );
  const signer = createSigner(secretKey);
  return {
    signer,
    trainer,
    outbox: createOutbox(manifest, { signer, sampleCount: sets.train.length }),
    inbox: inboxes.inboxOf(signer.peer),
    reference: emptyReference(manifest.reference),
    trial: NO_TRIAL,
    aggregate: undefined,
    before: undefined,
    refused: 0,
    hasExited: false,
    bestLoss: Number.NaN,
    lambdas: [],
    // Looks that only a status line shows would cost an evaluation or two each round, and change nothing.
    scores: manifest.aggregation.weights?.kind === "score" ? [] : undefined,
    alike: new Map(),
  };
}

/** One round's local steps; a peer that diverges goes back as the round driver does, until there is nothing to go back to. */
async function trainOrRecover(peer: SimulatedPeer, manifest: NetworkManifest): Promise<void> {
  if (peer.hasExited) return;
  const fallbacks = fallbackAdapters({ before: peer.before, past: peer.reference });
  for (;;) {
    await holdToReference(peer.trainer, peer.reference, manifest);
    try {
      await peer.trainer.train({ steps: manifest.rounds.localSteps });
      if (isFinitePoint(await peer.trainer.adapter())) return;
    } catch (error) {
      if (!hasDiverged(error)) throw error;
      peer.hasExited = fallbacks.length === 0;
      if (peer.hasExited) return;
    }
    await goOnFrom(peer.trainer, fallbacks.shift());
    peer.reference = emptyReference(manifest.reference);
    peer.aggregate = undefined;
    peer.before = undefined;
    peer.trial = { state: peer.trial.state };
    peer.refused += 1;
  }
}

/** Sketches as peers would send them, and how alike each finds the others'. */
async function compareData(
  peers: readonly SimulatedPeer[],
  {
    manifest,
    sets,
    seed,
  }: { readonly manifest: NetworkManifest; readonly sets: readonly ExampleSets[]; readonly seed: number },
): Promise<void> {
  const { weights } = manifest.aggregation;
  const data = weights?.kind === "similarity" ? weights.data : undefined;
  if (data === undefined) return;
  const sketches = new Map<SimulatedPeer, readonly SketchComponent[]>();
  for (const [index, peer] of peers.entries()) {
    const examples = sets[index]!.train.slice(0, SKETCH_EXAMPLES).map((_, i) => i);
    const pooled = await peer.trainer.features({ examples });
    const components = sketchOfFeatures(pooled, { networkSeed: manifest.seed, peerSeed: seed + index });
    const sent = signSketch({ networkId: networkId(manifest), components }, peer.signer);
    sketches.set(peer, readSketch(sent).components);
  }
  for (const peer of peers) {
    const others = [...sketches].filter(([other]) => other !== peer);
    const own = sketches.get(peer)!;
    peer.alike = new Map(
      others.map(([{ signer }, sketch]) => [signer.peer, dataSimilarity(own, sketch, data.temperature)]),
    );
  }
}

/** undefined for methods in which nothing is exchanged. */
async function exchangeOf(
  peers: readonly SimulatedPeer[],
  options: {
    readonly method: Method;
    readonly manifest: NetworkManifest;
    readonly attack: Attack | undefined;
    readonly liars: number;
    readonly meetings: Meetings;
  },
): Promise<Exchange | undefined> {
  const { method, manifest, attack, liars, meetings } = options;
  if (!hearsOthers(method)) return undefined;
  if (attack === undefined) return honestExchange(peers, meetings);
  // Nobody has trained yet.
  const start = await peers.at(-1)!.trainer.adapter();
  return lyingExchange(peers, { attack, liars, manifest, start });
}

async function aggregate(
  peer: SimulatedPeer,
  {
    manifest,
    round,
    signal,
  }: { readonly manifest: NetworkManifest; readonly round: number; readonly signal: AbortSignal },
): Promise<number> {
  const result = await aggregateRound(
    { trainer: peer.trainer, logger: SILENT, clock: performance },
    {
      manifest,
      peer: peer.signer.peer,
      neighbours: peer.inbox.latest().map((update) => ({ ...update, dataSimilarity: peer.alike.get(update.peer) })),
      reference: peer.reference,
      trial: peer.trial,
      aggregate: peer.aggregate,
      scores: peer.scores,
      expectedLoss: peer.bestLoss,
      round,
      asOf: round,
      signal,
    },
  );
  peer.reference = result.reference;
  peer.trial = result.trial;
  if (peer.scores) peer.scores = result.scores;
  peer.aggregate = result.aggregate;
  peer.before = result.before;
  if (result.refusal !== undefined) peer.refused += 1;
  peer.lambdas.push(result.lambda);
  // Not Math.min, which a loss that is not finite would stay in.
  if (!(result.validation.loss >= peer.bestLoss)) peer.bestLoss = result.validation.loss;
  return result.validation.loss;
}

function poolOf(data: readonly PeerData[]): ExampleSets {
  return {
    train: data.flatMap(({ sets }) => sets.train),
    validation: data.flatMap(({ sets }) => sets.validation),
    test: data.flatMap(({ sets }) => sets.test),
  };
}

const nothing = (): void => undefined;
/** Remarks of a rule belong to a peer's log, and the table counts what matters: this logger is silent. */
const SILENT: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };

/**
 * The round driver: does what the round machine decides, one thing after another, and tells it what came of it.
 * Training, publishing, aggregating and saving take turns here; what arrives from others meanwhile only moves the
 * machine's state.
 */
import { parameterCount } from "../../protocol/adapter-spec.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { type NetworkManifest, networkId } from "../../protocol/network-manifest.ts";
import { type Aggregator, emptyReference, type NeighbourUpdate } from "../aggregation/index.ts";
import type { Checkpoints } from "../interface/checkpoint.ts";
import type { Clock } from "../interface/clock.ts";
import { NOT_SAMPLED, type PublishedUpdate, type ReceivedUpdate, type UpdateExchange } from "../interface/exchange.ts";
import type { Logger } from "../interface/logger.ts";
import type { PeerEvent, PeerReport } from "../interface/peer-event.ts";
import type { PrivacyGuard } from "../interface/privacy-guard.ts";
import type { DataSimilarity } from "../interface/sketches.ts";
import type { ExampleSets, Trainer } from "../interface/trainer.ts";
import { type AggregatedRound, aggregateRound, heardNeighbours, holdToReference } from "./aggregate-round.ts";
import { closingEvaluation } from "./closing-evaluation.ts";
import { whenDiskHasSpace } from "./disk-space.ts";
import { exampleDigests } from "./example-digests.ts";
import { forgettingOf, NO_FORGETTING, NO_SCORES } from "./forgetting.ts";
import {
  initialRoundState,
  positionOf,
  type RoundEffect,
  type RoundEvent,
  type RoundSettings,
  type RoundState,
  step,
} from "./machine.ts";
import { deadlineOf } from "./pace.ts";
import {
  decodeMemory,
  type EvaluationProgress,
  encodeMemory,
  type MemoryOwner,
  NO_PROGRESS,
  type PeerMemory,
  SUMMARIES_MAX,
} from "./peer-memory.ts";
import { createRoundMeter, peerReport, type RoundMeter, roundSummary } from "./round-meter.ts";
import { NO_TRIAL } from "./trial.ts";

export interface RoundDependencies {
  /** Ready, and at the network's common start unless there is a checkpoint. */
  readonly trainer: Trainer;
  readonly exchange: UpdateExchange;
  readonly checkpoints: Checkpoints;
  readonly clock: Clock;
  readonly logger: Logger;
  /** On another thread than this one, which is the network's; here when absent. */
  readonly aggregate?: Aggregator;
  /** What lets updates out, where the peer has a privacy budget. */
  readonly privacy?: PrivacyGuard;
  /** Where the network weighs by data sets too. */
  readonly similarity?: DataSimilarity;
  /** Receives `step`, `update`, `published`, `round`, `jumped`, `paused`, `privacy` and `finished`; must not throw. */
  readonly emit: (event: PeerEvent) => void;
}

export interface RoundOptions {
  readonly manifest: NetworkManifest;
  /** This peer's own id. */
  readonly peer: string;
  /** What this peer trains on; a checkpoint goes on with the same only. */
  readonly examples: ExampleSets;
  /** Afterwards train alone for as many steps, to compare. */
  readonly compareAlone: boolean;
}

export interface RoundDriver {
  /** Where `run` goes on; round 0 without a checkpoint. */
  readonly position: { readonly round: number; readonly resumed: boolean };
  /**
   * All rounds, then the closing evaluation. Resolves with the report, or with undefined when stopped before. Once.
   * Throws: TRAINING_DIVERGED, and whatever else its parts cannot go on after.
   */
  run(): Promise<PeerReport | undefined>;
  /** Finish the steps that are running, save, and end `run`; idempotent. */
  stop(): Promise<void>;
  /** The network goes on under another manifest from this round on: the round before it is this one's last. */
  endBefore(round: number): void;
  /** Of the machine, for a status line. */
  status(): { readonly phase: RoundState["phase"]; readonly round: number };
}

/** Local steps between two checkpoints: what a kill can lose at most. */
export const CHUNK_STEPS = 8;

/**
 * A driver that goes on from the newest checkpoint; the trainer and the reference model are restored from it.
 * Throws: CHECKPOINT_CORRUPT, MANIFEST_MISMATCH, DATA_MISMATCH, DATA_DIRECTORY.
 */
export async function createRoundDriver(dependencies: RoundDependencies, options: RoundOptions): Promise<RoundDriver> {
  const { manifest } = options;
  const checkpoint = await dependencies.checkpoints.load();
  const owner: MemoryOwner = { network: networkId(manifest), examples: exampleDigests(options.examples) };
  if (checkpoint === undefined) {
    const memory: Memory = {
      reference: emptyReference(manifest.reference),
      position: { round: manifest.succeeds?.round ?? 0, phase: "training" },
      pace: [],
      progress: NO_PROGRESS,
      stepsTaken: 0,
      summaries: [],
      trial: NO_TRIAL,
      best: NO_SCORES,
      forgetting: NO_FORGETTING,
      evaluation: { stage: "none" },
    };
    return new Driver(dependencies, { ...options, owner, memory, resumed: false });
  }
  const { trainer, ...memory } = decodeMemory(checkpoint, {
    ...owner,
    reference: manifest.reference,
    parameterCount: parameterCount(manifest.tensors),
    trainedCount: (await dependencies.trainer.state()).adapter.length,
  });
  await dependencies.trainer.restore(trainer);
  return new Driver(dependencies, { ...options, owner, memory, resumed: true });
}

type Memory = Omit<PeerMemory, "trainer">;

/** What ends the run early when `stop` was called; never seen outside. */
class Stopped extends Error {}

class Driver implements RoundDriver {
  readonly position: RoundDriver["position"];
  readonly #dependencies: RoundDependencies;
  readonly #options: RoundOptions & { readonly owner: MemoryOwner };
  readonly #meter: RoundMeter;
  readonly #stopping = new AbortController();
  readonly #effects: Work[] = [];
  #memory: Memory;
  #state: RoundState;
  #wake: (() => void) | undefined;
  #cancelDeadline: (() => void) | undefined;
  /** Nothing is sent any more, which is said once. */
  #hasSaidSpent = false;
  #hasEnded = false;
  /** Neighbours that this peer counted in its update of the round. */
  #announced: number | undefined;
  #running: Promise<PeerReport | undefined> | undefined;

  constructor(
    dependencies: RoundDependencies,
    options: RoundOptions & { readonly owner: MemoryOwner; readonly memory: Memory; readonly resumed: boolean },
  ) {
    const { memory, resumed } = options;
    this.#dependencies = dependencies;
    this.#options = options;
    this.#memory = memory;
    this.#state = initialRoundState(roundSettings(options.manifest), memory.pace);
    this.#meter = createRoundMeter(dependencies, memory.progress);
    this.position = { round: memory.position.round, resumed };
  }

  status(): { readonly phase: RoundState["phase"]; readonly round: number } {
    const { phase, round } = this.#state;
    return { phase, round };
  }

  endBefore(round: number): void {
    this.#tell({ type: "shortened", count: round });
  }

  run(): Promise<PeerReport | undefined> {
    this.#running ??= this.#run();
    return this.#running;
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Stopped("the peer is stopping"));
    this.#wake?.();
    // Whoever called `run` hears of its failure.
    await this.#running?.catch(() => undefined);
  }

  async #run(): Promise<PeerReport | undefined> {
    this.#listen();
    try {
      this.#tell({ type: "started", position: this.#memory.position });
      for (let effect = await this.#next(); effect !== undefined; effect = await this.#next()) {
        if (effect.type === "finish") return this.#finish();
        await this.#do(effect);
      }
    } catch (error) {
      if (!(error instanceof Stopped)) throw error;
    } finally {
      this.#hasEnded = true;
      this.#cancelDeadline?.();
    }
    // Not after `finish`: everything is saved then.
    await this.#saveOnce();
    return undefined;
  }

  /** The next thing to do; undefined when stopping. */
  async #next(): Promise<Work | undefined> {
    while (this.#effects.length === 0 && !this.#stopping.signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#stopping.signal.aborted ? undefined : this.#effects.shift();
  }

  /** Everything that comes from others goes into the machine's state at once. */
  #listen(): void {
    const { exchange, emit } = this.#dependencies;
    // Of who is not there, somebody may keep old announcements and pass them on one after another.
    const isNeighbour = (peer: string): boolean => exchange.admitted().includes(peer);
    exchange.onUpdate(({ from, round, verdict, code }) => {
      if (this.#hasEnded) return;
      emit({ type: "update", round: round ?? this.#state.round, from, verdict, code });
      const isNews = verdict === "accept" || code === NOT_SAMPLED || (isOfAnotherTime(code) && isNeighbour(from));
      if (isNews && round !== undefined) this.#tell({ type: "updateHeard", peer: from, round });
    });
    const join = (peer: string): void => {
      if (exchange.isAuthor(peer)) this.#tell({ type: "peerJoined", peer });
    };
    exchange.onAdmitted(join);
    exchange.onLeft((peer) => this.#tell({ type: "peerLeft", peer }));
    // What was received before a restart says how far the others were, not that they are there.
    for (const { peer, round } of exchange.latest()) {
      this.#tell({ type: "updateHeard", peer, round });
      this.#tell({ type: "peerLeft", peer });
    }
    for (const peer of exchange.admitted()) join(peer);
  }

  #tell(event: Untimed<RoundEvent>): void {
    if (this.#hasEnded) return;
    const { clock } = this.#dependencies;
    const before = this.#state;
    const next = step(before, { ...event, now: clock.now() } as RoundEvent);
    this.#state = next.state;
    if (next.state.turn !== before.turn || event.type === "started") this.#tellRound();
    for (const effect of next.effects) {
      if (effect.type === "setDeadline") this.#setDeadline(effect.at);
      else if (effect.type === "cancelDeadline") this.#cancelDeadline?.();
      else this.#effects.push(effect);
    }
    this.#wake?.();
  }

  /** Who has just started, or heard nothing fresh, may be far behind: then updates of any later round are welcome. */
  #tellRound(): void {
    const { round, turn } = this.#state;
    const catchingUp = turn === 0 || this.#memory.summaries.at(-1)?.neighbours === 0;
    this.#dependencies.exchange.setRound(round, { catchingUp });
  }

  #setDeadline(at: number): void {
    const { clock, exchange, logger } = this.#dependencies;
    this.#cancelDeadline?.();
    const waitMs = at - clock.now();
    // Half of it is long enough to believe that an announcement was lost rather than late.
    const cancelAsking = clock.after(waitMs / 2, () => {
      exchange.announceAgain().catch((error: unknown) => logger.debug("asking again failed", { error }));
    });
    const cancelDeadline = clock.after(waitMs, () => this.#tell({ type: "deadline", at }));
    this.#cancelDeadline = () => {
      cancelAsking();
      cancelDeadline();
    };
  }

  async #do(effect: Exclude<Work, { type: "finish" }>): Promise<void> {
    switch (effect.type) {
      case "train":
        return this.#train(effect.round, effect.steps);
      case "publish":
        return this.#publish(effect.round);
      case "aggregate":
        return this.#aggregate(effect.round, effect.asOf);
      case "checkpoint":
        return this.#save();
      case "evaluate":
        return this.#evaluate();
    }
  }

  async #train(round: number, steps: number): Promise<void> {
    const { trainer, privacy, emit } = this.#dependencies;
    if (!this.#isAuthor()) {
      // An observer takes what the others have made of the adapter, and makes nothing of its own.
      this.#tell({ type: "trained" });
      return;
    }
    await holdToReference(trainer, this.#memory.reference, this.#options.manifest);
    if (privacy && this.#meter.progress().stepsDone === 0) {
      const start = { round, theta: await trainer.adapter() };
      await this.#patiently(() => privacy.roundStarts(start));
    }
    for (let done = this.#meter.progress().stepsDone; done < steps; ) {
      this.#stopping.signal.throwIfAborted();
      const chunk = Math.min(CHUNK_STEPS, steps - done);
      let index = done;
      const onStep = (loss: number): void => emit({ type: "step", round, step: ++index, steps, loss, phase: "swarm" });
      if (privacy) await this.#patiently(() => privacy.beforeSteps(chunk));
      const result = await this.#meter.during("train", () => trainer.train({ steps: chunk, onStep }));
      this.#meter.trained(chunk, result);
      this.#memory = { ...this.#memory, stepsTaken: this.#memory.stepsTaken + chunk };
      done += chunk;
      // The last chunk is saved together with the decision to publish.
      if (done < steps) await this.#save();
    }
    this.#tell({ type: "trained" });
  }

  async #publish(round: number): Promise<void> {
    const { trainer, exchange, privacy, logger, emit } = this.#dependencies;
    const { examples, manifest } = this.#options;
    const trained = await trainer.adapter();
    this.#meter.begin("network");
    if (!this.#isAuthor()) {
      this.#tell({ type: "published" });
      return;
    }
    const { localSteps } = manifest.rounds;
    this.#announced = this.#countedNeighbours();
    const claim = this.#announced === undefined ? {} : { neighbours: this.#announced };
    if (privacy === undefined) {
      const update = { round, theta: trained, localSteps, sampleCount: examples.train.length, ...claim };
      this.#published(round, await this.#patiently(() => exchange.publish(update)));
    } else if (!exchange.hasPublished(round)) {
      const theta = await this.#patiently(() => privacy.release({ round, theta: trained }));
      emit({ type: "privacy", status: privacy.status() });
      // How many examples there are is of the data too.
      const update = theta && { round, theta, localSteps, sampleCount: 1, ...claim };
      if (update) {
        this.#published(round, await this.#patiently(() => exchange.publish(update)));
      } else if (!this.#hasSaidSpent) {
        logger.warn("the privacy budget is spent, nothing is sent any more", { round, ...privacy.status() });
        this.#hasSaidSpent = true;
      }
    }
    this.#tell({ type: "published" });
  }

  #published(round: number, update: PublishedUpdate | undefined): void {
    if (update === undefined) return;
    this.#meter.published(update.bytes);
    this.#dependencies.emit({ type: "published", round, ...update });
  }

  async #aggregate(round: number, asOf: number): Promise<void> {
    const { exchange, privacy, logger, emit } = this.#dependencies;
    const { peer } = this.#options;
    this.#meter.end("network");
    const { signal } = this.#stopping;
    const manifest = this.#ownManifest();
    const { reference, trial } = this.#memory;
    const heard = heardNeighbours({ manifest, peer, neighbours: exchange.latest(), round });
    const neighbours = await this.#withDataSimilarity(heard);
    const announced = this.#announced;
    const options = { manifest, peer, neighbours, announced, reference, trial, round, asOf, signal };
    const aggregated = await this.#meter.during("aggregate", () => aggregateRound(this.#dependencies, options));
    if (privacy) await this.#patiently(() => privacy.aggregated({ neighbours, asOf }));
    this.#closeRound(round, aggregated);
    if (asOf > round) {
      logger.warn("fell behind, going on where the others are", { from: round, to: asOf + 1 });
      emit({ type: "jumped", from: round, to: asOf + 1 });
    }
    this.#tell({ type: "aggregated", again: !this.#isAuthor() && aggregated.neighbours === 0 });
  }

  async #withDataSimilarity(heard: readonly ReceivedUpdate[]): Promise<readonly NeighbourUpdate[]> {
    const { similarity } = this.#dependencies;
    if (similarity === undefined || heard.length === 0) return heard;
    const alike = await similarity.of(heard.map(({ peer }) => peer));
    return heard.map((update) => ({ ...update, dataSimilarity: alike.get(update.peer) }));
  }

  /** Where neighbours weigh by how many each has: those of the last aggregate, at first those that are connected. */
  #countedNeighbours(): number | undefined {
    if (this.#options.manifest.aggregation.weights?.kind !== "metropolis") return undefined;
    const last = this.#memory.summaries.at(-1)?.neighbours ?? this.#dependencies.exchange.admitted().length;
    return Math.min(last, LIMITS.headsCountMax);
  }

  /** Whether this peer's role is one that trains and sends. */
  #isAuthor(): boolean {
    return this.#dependencies.exchange.isAuthor(this.#options.peer);
  }

  /** The network's manifest, with this peer's own lambda where its privacy or its role asks for one. */
  #ownManifest(): NetworkManifest {
    const { manifest } = this.#options;
    const { privacy } = this.#dependencies;
    const whole = { mode: "fixed", value: 1 } as const;
    if (!this.#isAuthor()) return { ...manifest, aggregation: { ...manifest.aggregation, lambda: whole } };
    if (privacy === undefined) return manifest;
    return { ...manifest, aggregation: { ...manifest.aggregation, lambda: privacy.lambda } };
  }

  #closeRound(round: number, aggregated: AggregatedRound): void {
    const { emit } = this.#dependencies;
    const deadlineMs = deadlineOf(this.#state.pace, this.#state.settings.deadlineMs);
    const { best, forgetting } = forgettingOf(this.#memory.best, aggregated.validation);
    const summary = roundSummary(this.#meter.takeRound(), { round, aggregated, forgetting, deadlineMs });
    const summaries = [...this.#memory.summaries, summary].slice(-SUMMARIES_MAX);
    this.#memory = {
      ...this.#memory,
      reference: aggregated.reference,
      trial: aggregated.trial,
      summaries,
      best,
      forgetting,
    };
    emit({ type: "round", summary, forgetting });
  }

  async #evaluate(): Promise<void> {
    const { trainer, logger, emit } = this.#dependencies;
    const { compareAlone, manifest } = this.#options;
    const steps = manifest.rounds.localSteps;
    const save = async (evaluation: EvaluationProgress): Promise<void> => {
      this.#memory = { ...this.#memory, evaluation };
      await this.#save();
    };
    const onStep = (index: number, loss: number): void =>
      emit({ type: "step", round: Math.floor(index / steps), step: (index % steps) + 1, steps, loss, phase: "alone" });
    const evaluation = await closingEvaluation(
      { trainer, logger, save, onStep },
      {
        progress: this.#memory.evaluation,
        compareAlone,
        steps: this.#memory.stepsTaken,
        chunkSteps: CHUNK_STEPS,
        signal: this.#stopping.signal,
      },
    );
    this.#memory = { ...this.#memory, evaluation };
    this.#tell({ type: "evaluated" });
  }

  #finish(): PeerReport {
    const { evaluation, summaries, forgetting } = this.#memory;
    if (evaluation.stage !== "done") throw new Error(`finished while the evaluation is at stage ${evaluation.stage}`);
    const report = peerReport(this.#options.peer, { evaluation, summaries, forgetting });
    this.#dependencies.emit({ type: "finished", report });
    return report;
  }

  /** Durable when it resolves; waits for space on a full disk. */
  async #save(): Promise<void> {
    const checkpoint = await this.#checkpoint();
    await this.#patiently(() => this.#dependencies.checkpoints.save(checkpoint));
  }

  /** While stopping there is no time to wait for space: the checkpoint before it is still there. */
  async #saveOnce(): Promise<void> {
    try {
      await this.#dependencies.checkpoints.save(await this.#checkpoint());
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#dependencies.logger.warn("could not save while stopping, the last checkpoint stays", { reason });
    }
  }

  async #checkpoint(): Promise<ReturnType<typeof encodeMemory>> {
    const { pace } = this.#state;
    const position = this.#state.phase === "idle" ? this.#memory.position : positionOf(this.#state);
    const trainer = await this.#dependencies.trainer.state();
    const progress = this.#meter.progress();
    return encodeMemory({ ...this.#memory, trainer, position, pace, progress }, this.#options.owner);
  }

  #patiently<T>(work: () => Promise<T>): Promise<T> {
    const { clock, logger, emit } = this.#dependencies;
    const onPause = (reason: string): void => emit({ type: "paused", reason });
    return whenDiskHasSpace(work, { clock, logger, signal: this.#stopping.signal, onPause });
  }
}

/** What takes time and its turn; deadlines are set at once. */
type Work = Exclude<RoundEffect, { readonly type: "setDeadline" | "cancelDeadline" }>;

/** Verdicts on what its author signed and nobody can use here, for where its author is. */
const isOfAnotherTime = (code: string): boolean => code === "ROUND_OLD" || code === "ROUND_AHEAD";

type Untimed<E> = E extends RoundEvent ? Omit<E, "now"> : never;

function roundSettings({ rounds, aggregation }: NetworkManifest): RoundSettings {
  return {
    count: rounds.count,
    localSteps: rounds.localSteps,
    deadlineMs: rounds.deadlineMs,
    ageMax: aggregation.ageMax,
  };
}

/**
 * The round driver does what the round machine decides, one thing after another, and tells the machine what came of it.
 * Training, publishing, aggregating and saving take turns. Messages that arrive meanwhile only move the machine's state.
 */
import { LIMITS } from "../../protocol/limits.ts";
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import { type Aggregator, isFinitePoint, type NeighbourUpdate, type OwnRule } from "../aggregation/index.ts";
import type { Checkpoints } from "../interface/checkpoint.ts";
import type { Clock } from "../interface/clock.ts";
import type { ReceivedUpdate, UpdateExchange } from "../interface/exchange.ts";
import type { Logger } from "../interface/logger.ts";
import { lossOf, type PeerEvent, type PeerReport, type RefusalReason, SUMMARIES_MAX } from "../interface/peer-event.ts";
import type { PrivacyGuard } from "../interface/privacy-guard.ts";
import type { DataSimilarity } from "../interface/sketches.ts";
import type { ExampleSets, Trainer } from "../interface/trainer.ts";
import { lambdaRuleOf } from "../lambda/peer-rule.ts";
import { type AggregatedRound, aggregateRound, heardNeighbours, holdToReference } from "./aggregate-round.ts";
import { type BestRoundDependencies, bestRoundOf, keepIfBest } from "./best-round.ts";
import { closingEvaluation } from "./closing-evaluation.ts";
import { whenDiskHasSpace } from "./disk-space.ts";
import { forgettingOf } from "./forgetting.ts";
import { positionOf, type RoundSettings, type RoundState } from "./machine.ts";
import { MachineHost, type Work } from "./machine-host.ts";
import { shownScores } from "./neighbour-scores.ts";
import { deadlineOf } from "./pace.ts";
import { PauseGate } from "./pause-gate.ts";
import { type EvaluationProgress, encodeMemory, type RoundMemory } from "./peer-memory.ts";
import { publishRound } from "./publish-round.ts";
import { fallbackAdapters, goOnFrom, hasDiverged, hasMixed, withoutPast } from "./recover-adapter.ts";
import { type RestoredMemory, restoreMemory } from "./restored-memory.ts";
import { createRoundMeter, expectedLossOf, peerReport, type RoundMeter, roundSummary } from "./round-meter.ts";
import { CHUNK_STEPS, trainRound } from "./train-round.ts";

/** What a peer's rounds need of the rest of the peer. */
export interface RoundDependencies extends Pick<BestRoundDependencies, "keepBest"> {
  /**
   * Ready, and at the network's common start unless there is a checkpoint. Of a peer with a privacy budget it counts its steps
   * (countedTrainer); where that finds the disk full, no step was taken.
   */
  readonly trainer: Trainer;
  readonly exchange: UpdateExchange;
  readonly checkpoints: Checkpoints;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Aggregates on another thread than this one, which is the network's. When absent, this thread aggregates. */
  readonly aggregate?: Aggregator;
  /** Puts the neighbours' adapters together in place of the manifest's rule. */
  readonly ownRule?: OwnRule;
  /** The guard that lets updates out, where the peer has a privacy budget. */
  readonly privacy?: PrivacyGuard;
  /** How alike data sets are; only where the network weighs by them. */
  readonly similarity?: DataSimilarity;
  /** Receives `step`, `update`, `published`, `mixed`, `round`, `refused`, `jumped`, `paused`, `resumed`, `privacy` and `finished`; must not throw. */
  readonly emit: (event: PeerEvent) => void;
}

/** One peer in one network. */
export interface RoundOptions {
  readonly manifest: NetworkManifest;
  /** This peer's own id. */
  readonly peer: string;
  /** The data that this peer trains on; a checkpoint goes on with the same only. */
  readonly examples: ExampleSets;
  /** Afterwards train alone for as many steps, to compare. */
  readonly compareAlone: boolean;
}

/** A peer's rounds, which are started once and can be stopped. */
export interface RoundDriver {
  /** The round in which `run` goes on; round 0 without a checkpoint. */
  readonly position: { readonly round: number; readonly resumed: boolean };
  /**
   * All rounds, then the closing evaluation. Resolves with the report, or with undefined when stopped before. Once.
   * Throws: TRAINING_DIVERGED, and whatever else its parts cannot go on after.
   */
  run(): Promise<PeerReport | undefined>;
  /** Finish the steps that are running, save, and end `run`; idempotent. */
  stop(): Promise<void>;
  /** Finish the steps that are running and begin nothing new until `resume`; others are heard and served. Idempotent. */
  pause(): void;
  /** Go on. Idempotent. */
  resume(): void;
  /** The network goes on under another manifest from this round on: the round before it is this one's last. */
  endBefore(round: number): void;
  /** The machine's phase and round, for a status line. */
  status(): { readonly phase: RoundState["phase"]; readonly round: number };
}

/**
 * A driver that goes on from the newest checkpoint; the trainer and the reference model are restored from it.
 * Throws: CHECKPOINT_CORRUPT, MANIFEST_MISMATCH, DATA_MISMATCH, DATA_DIRECTORY.
 */
export async function createRoundDriver(dependencies: RoundDependencies, options: RoundOptions): Promise<RoundDriver> {
  return new Driver(dependencies, { ...options, ...(await restoreMemory(dependencies, options)) });
}

/** What the base model does with this peer's data, which no round changes. */
const BASE_ON_VALIDATION = { set: "validation", adapter: "base", perExample: true } as const;

/** Ends the run early when `stop` was called. It is never seen outside. */
class Stopped extends Error {}

class Driver implements RoundDriver {
  readonly position: RoundDriver["position"];
  readonly #dependencies: RoundDependencies;
  readonly #options: RoundOptions & Pick<RestoredMemory, "owner" | "isRecovered">;
  readonly #meter: RoundMeter;
  readonly #stopping = new AbortController();
  readonly #machine: MachineHost;
  readonly #gate: PauseGate;
  #memory: RoundMemory;
  /** Whether it was said that the privacy budget is spent; it is said once. */
  #hasSaidSpent = false;
  /** Neighbours that this peer counted in its update of the round. */
  #announced: number | undefined;
  #running: Promise<PeerReport | undefined> | undefined;
  /** The adapter that training last went on from without anybody else's values in it, f32[P]; of this process. */
  #before: Float32Array | undefined;

  constructor(dependencies: RoundDependencies, options: RoundOptions & RestoredMemory) {
    const { memory, resumed } = options;
    const { trainer } = dependencies;
    const train: Trainer["train"] = async (steps) => {
      await this.#gate.pass(this.#stopping.signal);
      return await this.#patiently(() => trainer.train(steps));
    };
    this.#dependencies = { ...dependencies, trainer: { ...trainer, train } };
    this.#options = options;
    this.#gate = new PauseGate(dependencies);
    this.#memory = memory;
    const heardNothing = (): boolean => this.#memory.summaries.at(-1)?.neighbours === 0;
    this.#machine = new MachineHost(
      { ...dependencies, heardNothing },
      { settings: roundSettings(options.manifest), pace: memory.pace, signal: this.#stopping.signal },
    );
    this.#meter = createRoundMeter(dependencies, memory.progress);
    this.position = { round: memory.position.round, resumed };
  }

  status(): { readonly phase: RoundState["phase"]; readonly round: number } {
    const { phase, round } = this.#machine.state;
    return { phase, round };
  }

  endBefore(round: number): void {
    this.#machine.tell({ type: "shortened", count: round });
  }

  run(): Promise<PeerReport | undefined> {
    this.#running ??= this.#run();
    return this.#running;
  }

  pause(): void {
    this.#gate.close();
  }

  resume(): void {
    this.#gate.open();
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Stopped("the peer is stopping"));
    this.#machine.wake();
    // The caller of `run` hears of its failure.
    await this.#running?.catch(() => undefined);
  }

  async #run(): Promise<PeerReport | undefined> {
    this.#machine.listen();
    try {
      if (this.#options.isRecovered) this.#sayRefused(this.position.round, "checkpoint");
      this.#machine.tell({ type: "started", position: this.#memory.position });
      for (let effect = await this.#machine.next(); effect !== undefined; effect = await this.#machine.next()) {
        await this.#gate.pass(this.#stopping.signal);
        if (effect.type === "finish") return this.#finish();
        await this.#do(effect);
      }
    } catch (error) {
      if (!(error instanceof Stopped)) throw error;
    } finally {
      this.#machine.end();
    }
    // Not after `finish`: everything is saved then.
    await this.#saveOnce();
    return undefined;
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
      this.#machine.tell({ type: "trained" });
      return;
    }
    const { signal } = this.#stopping;
    const fallbacks = fallbackAdapters({ before: this.#before, past: this.#memory.reference });
    for (;;) {
      await holdToReference(trainer, this.#memory.reference, this.#options.manifest);
      try {
        await trainRound(
          {
            trainer,
            privacy,
            meter: this.#meter,
            emit,
            patiently: (work) => this.#patiently(work),
            onChunk: (count) => {
              this.#memory = { ...this.#memory, stepsTaken: this.#memory.stepsTaken + count };
            },
            save: () => this.#save(),
          },
          { round, steps, signal },
        );
        if (isFinitePoint(await trainer.adapter())) break;
      } catch (error) {
        if (!hasDiverged(error) || !hasMixed(this.#memory) || fallbacks.length === 0) throw error;
      }
      signal.throwIfAborted();
      // Others' values came into the adapter: back to one without them, as far as there is one.
      await goOnFrom(trainer, fallbacks.shift());
      this.#memory = withoutPast(this.#memory, this.#options.manifest.reference);
      this.#before = undefined;
      this.#sayRefused(round, "diverged");
    }
    this.#machine.tell({ type: "trained" });
  }

  #sayRefused(round: number, reason: RefusalReason): void {
    this.#dependencies.emit({ type: "refused", round, reason });
  }

  async #publish(round: number): Promise<void> {
    const { trainer, exchange, privacy, logger, emit } = this.#dependencies;
    const { examples, manifest } = this.#options;
    const trained = await trainer.adapter();
    this.#meter.begin("network");
    if (this.#isAuthor()) {
      this.#announced = this.#countedNeighbours();
      const outcome = await publishRound(
        { exchange, privacy, emit, patiently: (work) => this.#patiently(work) },
        {
          round,
          trained,
          localSteps: manifest.rounds.localSteps,
          sampleCount: examples.train.length,
          neighbours: this.#announced,
        },
      );
      if (outcome.type === "published" && outcome.update) {
        this.#meter.published(outcome.update.bytes);
        emit({ type: "published", round, ...outcome.update });
      } else if (outcome.type === "budget-spent" && !this.#hasSaidSpent) {
        // The event about the budget has told it.
        logger.info("the privacy budget is spent, nothing is sent any more", { round, ...privacy?.status() });
        this.#hasSaidSpent = true;
      }
    }
    this.#machine.tell({ type: "published" });
  }

  async #aggregate(round: number, asOf: number): Promise<void> {
    const { exchange, privacy, emit } = this.#dependencies;
    const { peer } = this.#options;
    this.#meter.end("network");
    const manifest = this.#ownManifest();
    const { reference, aggregate, trial, scores = [] } = this.#memory;
    const heard = heardNeighbours({ manifest, peer, neighbours: exchange.latest(), round });
    const neighbours = await this.#withDataSimilarity(heard);
    const expectedLoss = expectedLossOf(this.#memory.best, this.#meter.progress());
    const options = {
      manifest,
      peer,
      neighbours,
      announced: this.#announced,
      reference,
      aggregate,
      trial,
      // An observer trains nothing that it could compare with.
      ...(this.#isAuthor() && { scores }),
      round,
      asOf,
      signal: this.#stopping.signal,
      ...{ expectedLoss, looksAtLosses: privacy === undefined },
    };
    const aggregated = await this.#meter.during("aggregate", () => aggregateRound(this.#dependencies, options));
    if (privacy) await this.#patiently(() => privacy.aggregated({ neighbours, asOf }));
    this.#before = aggregated.before;
    if (aggregated.refusal) this.#sayRefused(round, aggregated.refusal);
    const base = this.#memory.base ?? lossOf(await this.#dependencies.trainer.evaluate(BASE_ON_VALIDATION));
    this.#memory = { ...this.#memory, base };
    await keepIfBest(this.#dependencies, { before: this.#memory.best, validation: aggregated.validation, round });
    this.#closeRound(round, aggregated);
    if (asOf > round) emit({ type: "jumped", from: round, to: asOf + 1 });
    this.#machine.tell({ type: "aggregated", again: !this.#isAuthor() && aggregated.neighbours === 0 });
  }

  async #withDataSimilarity(heard: readonly ReceivedUpdate[]): Promise<readonly NeighbourUpdate[]> {
    const { similarity } = this.#dependencies;
    if (similarity === undefined || heard.length === 0) return heard;
    const alike = await similarity.of(heard.map(({ peer }) => peer));
    return heard.map((update) => ({ ...update, dataSimilarity: alike.get(update.peer) }));
  }

  /**
   * Neighbours that this peer says it has, where the network weighs by them: those in the last aggregate, and in the first
   * round those that are connected.
   */
  #countedNeighbours(): number | undefined {
    if (this.#options.manifest.aggregation.weights?.kind !== "metropolis") return undefined;
    const last = this.#memory.summaries.at(-1)?.neighbours ?? this.#dependencies.exchange.admitted().length;
    return Math.min(last, LIMITS.headsCountMax);
  }

  /** Whether this peer's role is one that trains and sends. */
  #isAuthor(): boolean {
    return this.#dependencies.exchange.isAuthor(this.#options.peer);
  }

  /** The network's manifest, with the rule for lambda that this peer goes by. */
  #ownManifest(): NetworkManifest {
    const { aggregation, ...rest } = this.#options.manifest;
    const { privacy } = this.#dependencies;
    const lambda = lambdaRuleOf(aggregation.lambda, { isAuthor: this.#isAuthor(), privacy });
    return { ...rest, aggregation: { ...aggregation, lambda } };
  }

  #closeRound(round: number, aggregated: AggregatedRound): void {
    const { emit } = this.#dependencies;
    const deadlineMs = deadlineOf(this.#machine.state.pace, this.#machine.state.settings.deadlineMs);
    const { best, forgetting } = forgettingOf(this.#memory.best, aggregated.validation);
    const summary = roundSummary(this.#meter.takeRound(), { round, aggregated, forgetting, deadlineMs });
    const summaries = [...this.#memory.summaries, summary].slice(-SUMMARIES_MAX);
    this.#memory = {
      ...this.#memory,
      reference: aggregated.reference,
      aggregate: aggregated.aggregate,
      trial: aggregated.trial,
      scores: aggregated.scores,
      summaries,
      best,
      forgetting,
    };
    if (aggregated.neighbours > 0) {
      emit({ type: "mixed", round, lambda: aggregated.lambda, neighbours: aggregated.shares });
    }
    const { base } = this.#memory;
    emit({ type: "round", summary, forgetting, ...(base && { base }), ...shownScores(aggregated.scores) });
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
        localSteps: steps,
        chunkSteps: CHUNK_STEPS,
        signal: this.#stopping.signal,
      },
    );
    this.#memory = { ...this.#memory, evaluation };
    this.#machine.tell({ type: "evaluated" });
  }

  #finish(): PeerReport {
    const { evaluation, summaries, forgetting } = this.#memory;
    if (evaluation.stage !== "done") throw new Error(`finished while the evaluation is at stage ${evaluation.stage}`);
    const best = this.#dependencies.keepBest && bestRoundOf(summaries);
    const report = { ...peerReport(this.#options.peer, { evaluation, summaries, forgetting }), ...(best && { best }) };
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
    const { pace } = this.#machine.state;
    const position = this.#machine.state.phase === "idle" ? this.#memory.position : positionOf(this.#machine.state);
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

function roundSettings({ rounds, aggregation }: NetworkManifest): RoundSettings {
  return {
    count: rounds.count,
    localSteps: rounds.localSteps,
    deadlineMs: rounds.deadlineMs,
    ageMax: aggregation.ageMax,
  };
}

/** Training and evaluating one adapter on one machine, without any network. */

import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import type { TrainingSpec } from "../../protocol/network-manifest.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { BUCKETS_MAX } from "../data/bucket.ts";
import { NodeError } from "../errors.ts";
import type { SavedAdapter } from "../interchange/saved-adapter.ts";
import { adapterOfVector } from "../interchange/saved-adapter.ts";
import type { EngineOptions } from "../interface/engine-options.ts";
import type { Evaluation, ExampleSets } from "../interface/trainer.ts";
import { assertComputed } from "../model/base/base-form.ts";
import { modelSession } from "../model/base-model.ts";
import { exampleDigests } from "../round/example-digests.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { startTrainerThread } from "../system/compute/trainer-thread.ts";
import { createEvaluator } from "../training/evaluator.ts";
import { BestKeeper } from "./best-step.ts";
import {
  type BestStep,
  changedSettings,
  checkSameTraining,
  type StoppedTraining,
  type Watching,
} from "./stopped-training.ts";
import type { OpenedModel } from "./stored-adapter.ts";
import { type StepsTaken, takeSteps } from "./take-steps.ts";

/** One training on one machine. */
export interface LocalTrainingOptions {
  readonly opened: OpenedModel;
  readonly modelDirectory: string;
  readonly adapter: AdapterSettings;
  /** An adapter of these settings to go on from; the common start when absent. */
  readonly from?: SavedAdapter | undefined;
  /** Where the training of that adapter stopped, to go on there; else optimiser, schedule and batch order begin anew. */
  readonly stopped?: StoppedTraining | undefined;
  readonly training: TrainingSpec;
  readonly data: ExampleSets;
  /** The seed of the adapter's start and its frozen tensors, of the batch order and of dropout. */
  readonly seed: number;
  /** The seed that the data were loaded with; it is kept. */
  readonly dataSeed: number;
  /** Optimiser steps to take now. */
  readonly steps: number;
  readonly engine: EngineOptions;
  /** Looks at the validation set on the way, and keeps the best step's adapter instead of the last one's. */
  readonly watching?: Watching | undefined;
  /** Stops after the step at hand; what is trained until then is returned. */
  readonly signal: AbortSignal;
  /** step: counted from where the whole training began, as its last one is. */
  readonly onStep?: (step: number, loss: number) => void;
  /** The loss on the validation set after so many steps, and the best one until then. */
  readonly onValidated?: (step: number, loss: number, best: BestStep | undefined) => void;
  readonly onEvaluated?: (when: "before" | "after", evaluation: Evaluation) => void;
}

/** A trained adapter and how well it does. */
export interface LocalTrainingResult extends StepsTaken {
  /** That of the best step where the training was watched, else of the last one. */
  readonly adapter: SavedAdapter;
  /** Where the training stopped, to go on later. */
  readonly stopped: StoppedTraining;
  /** On the test set; `after` is absent when training was stopped. */
  readonly before: Evaluation;
  readonly after?: Evaluation;
}

/** Nothing can be learnt from a loss that is no number before any step.  Throws: MODEL_CONFIG. */
export function requireSound({ loss }: Pick<Evaluation, "loss">): void {
  if (Number.isFinite(loss)) return;
  const text =
    "the loss is not a number before any step; the model's weights, or the adapter gone on from, are damaged";
  throw new NodeError("MODEL_CONFIG", text);
}

/**
 * Throws: whatever the model, the adapter settings or the data are refused with, TRAINING_DIVERGED; where it goes on,
 * CONFIG_INVALID and DATA_MISMATCH for settings or examples that are not those of before.
 */
export async function trainLocally(options: LocalTrainingOptions): Promise<LocalTrainingResult> {
  const { opened, adapter: settings, training, seed, dataSeed, from, stopped, signal } = options;
  const examples = exampleDigests(options.data).train;
  const order = orderOf(options.engine);
  if (stopped) {
    changedSettings(stopped, { training, order });
    checkSameTraining(stopped, examples);
  }
  const plannedSteps = plannedTotal(stopped, options.steps);
  const trainer = await startTrainerThread({
    modelDirectory: options.modelDirectory,
    adapter: settings,
    training,
    networkSeed: seed,
    peerSeed: seed,
    data: options.data,
    engine: options.engine,
    totalSteps: plannedSteps,
  });
  try {
    if (stopped) await trainer.restore(stopped.state);
    else if (from) await trainer.restore(startingFrom(await trainer.state(), from));
    const before = await trainer.evaluate({ set: "test" });
    requireSound(before);
    options.onEvaluated?.("before", before);
    const { watching } = options;
    const keeper = watching && bestKeeper(watching, options);
    const start = stopped?.state.step ?? 0;
    const counts = await takeSteps(trainer, keeper, { ...options, start });
    const state = await trainer.state();
    const best = keeper?.best;
    const values = keeper?.values ?? state.adapter;
    if (values !== state.adapter) await trainer.restore({ ...state, adapter: values });
    const after = signal.aborted ? undefined : await trainer.evaluate({ set: "test" });
    if (after) options.onEvaluated?.("after", after);
    const adapter = adapterOfVector(opened.model, { settings, seed, digest: opened.digest(), values });
    const kept = { training, seed: dataSeed, order, plannedSteps, examples, watching, ...(best && { best }), state };
    return { adapter, stopped: kept, before, ...(after ? { after } : {}), ...counts };
  } finally {
    await trainer.close();
  }
}

/**
 * n of the schedule where so many steps are to be taken now: what was planned when the training began, or more where more
 * are taken.
 */
export function plannedTotal(stopped: StoppedTraining | undefined, steps: number): number {
  return Math.max(stopped?.plannedSteps ?? 0, (stopped?.state.step ?? 0) + steps);
}

/** What of the engine's options decides about the order of the examples. */
export function orderOf({ lengthBuckets, pack }: EngineOptions): StoppedTraining["order"] {
  return { ...(lengthBuckets !== undefined && { lengthBuckets }), ...(pack !== undefined && { pack }) };
}

function bestKeeper(watching: Watching, { stopped, from }: LocalTrainingOptions): BestKeeper {
  const { best } = stopped ?? {};
  return new BestKeeper(watching, best && from && { best, values: from.values });
}

/** A trainer's state with another adapter in it; a head that the adapter does not bring stays as it starts. */
function startingFrom<State extends { readonly adapter: Float32Array }>(state: State, { values }: SavedAdapter): State {
  const adapter = state.adapter.slice();
  adapter.set(values);
  return { ...state, adapter };
}

/** Optimiser steps of so many passes over the training set. */
export function stepsOfEpochs(epochs: number, data: ExampleSets, { batchSize, accumulate = 1 }: TrainingSpec): number {
  return Math.max(1, Math.ceil((epochs * data.train.length) / (batchSize * accumulate)));
}

/**
 * An adapter, or the base model when it is absent, on one of the sets.
 * Throws: as `trainLocally`.
 */
export async function evaluateLocally({
  opened,
  adapter,
  data,
  set,
  engine: { threads, device },
  perExample,
}: {
  readonly opened: OpenedModel;
  readonly adapter?: SavedAdapter | undefined;
  /** Whether the loss of each example is wanted, too. */
  readonly perExample?: boolean;
  readonly data: ExampleSets;
  readonly set: keyof ExampleSets;
  /** Threads and device count; the others are about training. */
  readonly engine: EngineOptions;
}): Promise<Evaluation> {
  const { model } = opened;
  // The base model is what the common start of any adapter computes.
  const settings: AdapterSettings = adapter?.settings ?? { kind: "loreft", rank: 1, layers: [0], positions: "all" };
  const seed = adapter?.seed ?? 0;
  const method = adapterMethod(settings);
  const tensors = adapter?.tensors ?? method.tensors(settings, model.shape);
  const runtime = createOnnxRuntime(device === undefined ? {} : { device });
  await assertComputed(runtime, model);
  const evaluator = createEvaluator({
    runtime,
    adapted: {
      model,
      adapter: settings,
      slots: adapterSlots(tensors),
      frozen: method.frozen(settings, model.shape, seed),
    },
    sessionOptions: modelSession(model, { threads }),
    data,
    labels: model.classifier?.labels,
    feeding: { counts: method.positions(settings), classifies: model.classifier?.reads ?? false },
    bucketsMax: BUCKETS_MAX,
  });
  try {
    const values = adapter?.values ?? method.start(settings, model.shape, seed);
    return await evaluator.evaluate({ set, adapter: values, examplesMax: Number.POSITIVE_INFINITY, perExample });
  } finally {
    await evaluator.close();
  }
}

/** Training and evaluating one adapter on one machine, without any network. */
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import type { TrainingSpec } from "../../protocol/network-manifest.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { BUCKETS_MAX } from "../data/bucket.ts";
import type { SavedAdapter } from "../interchange/saved-adapter.ts";
import { adapterOfVector } from "../interchange/saved-adapter.ts";
import type { EngineOptions } from "../interface/engine-options.ts";
import type { Evaluation, ExampleSets } from "../interface/trainer.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { startTrainerThread } from "../system/compute/trainer-thread.ts";
import { createEvaluator } from "../training/evaluator.ts";
import type { OpenedModel } from "./stored-adapter.ts";

/** One training on one machine. */
export interface LocalTrainingOptions {
  readonly opened: OpenedModel;
  readonly modelDirectory: string;
  readonly adapter: AdapterSettings;
  /** An adapter of these settings to go on from; the common start when absent. */
  readonly from?: SavedAdapter | undefined;
  readonly training: TrainingSpec;
  readonly data: ExampleSets;
  /** The seed of the adapter's start and its frozen tensors, of the batch order and of dropout. */
  readonly seed: number;
  /** Optimiser steps. */
  readonly steps: number;
  readonly engine: EngineOptions;
  /** Stops after the step at hand; what is trained until then is returned. */
  readonly signal: AbortSignal;
  readonly onStep?: (step: number, loss: number) => void;
  readonly onEvaluated?: (when: "before" | "after", evaluation: Evaluation) => void;
}

/** A trained adapter and how well it does. */
export interface LocalTrainingResult {
  readonly adapter: SavedAdapter;
  /** On the test set; `after` is absent when training was stopped. */
  readonly before: Evaluation;
  readonly after?: Evaluation;
  readonly steps: number;
  readonly stepsSkipped: number;
  /** Mean loss of the first and the last tenth of the steps that counted. */
  readonly losses: { readonly first: number; readonly last: number };
  readonly seconds: number;
}

/** Steps between two looks at the signal. */
const STEPS_AT_ONCE = 4;

/** Throws: whatever the model, the adapter settings or the data are refused with, TRAINING_DIVERGED. */
export async function trainLocally(options: LocalTrainingOptions): Promise<LocalTrainingResult> {
  const { opened, adapter: settings, training, seed, steps, signal, from } = options;
  const trainer = await startTrainerThread({
    modelDirectory: options.modelDirectory,
    adapter: settings,
    training,
    networkSeed: seed,
    peerSeed: seed,
    data: options.data,
    engine: options.engine,
    totalSteps: steps,
  });
  try {
    if (from) await trainer.restore(startingFrom(await trainer.state(), from));
    const before = await trainer.evaluate({ set: "test" });
    options.onEvaluated?.("before", before);
    const losses: number[] = [];
    let [done, stepsSkipped, seconds] = [0, 0, 0];
    while (done < steps && !signal.aborted) {
      const part = await trainer.train({
        steps: Math.min(STEPS_AT_ONCE, steps - done),
        onStep: (loss) => options.onStep?.(++done, loss),
      });
      losses.push(...part.losses);
      stepsSkipped += part.stepsSkipped;
      seconds += part.seconds;
    }
    const after = signal.aborted ? undefined : await trainer.evaluate({ set: "test" });
    if (after) options.onEvaluated?.("after", after);
    const { adapter: values } = await trainer.state();
    const adapter = adapterOfVector(opened.model, { settings, seed, digest: opened.digest(), values });
    const counts = { steps: done, stepsSkipped, losses: ends(losses), seconds };
    return { adapter, before, ...(after ? { after } : {}), ...counts };
  } finally {
    await trainer.close();
  }
}

/** A trainer's state with another adapter in it; a head that the adapter does not bring stays as it starts. */
function startingFrom<State extends { readonly adapter: Float32Array }>(state: State, { values }: SavedAdapter): State {
  const adapter = state.adapter.slice();
  adapter.set(values);
  return { ...state, adapter };
}

function ends(losses: readonly number[]): { readonly first: number; readonly last: number } {
  const count = Math.max(1, Math.ceil(losses.length / 10));
  const mean = (part: readonly number[]): number => part.reduce((sum, loss) => sum + loss, 0) / part.length;
  return { first: mean(losses.slice(0, count)), last: mean(losses.slice(-count)) };
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
}: {
  readonly opened: OpenedModel;
  readonly adapter?: SavedAdapter | undefined;
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
  const evaluator = createEvaluator({
    runtime: createOnnxRuntime(device === undefined ? {} : { device }),
    adapted: {
      model,
      adapter: settings,
      slots: adapterSlots(tensors),
      frozen: method.frozen(settings, model.shape, seed),
    },
    sessionOptions: { externalData: model.externalData, ...(threads !== undefined && { threads }) },
    data,
    labels: model.classifier?.labels,
    feeding: { counts: method.positions(settings), classifies: model.classifier?.reads ?? false },
    bucketsMax: BUCKETS_MAX,
  });
  try {
    const values = adapter?.values ?? method.start(settings, model.shape, seed);
    return await evaluator.evaluate({ set, adapter: values, examplesMax: Number.POSITIVE_INFINITY });
  } finally {
    await evaluator.close();
  }
}

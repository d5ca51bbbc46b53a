/** A short look at several adapters and rates on the data at hand: a few steps each, judged on validation data. */
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import type { TrainingSpec } from "../../protocol/network-manifest.ts";
import { TRAINING } from "../../protocol/settings/training.ts";
import { NodeError } from "../errors.ts";
import type { EngineOptions } from "../interface/engine-options.ts";
import type { ExampleSets, Trainer } from "../interface/trainer.ts";
import type { RecipeFacts } from "../manifest/recipe.ts";
import { recipeAdapter, recipeRate } from "../manifest/recipe.ts";
import { startTrainerThread } from "../system/compute/trainer-thread.ts";

/** Steps of a probe: enough to tell rates of a third and of three times apart. */
export const PROBE_STEPS = 20;
/** Rates beside the recipe's, as multiples of it. */
const MULTIPLES = [1 / 3, 1, 3] as const;
/** Rates of a classifier's head beside the adapter's, as multiples of it: a head starts from nothing, so rather more than less. */
const HEAD_MULTIPLES = [1 / 3, 3, 10] as const;
/** Validation examples that a probe is judged on. */
const EXAMPLES_MAX = 64;

/** An adapter at a rate. */
export interface ProbeCandidate {
  readonly adapter: AdapterSettings;
  readonly learningRate: number;
  /** Of a classifier's head; the training's when absent, and the adapter's where that has none. */
  readonly headLearningRate?: number;
}

/** A candidate and its loss on validation data after the probe, in nats per token; not finite where training failed. */
export interface ProbeResult extends ProbeCandidate {
  readonly loss: number;
}

/** What is tried: the recipe's adapter and LoReFT at all positions, or the adapter that is given; each at three rates. */
export function probeCandidates(
  facts: RecipeFacts,
  given: { readonly adapter?: AdapterSettings | undefined; readonly learningRate?: number | undefined },
): readonly ProbeCandidate[] {
  const adapters = given.adapter === undefined ? [recipeAdapter(facts).adapter, everyPosition(facts)] : [given.adapter];
  return adapters.flatMap((adapter) => {
    const rate = recipeRate(adapter, facts);
    const rates =
      given.learningRate === undefined ? MULTIPLES.map((times) => twoDigits(rate * times)) : [given.learningRate];
    return rates.map((learningRate) => ({ adapter, learningRate }));
  });
}

/** The best candidate with other rates of the head, for classifiers whose head is trained and has no rate yet. */
export function headCandidates(
  { form }: Pick<RecipeFacts, "form">,
  { adapter, learningRate }: ProbeCandidate,
  given: { readonly head?: string | undefined; readonly headLearningRate?: number | undefined },
): readonly ProbeCandidate[] {
  if (form !== "classes" || given.head === "frozen" || given.headLearningRate !== undefined) return [];
  const rates = HEAD_MULTIPLES.map((times) => twoDigits(learningRate * times)).filter((rate) => rate <= RATE_MAX);
  return rates.map((headLearningRate) => ({ adapter, learningRate, headLearningRate }));
}

/** The largest rate that a manifest may say. */
const RATE_MAX = TRAINING.headLearningRate.max;

/** What the recipe's adapter is compared with: the other family, an edit of every position or LoRA on every layer. */
function everyPosition({ targets, layers, ...facts }: RecipeFacts): AdapterSettings {
  const { adapter } = recipeAdapter({ ...facts, targets, layers });
  if (adapter.kind === "loreft") return { kind: "lora", rank: 8, alpha: 16, layers: "all", targets };
  return { kind: "loreft", rank: 8, layers: "all", positions: "all" };
}

const twoDigits = (rate: number): number => Number(rate.toPrecision(2));

/** One search over candidates. */
export interface ProbeOptions {
  readonly modelDirectory: string;
  readonly candidates: readonly ProbeCandidate[];
  /** Its learning rate and schedule are the probe's own. */
  readonly training: TrainingSpec;
  readonly data: ExampleSets;
  readonly seed: number;
  readonly engine: EngineOptions;
  readonly signal: AbortSignal;
  readonly onResult?: (result: ProbeResult) => void;
  /** Starts a trainer; on a thread of its own when absent. */
  readonly start?: (options: Parameters<typeof startTrainerThread>[0]) => Promise<Trainer>;
}

/**
 * All results, the best first. The rate rises over two steps and stays: what falls to 0 within a probe says little of a long
 * training.  Throws: what the model, the adapters or the data are refused with; the signal's reason when aborted.
 */
export async function probe(options: ProbeOptions): Promise<readonly ProbeResult[]> {
  const results: ProbeResult[] = [];
  for (const candidate of options.candidates) {
    options.signal.throwIfAborted();
    const result = { ...candidate, loss: await lossAfter(candidate, options) };
    options.onResult?.(result);
    results.push(result);
  }
  return results.sort((a, b) => a.loss - b.loss);
}

async function lossAfter({ adapter, ...rates }: ProbeCandidate, options: ProbeOptions): Promise<number> {
  const { modelDirectory, training, data, seed, engine, start = startTrainerThread } = options;
  const trainer = await start({
    modelDirectory,
    adapter,
    training: { ...training, ...rates, schedule: { kind: "constant", warmupSteps: 2 } },
    networkSeed: seed,
    peerSeed: seed,
    data,
    engine,
    totalSteps: PROBE_STEPS,
  });
  try {
    await trainer.train({ steps: PROBE_STEPS });
    const { loss } = await trainer.evaluate({ set: "validation", examplesMax: EXAMPLES_MAX });
    return Number.isFinite(loss) ? loss : Number.POSITIVE_INFINITY;
  } catch (error) {
    if (hasDiverged(error)) return Number.POSITIVE_INFINITY;
    throw error;
  } finally {
    await trainer.close();
  }
}

/** Too high a rate is a result like another one. */
const hasDiverged = (error: unknown): boolean =>
  error instanceof NodeError && (error.code === "TRAINING_DIVERGED" || error.code === "ADAPTER_SHAPE");

/** Local training of one adapter on one peer's data: batches in, a new flat vector out. */
import { counted } from "../../protocol/counted.ts";
import { createPrng } from "../../protocol/prng.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { BUCKETS_MAX, planBuckets } from "../data/bucket.ts";
import { NodeError } from "../errors.ts";
import type { RandomSource } from "../interface/random-source.ts";
import type { Runtime } from "../interface/runtime.ts";
import type { Example, ExampleSets, Trainer, TrainerOptions, TrainResult } from "../interface/trainer.ts";
import { assertAgreed } from "../model/base/agreed-base.ts";
import { assertComputed, inBaseForm } from "../model/base/base-form.ts";
import { type BaseModel, modelSession } from "../model/base-model.ts";
import { loadBaseModel, type ModelFiles } from "../model/huggingface.ts";
import { textOf } from "./classification.ts";
import { createEvaluator, EVALUATION_BYTES_MAX, type Evaluator } from "./evaluator.ts";
import { ACTIVATION_BYTES_MAX } from "./frozen-blocks.ts";
import { LocalSteps } from "./local-steps.ts";
import { adjustedModel } from "./logit-adjustment.ts";
import { OpenGroup } from "./open-group.ts";
import { pooledFeatures } from "./pooled-features.ts";
import { assertPrecision, inPrecision, refuseOtherArithmetic } from "./precision/precision.ts";
import { createPrivateStepGradient } from "./private-step-gradient.ts";
import { createStepGradient, type StepGradient, type StepGradientOptions } from "./step-gradient.ts";
import { type TrainedTensors, trainedTensors } from "./trained-tensors.ts";

/** Local steps in a row without a finite loss and gradient after which training is given up. */
export const NOT_FINITE_STEPS_MAX = 10;

/** What a trainer needs of the machine. */
export interface TrainerDependencies {
  readonly runtime: Runtime;
  readonly files: ModelFiles;
  /** The source of noise for private steps; only those need it. */
  readonly random?: RandomSource;
}

/** A trainer at the common start.  Throws: whatever the model, the adapter settings or the data are refused with. */
export async function createTrainer(
  { runtime, files, random }: TrainerDependencies,
  options: TrainerOptions,
): Promise<Trainer> {
  const { adapter: settings, training, data, engine } = options;
  const plain = loadBaseModel(files);
  assertAgreed(plain, files, options.agreedBase);
  const method = adapterMethod(settings);
  if (method.readsWeights(settings)) refuseOtherArithmetic(engine);
  await assertPrecision(runtime, engine);
  const kept = inBaseForm(plain, files, engine.base);
  const model = adjustedModel(inPrecision(kept, files, engine.precision), options);
  const tensors = trainedTensors(model, options);
  const { adapted } = tensors;
  const feeding = { counts: method.positions(settings), classifies: model.classifier?.reads ?? (false as const) };
  checkTokens(data, model);
  const totalSteps = scheduledSteps(options);
  if (engine.pack) assertPackable(model, options);
  await assertComputed(runtime, model);
  const sessionOptions = modelSession(model, engine);
  const isCpu = (await runtime.provider()) === "cpu";
  const { streamBlocks = false } = engine;
  if (streamBlocks && !isCpu) {
    throw new NodeError(
      "CONFIG_INVALID",
      "blocks are streamed on the cpu only; a device would compile them anew each time",
    );
  }
  const lowMemory = (engine.lowMemory ?? false) || streamBlocks;
  const groups = new OpenGroup(runtime);
  // Streamed sessions hold nothing between their runs.
  const of = (group: string): Runtime => (lowMemory && !streamBlocks ? groups.runtimeOf(group) : runtime);
  const gradients = await stepGradient(
    {
      runtime: of("training"),
      adapted,
      sessionOptions,
      feeding,
      graph: { lowMemory, wholeMatrix: !isCpu },
      dropout: {
        sites: method.dropout(settings, model.shape),
        prng: createPrng(options.peerSeed).fork("dropout"),
      },
    },
    options,
    random,
  );
  // Evaluation gives the same in any batches; each length of them is a session with memory of its own.
  const bucketsMax = lowMemory ? 1 : BUCKETS_MAX;
  const activationBytesMax = lowMemory
    ? 0
    : Math.min(options.activationBytesMax ?? ACTIVATION_BYTES_MAX, EVALUATION_BYTES_MAX);
  const evaluator = createEvaluator({
    ...{ runtime: of("evaluation"), adapted, sessionOptions, data, feeding, bucketsMax, activationBytesMax },
    labels: model.classifier?.labels,
    ...{ lowMemory, streamBlocks, wholeMatrix: !isCpu },
  });
  const steps = new LocalSteps({ gradients, tensors }, { training, totalSteps, fisherDecay: options.fisherDecay });
  // Other peers compare these with their own, so they are in f32 whatever this peer trains in.
  const features: Trainer["features"] = async ({ examples }) =>
    pooledFeatures(
      { runtime: of("features"), model: kept, sessionOptions: modelSession(kept, engine), bucketsMax },
      chosenExamples(data.train, examples),
    );
  return trainerOf({ tensors, steps, gradients, evaluator, features, learningRate: training.learningRate });
}

/** The gradient of local steps, private where the options ask for it. */
async function stepGradient(
  parts: Pick<StepGradientOptions, "runtime" | "adapted" | "sessionOptions" | "feeding" | "dropout"> &
    Required<Pick<StepGradientOptions, "graph">>,
  { training, data, engine, peerSeed, fisherDecay, activationBytesMax, privacy }: TrainerOptions,
  random: RandomSource | undefined,
): Promise<StepGradient> {
  const { batchSize, accumulate = 1, proximal = 0 } = training;
  const options = {
    ...parts,
    examples: data.train,
    buckets: planBuckets(data.train, { batchSize, bucketsMax: engine.lengthBuckets ?? 1 }),
    ...(engine.pack ? { packed: batchSize } : {}),
    seed: peerSeed,
    accumulate,
    proximal,
    fisher: fisherDecay !== undefined,
    streamBlocks: engine.streamBlocks ?? false,
    activationBytesMax: engine.streamBlocks ? 0 : (activationBytesMax ?? ACTIVATION_BYTES_MAX),
  };
  if (privacy === undefined) return createStepGradient(options);
  return createPrivateStepGradient({ ...options, batchSize, privacy, random: assertGiven(random) });
}

/** A trainer around its parts. */
function trainerOf({
  tensors,
  steps,
  gradients,
  evaluator,
  features,
  learningRate,
}: {
  readonly tensors: TrainedTensors;
  readonly steps: LocalSteps;
  readonly gradients: Pick<StepGradient, "close">;
  readonly evaluator: Evaluator;
  readonly features: Trainer["features"];
  /** For the line that is said when training diverges. */
  readonly learningRate: number;
}): Trainer {
  const { sent, start } = tensors;
  let notFinite = 0;
  return {
    tensors: tensors.traveling,
    train: async ({ steps: count, onStep }): Promise<TrainResult> => {
      const began = performance.now();
      const losses: number[] = [];
      for (let i = 0; i < count; i++) {
        const loss = await steps.step();
        onStep?.(loss);
        notFinite = Number.isFinite(loss) ? 0 : notFinite + 1;
        if (notFinite === 0) losses.push(loss);
        if (notFinite >= NOT_FINITE_STEPS_MAX) throw diverged({ notFinite, step: steps.count, learningRate });
      }
      return { losses, stepsSkipped: count - losses.length, seconds: (performance.now() - began) / 1000 };
    },
    evaluate: ({ set, adapter, examplesMax, perExample }) =>
      evaluator.evaluate({
        set,
        adapter: adapter === "base" ? start() : adapter ? sent.withSent(steps.theta, adapter) : steps.theta,
        examplesMax: examplesMax ?? Number.POSITIVE_INFINITY,
        perExample,
      }),
    adapter: async () => sent.sentOf(steps.theta),
    start: async () => sent.sentOf(start()),
    setAdapter: async (vector) => steps.setSent(vector),
    setReference: async (vector) => steps.setReference(vector),
    state: async () => steps.state(),
    features,
    fisher: async () => steps.fisherOfSent(),
    restore: async (state) => {
      steps.restore(state);
      notFinite = 0;
    },
    reset: async () => {
      steps.reset();
      notFinite = 0;
    },
    close: async () => {
      await Promise.all([gradients.close(), evaluator.close()]);
    },
  };
}

function diverged({ notFinite, step, learningRate }: Readonly<Record<string, number>>): NodeError {
  const text = `the loss was not finite for ${counted(notFinite, "local step")} in a row (step ${step}); lower the learning rate (now ${learningRate})`;
  return new NodeError("TRAINING_DIVERGED", text);
}

function chosenExamples(examples: readonly Example[], numbers: readonly number[]): readonly Example[] {
  return numbers.map((i) => {
    const example = examples[i];
    if (example === undefined) throw new RangeError(`there is no training example ${i} of ${examples.length}`);
    return example;
  });
}

function assertGiven(random: RandomSource | undefined): RandomSource {
  if (random === undefined) throw new TypeError("private steps need a source of noise");
  return random;
}

/** Throws: CONFIG_INVALID where a falling learning rate has no end to fall to. */
function scheduledSteps({ training, totalSteps }: TrainerOptions): number {
  const kind = training.schedule?.kind ?? "constant";
  if (kind !== "constant" && totalSteps === undefined) {
    throw new NodeError("CONFIG_INVALID", `a ${kind} learning rate needs the number of local steps in all`);
  }
  return totalSteps ?? Number.POSITIVE_INFINITY;
}

function checkTokens(data: ExampleSets, { shape, classifier }: BaseModel): void {
  for (const example of Object.values(data).flat() as readonly Example[]) {
    const tokens = classifier ? textOf(example, classifier) : example.tokens;
    const wrong = tokens.find((id) => id < 0 || id >= shape.vocabulary);
    if (wrong !== undefined) {
      const text = `token id ${wrong} is outside the model's vocabulary of ${shape.vocabulary}; do tokenizer.json and the weights belong together?`;
      throw new NodeError("MODEL_CONFIG", text);
    }
    if (tokens.length > shape.contextTokens) {
      const text = `an example of ${tokens.length} tokens is longer than the model's context of ${shape.contextTokens}; lower maxTokens`;
      throw new NodeError("CONFIG_INVALID", text);
    }
  }
}

/** Throws: CONFIG_INVALID where examples cannot share rows. */
function assertPackable({ classifier }: BaseModel, { engine: { lengthBuckets = 1 }, privacy }: TrainerOptions): void {
  const why = classifier
    ? "is for language models, and this model is a classifier"
    : privacy
      ? "does not go with example-level privacy, which takes one example at a time"
      : lengthBuckets > 1
        ? "takes the place of length buckets"
        : undefined;
  if (why !== undefined) throw new NodeError("CONFIG_INVALID", `packing ${why}; leave one of them out`);
}

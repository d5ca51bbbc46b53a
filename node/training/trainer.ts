/** Local training of one adapter on one peer's data: batches in, a new flat vector out. */
import { adapterSlots, parameterCount } from "../../protocol/adapter-spec.ts";
import { createPrng } from "../../protocol/prng.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { sentPart } from "../adapter/sent-part.ts";
import { BUCKETS_MAX, planBuckets } from "../data/bucket.ts";
import { NodeError } from "../errors.ts";
import type { EngineOptions, Precision } from "../interface/engine-options.ts";
import type { RandomSource } from "../interface/random-source.ts";
import type { Runtime } from "../interface/runtime.ts";
import type { Example, ExampleSets, Trainer, TrainerOptions, TrainResult } from "../interface/trainer.ts";
import type { BaseModel } from "../model/base-model.ts";
import { halfWeights } from "../model/half-weights.ts";
import type { ModelFiles } from "../model/huggingface.ts";
import { loadBaseModel } from "../model/huggingface.ts";
import { integerWeights } from "../model/integer-weights.ts";
import { headStart, sentTensors, textOf, trainedHead } from "./classification.ts";
import { createEvaluator } from "./evaluator.ts";
import { accumulateFisher, fisherWeights } from "./fisher.ts";
import { ACTIVATION_BYTES_MAX } from "./frozen-blocks.ts";
import { inHalves } from "./half-products.ts";
import { inIntegers } from "./integer-products.ts";
import { clipGradient, optimizerStep, zeroMoments } from "./optimizer.ts";
import { pooledFeatures } from "./pooled-features.ts";
import { createPrivateStepGradient } from "./private-step-gradient.ts";
import { learningRateAt } from "./schedule.ts";
import { createStepGradient } from "./step-gradient.ts";
import type { AdaptedModel } from "./training-step.ts";

/** Local steps in a row without a finite loss and gradient after which training is given up. */
export const NOT_FINITE_STEPS_MAX = 10;

export interface TrainerDependencies {
  readonly runtime: Runtime;
  readonly files: ModelFiles;
  /** Where the noise of private steps comes from; those need it. */
  readonly random?: RandomSource;
}

/** Throws: whatever the model, the adapter settings or the data are refused with. */
export async function createTrainer(
  { runtime, files, random }: TrainerDependencies,
  options: TrainerOptions,
): Promise<Trainer> {
  const model = loadBaseModel(files);
  const { adapter: settings, training, data, engine } = options;
  const method = adapterMethod(settings);
  const tensors = method.tensors(settings, model.shape);
  const adapterOnly = adapterSlots(tensors);
  const head = trainedHead(model, options.head);
  const slots = adapterSlots([...tensors, ...head]);
  const traveling = sentTensors(model, settings, options.head);
  const sent = sentPart(slots, traveling);
  const frozen = method.frozen(settings, model.shape, options.networkSeed);
  const adapted: AdaptedModel = { model, adapter: settings, slots, frozen };
  const feeding = { counts: method.positions(settings), classifies: model.classifier !== undefined };
  checkTokens(data, model);

  const { batchSize, accumulate = 1, proximal = 0 } = training;
  const totalSteps = scheduledSteps(options);
  const bucketsMax = engine.lengthBuckets ?? 1;
  if (engine.pack) assertPackable(model, options);
  const provider = await runtime.provider();
  if (engine.precision === "int8" && provider !== "cpu") {
    const given = engine.device === "auto" ? `${provider}, which auto stands for here` : provider;
    const text = `int8 products are computed on the cpu, not on ${given}`;
    throw new NodeError("CONFIG_INVALID", text, { device: provider, problem: "int8-elsewhere" });
  }
  const sessionOptions = {
    externalData: model.externalData,
    ...(engine.threads !== undefined && { threads: engine.threads }),
  };
  if (engine.precision === "fp16") await assertFloat16(runtime, engine);
  const others = otherArithmetic(engine.precision, model, files);
  const stepOptions = {
    runtime,
    adapted,
    sessionOptions: others ? { ...sessionOptions, externalData: others.externalData } : sessionOptions,
    examples: data.train,
    buckets: planBuckets(data.train, { batchSize, bucketsMax }),
    ...(engine.pack ? { packed: batchSize } : {}),
    feeding,
    seed: options.peerSeed,
    accumulate,
    proximal,
    fisher: options.fisherDecay !== undefined,
    activationBytesMax: options.activationBytesMax ?? ACTIVATION_BYTES_MAX,
    graph: {
      lowMemory: engine.lowMemory ?? false,
      wholeMatrix: provider !== "cpu",
      ...(others && { products: others.products }),
    },
    dropout: {
      sites: method.dropout(settings, model.shape),
      prng: createPrng(options.peerSeed).fork("dropout"),
    },
  };
  const gradients = options.privacy
    ? await createPrivateStepGradient({
        ...stepOptions,
        batchSize,
        privacy: options.privacy,
        random: assertGiven(random),
      })
    : await createStepGradient(stepOptions);
  // Evaluation gives the same in any batches; each length of them is a session with memory of its own.
  const lengthsMax = engine.lowMemory ? 1 : BUCKETS_MAX;
  const evaluator = createEvaluator({ runtime, adapted, sessionOptions, data, feeding, bucketsMax: lengthsMax });

  const start = (): Float32Array => {
    const own = method.start(settings, model.shape, options.networkSeed);
    const theta = new Float32Array(parameterCount(slots));
    theta.set(own);
    theta.set(headStart(model, head, options.networkSeed), own.length);
    return theta;
  };
  let theta = start();
  let moments = zeroMoments(theta.length);
  let reference: Float32Array | undefined;
  let fisher = options.fisherDecay === undefined ? undefined : new Float32Array(theta.length);
  let notFinite = 0;
  const gradient = new Float32Array(theta.length);

  /** One local step; the loss, or NaN for a step that changed nothing. */
  const step = async (): Promise<number> => {
    // What a peer keeps to itself has no reference: it is held to where it is.
    const held = proximal > 0 && reference ? sent.withSent(theta, reference) : undefined;
    const weights = held && fisher ? heldWeights(fisher) : undefined;
    const loss = await gradients.at(moments.step, theta, held, gradient, weights);
    // Of the loss on the examples alone: the proximal term's own gradient is no sign of what matters.
    const scores = fisher ? scoresOf(gradient, held, weights) : gradient;
    if (!Number.isFinite(loss) || Number.isNaN(clipGradient(gradient, training.gradientClip))) {
      moments.step += 1;
      return Number.NaN;
    }
    if (fisher && options.fisherDecay !== undefined) {
      accumulateFisher(fisher, scores, options.fisherDecay);
    }
    const learningRate = learningRateAt(moments.step, training, totalSteps);
    optimizerStep(theta, gradient, moments, { ...training, learningRate });
    method.retract(adapterOnly, theta);
    return loss;
  };

  /** f of the values that travel, 1 for those that are kept. */
  const heldWeights = (of: Float32Array): Float32Array =>
    sent.withSent(new Float32Array(of.length).fill(1), fisherWeights(sent.sentOf(of)));

  /** The gradient without l2 f (theta - m), a copy. */
  const scoresOf = (of: Float32Array, held?: Float32Array, weights?: Float32Array): Float32Array =>
    held ? of.map((g, i) => g - proximal * (weights?.[i] ?? 1) * (theta[i]! - held[i]!)) : of.slice();

  const checked = (vector: Float32Array): Float32Array => {
    if (vector.length === theta.length) return vector;
    const text = `an adapter of ${vector.length} values where the settings ask for ${theta.length}`;
    throw new NodeError("ADAPTER_SHAPE", text, { values: vector.length, expected: theta.length });
  };

  return {
    tensors: traveling,
    train: async ({ steps, onStep }): Promise<TrainResult> => {
      const began = performance.now();
      const losses: number[] = [];
      let stepsSkipped = 0;
      for (let i = 0; i < steps; i++) {
        const loss = await step();
        onStep?.(loss);
        if (Number.isFinite(loss)) {
          losses.push(loss);
          notFinite = 0;
        } else {
          stepsSkipped += 1;
          notFinite += 1;
        }
        if (notFinite >= NOT_FINITE_STEPS_MAX) {
          throw new NodeError(
            "TRAINING_DIVERGED",
            `the loss was not finite for ${notFinite} local steps in a row (step ${moments.step}); lower the learning rate (now ${training.learningRate})`,
          );
        }
      }
      return { losses, stepsSkipped, seconds: (performance.now() - began) / 1000 };
    },
    evaluate: ({ set, adapter, examplesMax }) =>
      evaluator.evaluate({
        set,
        adapter: adapter === "base" ? start() : adapter ? sent.withSent(theta, adapter) : theta,
        examplesMax: examplesMax ?? Number.POSITIVE_INFINITY,
      }),
    adapter: async () => sent.sentOf(theta),
    setAdapter: async (vector) => {
      theta = sent.withSent(theta, vector);
      method.retract(adapterOnly, theta);
    },
    setReference: async (vector) => {
      // The length is checked where the vector is put in.
      if (vector) sent.withSent(theta, vector);
      reference = vector?.slice();
    },
    state: async () => ({
      adapter: theta.slice(),
      firstMoment: moments.first.slice(),
      secondMoment: moments.second.slice(),
      step: moments.step,
      ...(fisher && { fisher: fisher.slice() }),
    }),
    features: ({ examples }) => {
      const chosen = examples.map((i) => {
        const example = data.train[i];
        if (example === undefined) throw new RangeError(`there is no training example ${i} of ${data.train.length}`);
        return example;
      });
      return pooledFeatures({ runtime, model, sessionOptions, bucketsMax: lengthsMax }, chosen);
    },
    fisher: async () => fisher && fisherWeights(sent.sentOf(fisher)),
    restore: async (state) => {
      theta = checked(state.adapter).slice();
      moments = {
        first: checked(state.firstMoment).slice(),
        second: checked(state.secondMoment).slice(),
        step: state.step,
      };
      // A checkpoint from before weights were kept begins them anew.
      if (fisher) fisher = state.fisher ? checked(state.fisher).slice() : new Float32Array(theta.length);
      notFinite = 0;
    },
    reset: async () => {
      theta = start();
      moments = zeroMoments(theta.length);
      fisher?.fill(0);
      reference = undefined;
      notFinite = 0;
    },
    close: async () => {
      await Promise.all([gradients.close(), evaluator.close()]);
    },
  };
}

/** What takes the place of f32 products, and the file of weights that it reads; undefined where nothing does. */
function otherArithmetic(precision: Precision = "fp32", model: BaseModel, files: ModelFiles) {
  switch (precision) {
    case "fp32":
      return undefined;
    case "int8": {
      const weights = integerWeights(model, files);
      return { products: inIntegers(weights), externalData: weights.externalData };
    }
    case "fp16": {
      const weights = halfWeights(model, files);
      return { products: inHalves(weights), externalData: weights.externalData };
    }
  }
}

/** Throws: CONFIG_INVALID where the device has no products of 16-bit numbers. */
async function assertFloat16(runtime: Runtime, { device = "cpu" }: EngineOptions): Promise<void> {
  const reason = await runtime.whyNoFloat16();
  if (reason === undefined) return;
  const text = `fp16 products cannot be computed on ${device}: ${reason}`;
  throw new NodeError("CONFIG_INVALID", text, { device, reason, problem: "precision-missing" });
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

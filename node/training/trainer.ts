/** Local training of one adapter on one peer's data: batches in, a new flat vector out. */
import { adapterSlots, parameterCount } from "../../protocol/adapter-spec.ts";
import { createPrng } from "../../protocol/prng.ts";
import { dropoutFeeds } from "../adapter/dropout.ts";
import { adapterMethod } from "../adapter/methods.ts";
import type { PositionCounts } from "../adapter/positions.ts";
import { interventionFeeds } from "../adapter/positions.ts";
import { sentPart } from "../adapter/sent-part.ts";
import type { Batch } from "../data/batch.ts";
import { createBatches, evaluationBatches, planShape } from "../data/batch.ts";
import { NodeError } from "../errors.ts";
import type { Runtime, Session } from "../interface/runtime.ts";
import type { Evaluation, Example, ExampleSets, Trainer, TrainerOptions, TrainResult } from "../interface/trainer.ts";
import type { BaseModel } from "../model/base-model.ts";
import type { ModelFiles } from "../model/huggingface.ts";
import { loadBaseModel } from "../model/huggingface.ts";
import { encodeModel } from "../onnx/codec.ts";
import type { Tensor } from "../tensor.ts";
import { float32 } from "../tensor.ts";
import { classifierFeeds, headStart, textOf, trainedHead } from "./classification.ts";
import { summarize } from "./evaluate.ts";
import { adamWStep, clipGradient, zeroMoments } from "./optimizer.ts";
import type { AdaptedModel } from "./training-step.ts";
import { evaluationGraph, trainingStepGraph } from "./training-step.ts";

/** Local steps in a row without a finite loss and gradient after which training is given up. */
export const NOT_FINITE_STEPS_MAX = 10;

/** Examples evaluated at once: enough to fill two cores, few enough that the logits stay small. */
const EVALUATION_BATCH = 16;

export interface TrainerDependencies {
  readonly runtime: Runtime;
  readonly files: ModelFiles;
}

/** Throws: whatever the model, the adapter settings or the data are refused with. */
export async function createTrainer(
  { runtime, files }: TrainerDependencies,
  options: TrainerOptions,
): Promise<Trainer> {
  const model = loadBaseModel(files);
  const { adapter: settings, training, data } = options;
  const method = adapterMethod(settings);
  const tensors = method.tensors(settings, model.shape);
  const adapterOnly = adapterSlots(tensors);
  const head = trainedHead(model, options.head);
  const slots = adapterSlots([...tensors, ...head]);
  const sentTensors = method.sent(settings, model.shape);
  const sent = sentPart(slots, sentTensors);
  const frozen = method.frozen(settings, model.shape, options.networkSeed);
  const adapted: AdaptedModel = { model, adapter: settings, slots, frozen };
  const feeding = { counts: method.positions(settings), classifies: model.classifier !== undefined };
  checkTokens(data, model);

  const trainShape = planShape(data.train, { batchSize: training.batchSize });
  const batches = createBatches(data.train, { shape: trainShape, seed: options.peerSeed });
  const graph = trainingStepGraph(adapted, { ...trainShape, examples: trainShape.batchSize });
  const sessionOptions = { externalData: model.externalData, threads: options.threads };
  const session = await runtime.load(encodeModel(graph), sessionOptions);
  const evaluator = createEvaluator({ runtime, adapted, sessionOptions, data, feeding });

  const start = (): Float32Array => {
    const own = method.start(settings, model.shape, options.networkSeed);
    const theta = new Float32Array(parameterCount(slots));
    theta.set(own);
    theta.set(headStart(model, head, options.networkSeed), own.length);
    return theta;
  };
  const dropped = method.dropout(settings, model.shape);
  const dropout = createPrng(options.peerSeed).fork("dropout");
  const masks = (step: number): Readonly<Record<string, Tensor>> =>
    dropoutFeeds(dropped, trainShape.batchSize * trainShape.tokens, dropout.fork(`step-${step}`));
  let theta = start();
  let moments = zeroMoments(theta.length);
  let notFinite = 0;

  /** One local step; the loss, or NaN for a step that changed nothing. */
  const step = async (): Promise<number> => {
    const batch = batches.batchAt(moments.step);
    const adapter = float32([theta.length], theta);
    const result = await session.run({ ...trainFeeds(batch, feeding), ...masks(moments.step), adapter });
    const loss = Number(result.loss!.data[0]);
    const gradient = result.gradient!.data as Float32Array;
    if (!Number.isFinite(loss) || Number.isNaN(clipGradient(gradient, training.gradientClip))) {
      moments.step += 1;
      return Number.NaN;
    }
    adamWStep(theta, gradient, moments, training);
    method.retract(adapterOnly, theta);
    return loss;
  };

  const checked = (vector: Float32Array): Float32Array => {
    if (vector.length === theta.length) return vector;
    const text = `an adapter of ${vector.length} values where the settings ask for ${theta.length}`;
    throw new NodeError("ADAPTER_SHAPE", text, { values: vector.length, expected: theta.length });
  };

  return {
    tensors: sentTensors,
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
    state: async () => ({
      adapter: theta.slice(),
      firstMoment: moments.first.slice(),
      secondMoment: moments.second.slice(),
      step: moments.step,
    }),
    restore: async (state) => {
      theta = checked(state.adapter).slice();
      moments = {
        first: checked(state.firstMoment).slice(),
        second: checked(state.secondMoment).slice(),
        step: state.step,
      };
      notFinite = 0;
    },
    reset: async () => {
      theta = start();
      moments = zeroMoments(theta.length);
      notFinite = 0;
    },
    close: async () => {
      await Promise.all([session.close(), evaluator.close()]);
    },
  };
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

type Feeding = { readonly counts: PositionCounts; readonly classifies: boolean };

function modelFeeds(batch: Batch, { counts, classifies }: Feeding): Record<string, Tensor> {
  const prompts = Array.from(batch.promptLengths.data as BigInt64Array, Number);
  const { inputIds: input_ids, labelRows: label_rows, labelIds: label_ids } = batch;
  return {
    ...(classifies ? classifierFeeds(batch) : { input_ids, label_rows, label_ids }),
    ...interventionFeeds(counts, prompts, batch.inputIds.shape[1]!),
  };
}

/** The weights of a batch sum to 1: the loss is the mean over its labels. */
function trainFeeds(batch: Batch, feeding: Feeding): Record<string, Tensor> {
  const weights = (batch.labelWeights.data as Float32Array).map((weight) => weight / batch.labelCount);
  return { ...modelFeeds(batch, feeding), label_weights: float32(batch.labelWeights.shape, weights) };
}

interface EvaluatorDependencies {
  readonly runtime: Runtime;
  readonly adapted: AdaptedModel;
  readonly sessionOptions: Parameters<Runtime["load"]>[1];
  readonly data: ExampleSets;
  readonly feeding: Feeding;
}

/** Evaluation on one of the sets; its session is made when it is first needed, for the longest of all examples. */
function createEvaluator({ runtime, adapted, sessionOptions, data, feeding }: EvaluatorDependencies) {
  const shape = planShape([...data.train, ...data.validation, ...data.test], { batchSize: EVALUATION_BATCH });
  let session: Promise<Session> | undefined;
  const ready = (): Promise<Session> => {
    session ??= runtime.load(
      encodeModel(evaluationGraph(adapted, { ...shape, examples: shape.batchSize })),
      sessionOptions,
    );
    return session;
  };
  return {
    evaluate: async (options: {
      readonly set: keyof ExampleSets;
      readonly adapter: Float32Array;
      readonly examplesMax: number;
    }): Promise<Evaluation> => {
      const examples = data[options.set].slice(0, options.examplesMax);
      const loaded = await ready();
      const parts = [];
      for (const batch of evaluationBatches(examples, { shape })) {
        const adapter = float32([options.adapter.length], options.adapter);
        const result = await loaded.run({ ...modelFeeds(batch, feeding), adapter });
        parts.push({
          batch,
          losses: result.losses!.data as Float32Array,
          predicted: Array.from(result.predicted!.data as BigInt64Array, Number),
        });
      }
      return summarize(parts);
    },
    close: async (): Promise<void> => {
      await (await session)?.close();
    },
  };
}

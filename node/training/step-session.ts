/** Sessions of a training step and of an evaluation: whole, or in parts of one block each. */
import type { Runtime, Session, SessionOptions } from "../interface/runtime.ts";
import { encodeModel } from "../onnx/codec.ts";
import { streamedEvaluation, streamedStep } from "./streamed-parts.ts";
import { streamedSession } from "./streamed-session.ts";
import {
  type AdaptedModel,
  type BatchShape,
  type EvaluationOptions,
  evaluationGraph,
  type TrainingStepOptions,
  trainingStepGraph,
} from "./training-step.ts";

/** What a session computes, and how. */
export interface SessionOf {
  readonly adapted: AdaptedModel;
  readonly shape: BatchShape;
  readonly sessionOptions: SessionOptions;
  /** Whether the weights of one block are in memory at a time. */
  readonly streamBlocks?: boolean | undefined;
}

/** The session of `trainingStepGraph`. */
export async function stepSession(
  runtime: Runtime,
  { adapted, shape, sessionOptions, streamBlocks = false }: SessionOf,
  how: TrainingStepOptions,
): Promise<Session> {
  if (streamBlocks) return streamedSession(runtime, streamedStep(adapted, shape, how), sessionOptions);
  return runtime.load(encodeModel(trainingStepGraph(adapted, shape, how)), sessionOptions);
}

/** The session of `evaluationGraph`. */
export async function evaluationSession(
  runtime: Runtime,
  { adapted, shape, sessionOptions, streamBlocks = false }: SessionOf,
  how: EvaluationOptions = {},
): Promise<Session> {
  if (streamBlocks) return streamedSession(runtime, streamedEvaluation(adapted, shape), sessionOptions);
  return runtime.load(encodeModel(evaluationGraph(adapted, shape, how)), sessionOptions);
}

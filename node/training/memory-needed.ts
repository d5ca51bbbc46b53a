/**
 * The memory that a training takes, foreseen from its graphs before anything is allocated. The sessions of training and of
 * evaluation stay open beside each other, and the runtime gives nothing back that a session has taken once.
 */
import { parameterCount } from "../../protocol/adapter-spec.ts";
import type { EngineOptions } from "../interface/engine-options.ts";
import { memoryUse } from "../onnx/memory-use.ts";
import { evaluationShape } from "./evaluator.ts";
import { type AdaptedModel, evaluationGraph, trainingStepGraph } from "./training-step.ts";

/** Bytes, by what takes them. */
export interface MemoryNeeded {
  readonly weights: number;
  readonly activations: number;
  /** The adapter, its gradient and its moments. */
  readonly optimizer: number;
  /** Node.js, the runtime and the graphs. */
  readonly program: number;
  readonly total: number;
}

/** Measured at SmolLM2-135M's shape: what a process holds beside weights and activations. */
const PROGRAM_BYTES = 170e6;
/** Measured there: what the runtime's allocator takes for each byte of activations. */
const ALLOCATED_SHARE = 1.25;
/** f32 values for each trained one: itself, its gradient, two moments, and copies while it is saved. */
const VALUES_PER_TRAINED = 8;

/** Foreseen and measured memory differ by up to so much. */
const UNSURE = 0.1;

/** Bytes that are left of those available, with some room for what is not foreseen; below 0 where it does not fit. */
export const memorySpare = ({ total }: MemoryNeeded, available: number): number => available - (1 + UNSURE) * total;

/** What training takes with batches of `examples` texts of `tokens` tokens, all of which are learnt. */
export function memoryNeeded(
  adapted: AdaptedModel,
  { examples, tokens, engine }: { readonly examples: number; readonly tokens: number; readonly engine: EngineOptions },
): MemoryNeeded {
  const { model, slots } = adapted;
  const labels = model.classifier ? examples : examples * (tokens - 1);
  const { lowMemory = false } = engine;
  const step = memoryUse(trainingStepGraph(adapted, { examples, tokens, labels }, { lowMemory }));
  const evaluation = memoryUse(evaluationGraph(adapted, evaluationShape({ tokens, lowMemory, model })));
  const activations = ALLOCATED_SHARE * (step.activations + evaluation.activations) + step.constants;
  const optimizer = 4 * VALUES_PER_TRAINED * parameterCount(slots);
  const weights = Math.max(step.weights, evaluation.weights);
  return {
    ...{ weights, activations, optimizer, program: PROGRAM_BYTES },
    total: weights + activations + optimizer + PROGRAM_BYTES,
  };
}

/**
 * The memory that a training takes, foreseen from its graphs before anything is allocated. The runtime gives nothing back
 * that a session has taken once. With low memory the sessions of training are closed while those of evaluation are open,
 * and the other way round; else all stay open beside each other.
 */
import { parameterCount } from "../../protocol/adapter-spec.ts";
import type { EngineOptions } from "../interface/engine-options.ts";
import { type MemoryUse, memoryUse, valueBytes } from "../onnx/memory-use.ts";
import { evaluationShape } from "./evaluator.ts";
import { NEXT, type StreamedParts, streamedEvaluation, streamedStep } from "./streamed-parts.ts";
import { type AdaptedModel, type BatchShape, evaluationGraph, trainingStepGraph } from "./training-step.ts";

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
  const { lowMemory = false, streamBlocks = false } = engine;
  const shape = { examples, tokens, labels };
  const evaluated = evaluationShape({ tokens, lowMemory: lowMemory || streamBlocks, model });
  const { step, evaluation } = streamBlocks
    ? streamedUse(adapted, shape, evaluated)
    : {
        step: memoryUse(trainingStepGraph(adapted, shape, { lowMemory })),
        evaluation: memoryUse(evaluationGraph(adapted, evaluated)),
      };
  const held = lowMemory
    ? Math.max(step.activations, evaluation.activations)
    : step.activations + evaluation.activations;
  const activations = ALLOCATED_SHARE * held + step.constants;
  const optimizer = 4 * VALUES_PER_TRAINED * parameterCount(slots);
  const weights = Math.max(step.weights, evaluation.weights);
  return {
    ...{ weights, activations, optimizer, program: PROGRAM_BYTES },
    total: weights + activations + optimizer + PROGRAM_BYTES,
  };
}

/** Of parts that are loaded one after another: the largest of them, and the streams that are kept between them. */
function streamedUse(
  adapted: AdaptedModel,
  shape: BatchShape,
  evaluated: BatchShape,
): { readonly step: MemoryUse; readonly evaluation: MemoryUse } {
  const step = largestOf(streamedStep(adapted, shape, {}));
  const evaluation = largestOf(streamedEvaluation(adapted, evaluated));
  // Nothing of one is left while the other runs.
  const activations = Math.max(step.activations, evaluation.activations);
  return { step: { ...step, activations }, evaluation: { ...evaluation, activations: 0 } };
}

function largestOf({ forward, head, backward }: StreamedParts): MemoryUse {
  const uses = [...forward, head, ...backward].map(memoryUse);
  const most = (of: keyof MemoryUse): number => Math.max(...uses.map((use) => use[of]));
  const streams = forward.reduce((sum, { outputs }) => sum + valueBytes(outputs[NEXT]!), 0);
  return {
    weights: most("weights"),
    constants: most("constants"),
    activations: most("activations") + streams,
  };
}

/**
 * A step, or an evaluation, in parts of one block each, so that the weights of one block are all that has to be in memory at
 * a time. The forward pass keeps the residual stream between blocks; the backward pass computes the inside of a block again
 * from there, as with low memory (Chen et al. 2016, arXiv:1604.06174). What is computed is the same, operator by operator.
 *
 * x_l is the stream behind block l, g_l the gradient of the loss there, a the flat adapter vector:
 *   forward l:   x_(l-1), a -> x_l
 *   head:        x_L, a -> loss, g_L, dL/da by way of what is behind the last block
 *   backward l:  x_(l-1), a, g_l -> g_(l-1), dL/da by way of block l
 * The gradient of the adapter is the sum of its parts.
 */
import { gradient } from "../autodiff/gradient.ts";
import { onlyReadInputs, openedAt } from "../onnx/cut.ts";
import { inputValue } from "../onnx/graph.ts";
import type { OnnxGraph, OnnxValue } from "../onnx/value.ts";
import {
  type AdaptedModel,
  type BatchShape,
  evaluation,
  finished,
  type TrainingStepOptions,
  trainingLoss,
} from "./training-step.ts";

/** Names of what goes from one part to another. */
export const STREAM = "stream";
/** The stream behind a block. */
export const NEXT = "next";
/** The gradient at the stream behind a block, and in front of it. */
export const NEXT_GRADIENT = "next_gradient";
/** The gradient at the stream that a part begins with. */
export const STREAM_GRADIENT = "stream_gradient";

/** The parts, each ready for the runtime. */
export interface StreamedParts {
  /** stream f32[N, D] (absent in the first one), and inputs of the whole -> next f32[N', D]; from the first block on. */
  readonly forward: readonly OnnxGraph[];
  /** stream, and inputs of the whole -> its outputs; of a step also stream_gradient where a block is trained. */
  readonly head: OnnxGraph;
  /**
   * stream, next_gradient, inputs of the whole -> gradient f32[P], and stream_gradient where a block below is trained; from
   * the last block to the first that the adapter changes.  Empty for an evaluation.
   */
  readonly backward: readonly OnnxGraph[];
}

/** The graphs of a training step, as `trainingStepGraph` has it.  The option for low memory has no say. */
export function streamedStep(adapted: AdaptedModel, shape: BatchShape, options: TrainingStepOptions): StreamedParts {
  const step = trainingLoss(adapted, shape, options);
  const { inputs, adapter, blockEnds, changed, loss, total } = step;
  const finish = (graph: OnnxGraph): OnnxGraph => finished(adapted.model, onlyReadInputs(graph));
  const isTrained = (block: number): boolean => changed.includes(blockEnds[block]!);
  const last = blockEnds.length - 1;
  const open = openedAt({ inputs, outputs: { loss, total } }, { at: blockEnds[last]!, name: STREAM });
  const wanted = [adapter, ...(isTrained(last) ? [open.inputs.at(-1)!] : [])];
  const [flat, toStream] = gradient(open.outputs.total!, wanted);
  const outputs = { loss: open.outputs.loss!, gradient: flat!, ...(toStream && { [STREAM_GRADIENT]: toStream }) };
  const trained = [...blockEnds.keys()].filter(isTrained).toReversed();
  return {
    forward: forwardParts(inputs, blockEnds).map(finish),
    head: finish({ inputs: open.inputs, outputs }),
    backward: trained.map((block) => {
      const below = block > 0 && isTrained(block - 1);
      return finish(backwardPart(forwardPart(inputs, blockEnds, block), { adapter, below }));
    }),
  };
}

/** The graphs of an evaluation, as `evaluationGraph` has it. */
export function streamedEvaluation(adapted: AdaptedModel, shape: BatchShape): StreamedParts {
  const { graph, blockEnds } = evaluation(adapted, shape);
  const finish = (part: OnnxGraph): OnnxGraph => finished(adapted.model, onlyReadInputs(part));
  return {
    forward: forwardParts(graph.inputs, blockEnds).map(finish),
    head: finish(openedAt(graph, { at: blockEnds.at(-1)!, name: STREAM })),
    backward: [],
  };
}

const forwardParts = (inputs: readonly OnnxValue[], blockEnds: readonly OnnxValue[]): readonly OnnxGraph[] =>
  blockEnds.map((_, block) => forwardPart(inputs, blockEnds, block));

function forwardPart(inputs: readonly OnnxValue[], blockEnds: readonly OnnxValue[], block: number): OnnxGraph {
  const part = { inputs, outputs: { [NEXT]: blockEnds[block]! } };
  return block === 0 ? part : openedAt(part, { at: blockEnds[block - 1]!, name: STREAM });
}

/** below: whether a block below is trained. */
function backwardPart(
  { inputs, outputs }: OnnxGraph,
  { adapter, below }: { readonly adapter: OnnxValue; readonly below: boolean },
): OnnxGraph {
  const next = outputs[NEXT]!;
  const seed = inputValue(NEXT_GRADIENT, next.dtype, next.shape);
  const [flat, toStream] = gradient(next, [adapter, ...(below ? [inputs.at(-1)!] : [])], { seed });
  return {
    inputs: [...inputs, seed],
    outputs: { gradient: flat!, ...(toStream && { [STREAM_GRADIENT]: toStream }) },
  };
}

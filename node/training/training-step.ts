/**
 * The ONNX graphs of one training step: frozen model + adapter + loss + gradient.
 *
 * Loss: sum_m w_m (log sum_v exp(z_mv) - z_m,label(m)) over the labelled rows only (`cross-entropy.ts`).
 */
import type { AdapterSettings, AdapterSlot } from "../../protocol/adapter-spec.ts";
import { inject } from "../adapter/inject.ts";
import { gradient } from "../autodiff/gradient.ts";
import { type BaseModel, finishedGraph, type WeightSource } from "../model/base-model.ts";
import { classRows, meanOfTokens } from "../model/layers/pooling.ts";
import { cutGraph } from "../onnx/cut.ts";
import { forSpeed } from "../onnx/for-speed.ts";
import { apply, inputValue, nodesInOrder } from "../onnx/graph.ts";
import { add, gather, ints, mul, reduceSum, reshape } from "../onnx/operators.ts";
import { splitTree } from "../onnx/split-tree.ts";
import type { OnnxGraph, OnnxValue } from "../onnx/value.ts";
import type { Tensor } from "../tensor.ts";
import { withCheckpoints } from "./checkpointing.ts";
import { crossEntropy, evaluatedRows, logitsOf } from "./cross-entropy.ts";
import { proximalTerm } from "./proximal.ts";
import { softmaxProductsFirst } from "./softmax-products.ts";

/** Sizes that a graph is built for. */
export interface BatchShape {
  /** B */
  readonly examples: number;
  /** T */
  readonly tokens: number;
  /** M: labelled rows, padding included. */
  readonly labels: number;
  /** Examples that share the B rows; every row is one when absent. */
  readonly packed?: number;
}

/** A base model and the adapter that is trained on it. */
export interface AdaptedModel {
  readonly model: BaseModel;
  readonly adapter: AdapterSettings;
  /** Places of the trained tensors. One that has the name of a weight of the model takes that weight's place. */
  readonly slots: readonly AdapterSlot[];
  /** The tensors of the adapter that nobody trains; absent for methods without any. */
  readonly frozen?: ReadonlyMap<string, Tensor>;
}

/** What a step computes beside the plain loss and gradient, and how. */
export interface TrainingStepOptions {
  /** Whether the loss holds the adapter near a reference; adds the inputs of `proximalTerm`. */
  readonly proximal?: boolean;
  /** Whether that is weighted value by value. */
  readonly fisher?: boolean;
  /** Keep only the residual stream between blocks, and compute the rest again in the backward pass. */
  readonly lowMemory?: boolean;
  /** Never cut the output matrix, as `PartsOptions` has it. */
  readonly wholeMatrix?: boolean;
}

/**
 * Inputs: input_ids i64[B,T], for classifiers attention_mask i64[B,T], with packing positions and
 * segments i64[B,T], label_rows i64[M], label_ids i64[M],
 * label_weights f32[M] (they sum to 1), adapter f32[P], the positions of `interventionInputs` and the masks of
 * `dropoutInputs`; with a proximal term those of `proximalTerm`.  Outputs: loss f32[] on the labels, gradient f32[P] of
 * that loss and the proximal term together.
 */
export function trainingStepGraph(
  adapted: AdaptedModel,
  shape: BatchShape,
  options: TrainingStepOptions = {},
): OnnxGraph {
  return finished(adapted.model, trainingStep(adapted, shape, options).graph);
}

/**
 * The same step in two graphs, cut behind the last block that no part of the adapter changes, or before the edit of the next
 * one's result: what is below gives the same values for the same example every time, and need not be computed again.
 * undefined where there is no such block.
 * below: input_ids (and attention_mask) -> stream f32[B*T, D].  above: the inputs of the whole step with stream in place
 * of what only the lower blocks read.
 */
export function cutTrainingStep(
  adapted: AdaptedModel,
  shape: BatchShape,
  options: TrainingStepOptions = {},
): { readonly below: OnnxGraph; readonly above: OnnxGraph } | undefined {
  const { graph, frozenEnd } = trainingStep(adapted, shape, options);
  if (!frozenEnd) return undefined;
  const { below, above } = cutGraph(graph, { at: frozenEnd, name: "stream" });
  return { below: finished(adapted.model, below), above: finished(adapted.model, above) };
}

/** The graph as it is handed to the runtime, after the passes that change how it is computed. */
export const finished = (model: BaseModel, graph: OnnxGraph): OnnxGraph =>
  finishedGraph(model, softmaxProductsFirst(forSpeed(graph).graph).graph);

function trainingStep(adapted: AdaptedModel, shape: BatchShape, options: TrainingStepOptions) {
  const { inputs, loss, total, adapter, changed, ...ends } = trainingLoss(adapted, shape, options);
  const kept = options.lowMemory ? changed : [];
  const [flat, ...atBlocks] = gradient(total, [adapter, ...kept]);
  const checkpoints = kept.map((value, i) => ({ value, gradient: atBlocks[i]! }));
  const whole = { inputs, outputs: { loss, gradient: flat! } };
  const { graph } = withCheckpoints(whole, { loss: total, checkpoints });
  return { graph, frozenEnd: frozenEndOf(adapter, ends, options) };
}

/** A step before it is differentiated. */
export interface StepLoss {
  readonly inputs: readonly OnnxValue[];
  /** On the labels. */
  readonly loss: OnnxValue;
  /** With the proximal term: what is differentiated. */
  readonly total: OnnxValue;
  /** The flat vector. */
  readonly adapter: OnnxValue;
  /** The residual stream behind each block, from the first to the last one. */
  readonly blockEnds: readonly OnnxValue[];
  /** Those of them that the adapter changes. */
  readonly changed: readonly OnnxValue[];
  /** The streams with all rows, before and after each edit. */
  readonly wholeStreams: readonly OnnxValue[];
}

/** The forward pass and the loss of a training step. */
export function trainingLoss(adapted: AdaptedModel, shape: BatchShape, options: TrainingStepOptions): StepLoss {
  const { proximal = false, fisher = false, wholeMatrix = false } = options;
  const whole = forward(adapted, shape, { training: true });
  const { inputs, adapter, weight, batch, labelWeights, blockEnds, wholeStreams } = whole;
  const losses = crossEntropy(adapted.model, weight, batch, { wholeMatrix });
  const loss = reduceSum(mul(losses, labelWeights), [0], false);
  const held = proximal ? proximalTerm(adapter, fisher ? "weighted" : "alike") : undefined;
  return {
    inputs: [...inputs, ...(held?.inputs ?? [])],
    loss,
    total: held ? add(loss, held.term) : loss,
    ...{ adapter, blockEnds, wholeStreams },
    changed: dependentOn(adapter, blockEnds),
  };
}

/** Up to so many blocks in all, one of them is worth what keeping its result takes. */
const FEW_BLOCKS = 8;

/**
 * The last stream that no part of the adapter changes; undefined where the adapter changes the first block. Where it changes that
 * block's result alone, there is one only of few blocks and with enough memory.
 */
function frozenEndOf(
  adapter: OnnxValue,
  { blockEnds, wholeStreams }: Pick<StepLoss, "blockEnds" | "wholeStreams">,
  { lowMemory = false }: Pick<TrainingStepOptions, "lowMemory">,
): OnnxValue | undefined {
  const isFirst = dependentOn(adapter, blockEnds.slice(0, 1)).length > 0;
  if (isFirst && (lowMemory || blockEnds.length > FEW_BLOCKS)) return undefined;
  const edited = dependentOn(adapter, wholeStreams);
  return wholeStreams.findLast((h) => !edited.includes(h));
}

/** Those of the given values that are computed from `root`. */
function dependentOn(root: OnnxValue, values: readonly OnnxValue[]): readonly OnnxValue[] {
  const found = new Set([root]);
  for (const node of nodesInOrder(values)) {
    if (node.inputs.some((input) => input && found.has(input))) for (const output of node.outputs) found.add(output);
  }
  return values.filter((value) => found.has(value));
}

/** How an evaluation is built. */
export type EvaluationOptions = Pick<TrainingStepOptions, "wholeMatrix">;

/** The same inputs without weights and masks.  Outputs: losses f32[M] in nats, predicted i64[M]. */
export function evaluationGraph(adapted: AdaptedModel, shape: BatchShape, options: EvaluationOptions = {}): OnnxGraph {
  return finishedGraph(adapted.model, forSpeed(evaluation(adapted, shape, options).graph).graph);
}

/** The same in two graphs, cut as `cutTrainingStep` cuts; undefined where there is nothing below the adapter. */
export function cutEvaluation(
  adapted: AdaptedModel,
  shape: BatchShape,
  options: EvaluationOptions = {},
): { readonly below: OnnxGraph; readonly above: OnnxGraph } | undefined {
  const { graph, frozenEnd } = evaluation(adapted, shape, options);
  if (!frozenEnd) return undefined;
  const { below, above } = cutGraph(graph, { at: frozenEnd, name: "stream" });
  const finish = (part: OnnxGraph): OnnxGraph => finishedGraph(adapted.model, forSpeed(part).graph);
  return { below: finish(below), above: finish(above) };
}

/** What `evaluationGraph` computes, before the passes that change how, and the streams at which it may be cut. */
export function evaluation(adapted: AdaptedModel, shape: BatchShape, options: EvaluationOptions = {}) {
  const whole = forward(adapted, shape, { training: false });
  const { inputs, adapter, weight, batch, labelWeights } = whole;
  const { losses, predicted } = evaluatedRows(adapted.model, weight, batch, options);
  const unweighted = inputs.filter((input) => input !== labelWeights);
  return {
    graph: { inputs: unweighted, outputs: { losses, predicted } },
    frozenEnd: frozenEndOf(adapter, whole, {}),
    blockEnds: whole.blockEnds,
  };
}

/** Inputs without labels.  Outputs: logits f32[B*T, V], of classifiers of texts f32[B, classes]. */
export function logitsGraph(adapted: AdaptedModel, shape: Omit<BatchShape, "labels">): OnnxGraph {
  const { model } = adapted;
  const { inputs, hidden, weight, attentionMask } = hiddenRows(adapted, { ...shape, training: false });
  const rows = model.classifier ? classRows(hidden, attentionMask, model.classifier) : hidden;
  return finishedGraph(model, { inputs, outputs: { logits: logitsOf(model, weight, rows).logits } });
}

/** Values of the flat vector as tensors by name; the gradient comes back the same way. */
export function unflatten(flat: OnnxValue, slots: readonly AdapterSlot[]): (name: string) => OnnxValue {
  const parts = splitTree(
    flat,
    slots.map((slot) => slot.length),
  );
  const byName = new Map(slots.map((slot, i) => [slot.name, reshape(parts[i]!, slot.shape)]));
  return (name) => {
    const value = byName.get(name);
    if (!value) throw new RangeError(`the adapter has no tensor ${name}`);
    return value;
  };
}

interface RowsShape extends Omit<BatchShape, "labels"> {
  /** Whether dropout is in effect. */
  readonly training: boolean;
  /** i64[M], the rows that are wanted; all when absent. */
  readonly rows?: OnnxValue | undefined;
}

/** The residual stream behind the last block, f32[B*T, D] or f32[M, D], with the adapter in it, and what has to be fed for it. */
function hiddenRows({ model, adapter: settings, slots, frozen = new Map() }: AdaptedModel, shape: RowsShape) {
  const inputIds = inputValue("input_ids", "int64", [shape.examples, shape.tokens]);
  const attentionMask = inputValue("attention_mask", "int64", [shape.examples, shape.tokens]);
  const flat = inputValue("adapter", "float32", [slots.reduce((sum, slot) => sum + slot.length, 0)]);
  const own = new Set(slots.map((slot) => slot.name));
  const tensor = unflatten(flat, slots);
  const trained = (name: string): OnnxValue | undefined => (own.has(name) ? tensor(name) : undefined);
  const weight: WeightSource = (wanted) => trained(wanted.name) ?? model.weight(wanted);
  const { inputs, hooks } = inject({ settings, model: model.shape, base: model, trained, frozen, ...shape });
  const masks = model.classifier ? [attentionMask] : [];
  const grid = (name: string): OnnxValue => inputValue(name, "int64", [shape.examples, shape.tokens]);
  const packing = shape.packed ? { positions: grid("positions"), segments: grid("segments") } : undefined;
  const blockEnds: OnnxValue[] = [];
  const wholeStreams: OnnxValue[] = [];
  const block = (layer: number, h: OnnxValue, rows?: OnnxValue): OnnxValue => {
    const edited = hooks.block?.(layer, h, rows) ?? h;
    blockEnds.push(edited);
    if (!rows) wholeStreams.push(...new Set([h, edited]));
    return edited;
  };
  const hidden = model.hidden({
    inputIds,
    attentionMask,
    weight,
    hooks: { ...hooks, block },
    packing,
    rows: shape.rows,
  });
  return {
    inputs: [inputIds, ...masks, ...Object.values(packing ?? {}), flat, ...inputs],
    attentionMask,
    hidden,
    weight,
    adapter: flat,
    blockEnds,
    wholeStreams,
  };
}

/** Above this share of labelled rows the last block computes all rows: sorting them out would cost more. */
const LABELLED_SHARE_MAX = 0.9;

function forward(adapted: AdaptedModel, shape: BatchShape, { training }: { readonly training: boolean }) {
  const labelRows = inputValue("label_rows", "int64", [shape.labels]);
  const labelIds = inputValue("label_ids", "int64", [shape.labels]);
  const labelWeights = inputValue("label_weights", "float32", [shape.labels]);
  const isMean = adapted.model.classifier?.reads === "mean of tokens";
  const few = !isMean && shape.labels <= LABELLED_SHARE_MAX * shape.examples * shape.tokens;
  const rows = few ? labelRows : undefined;
  const { inputs, hidden, weight, adapter, blockEnds, wholeStreams, attentionMask } = hiddenRows(adapted, {
    ...shape,
    training,
    rows,
  });
  const stream = isMean ? meanOfTokens(hidden, attentionMask) : hidden;
  // A text's mean stands in the row of its number.
  const read = isMean ? apply("Div", [labelRows, ints([shape.tokens])]) : labelRows;
  const batch = { rows: rows ? stream : gather(stream, read), labelIds };
  return {
    inputs: [...inputs, labelRows, labelIds, labelWeights],
    adapter,
    weight,
    batch,
    labelWeights,
    blockEnds,
    wholeStreams,
  };
}

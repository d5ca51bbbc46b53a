/**
 * Batches of one fixed shape: a training graph is built once, so every batch of a data set has the same B, T and M.
 * Which examples stand in the batch of a step is a function of (seed, step) alone: a restart goes on with the same bits.
 */
import { createPrng } from "../../protocol/prng.ts";
import { NodeError } from "../errors.ts";
import type { Example } from "../interface/trainer.ts";
import { float32, type Tensor } from "../tensor.ts";

/** The fixed shape of a data set's batches. */
export interface BatchShape {
  /** B, examples in a batch. */
  readonly batchSize: number;
  /** T, tokens to which every example is padded on the right. */
  readonly tokens: number;
  /** M, rows of labels. */
  readonly labels: number;
}

/** The place of an example's tokens in the rows of a batch, counted row by row. */
export interface Span {
  /** r T + t of its first token. */
  readonly start: number;
  readonly length: number;
}

/** The tensors that only a packed batch has. */
export interface Packing {
  /** i64[R, T], the place of each token in its example; 0 for padding. */
  readonly positions: Tensor;
  /** i64[R, T], the number of the example, from 1 on; 0 for padding. */
  readonly segments: Tensor;
  /** One for every example, in the order of `promptLengths`. */
  readonly spans: readonly Span[];
}

/** One batch of examples as the tensors that a graph reads. */
export interface Batch {
  /** i64[B, T], padded on the right with `padId`. */
  readonly inputIds: Tensor;
  /** i64[B], tokens of each prompt; 1 in a padding example. */
  readonly promptLengths: Tensor;
  /** i64[M], flat rows b·T + t of the logits that predict a label: t from promptLength - 1 to length - 2, if learnt. */
  readonly labelRows: Tensor;
  /** i64[M], the token that stands at t + 1. */
  readonly labelIds: Tensor;
  /** f32[M], 1 for a label, 0 for a padding row; whoever takes a mean divides by their sum. */
  readonly labelWeights: Tensor;
  /** Real examples in this batch; the rest is padding without labels. */
  readonly exampleCount: number;
  /** Labels of weight 1; they stand first, example by example. */
  readonly labelCount: number;
  /** Present where examples share rows; then B of `promptLengths` is not the number of rows. */
  readonly packing?: Packing;
}

/** The tokens of an example that the loss is taken on, as ranges [from, to). */
export function learntRanges({ tokens, promptLength, learnt }: Example): NonNullable<Example["learnt"]> {
  return learnt ?? [[promptLength, tokens.length]];
}

/** How many tokens of an example a model reads: not the classes of its tokens. */
export function readTokens({ tokens, promptLength, places }: Example): number {
  return places ? promptLength : tokens.length;
}

/** How many tokens of an example the loss is taken on. */
export function labelCountOf(example: Example): number {
  return learntRanges(example).reduce((sum, [from, to]) => sum + to - from, 0);
}

/** T is a multiple of this, so that kernels work on whole blocks. */
export const TOKENS_MULTIPLE = 8;

/**
 * The one shape that holds every batch of these examples: T the longest example, rounded up to a multiple of 8;
 * M the batch size times the longest response.
 * Throws: NodeError DATA_TOO_SMALL (no examples), CONFIG_INVALID (batch size).
 */
export function planShape(examples: readonly Example[], { batchSize }: { readonly batchSize: number }): BatchShape {
  if (!Number.isSafeInteger(batchSize) || batchSize < 1) {
    throw new NodeError("CONFIG_INVALID", `batchSize is ${batchSize}; it must be 1 or more`, { batchSize });
  }
  if (examples.length === 0) throw new NodeError("DATA_TOO_SMALL", "there are no examples; give at least one batch");
  let tokens = 0;
  let response = 0;
  for (const example of examples) {
    assertExample(example);
    tokens = Math.max(tokens, readTokens(example));
    response = Math.max(response, labelCountOf(example));
  }
  return {
    batchSize,
    tokens: Math.ceil(tokens / TOKENS_MULTIPLE) * TOKENS_MULTIPLE,
    labels: batchSize * response,
  };
}

/** What the batches of a data set are made from. */
export interface BatchOptions {
  readonly shape: BatchShape;
  /** Seed of the order; a peer's own. */
  readonly seed: number;
  /** Token id that fills what is behind an example; it is never a label. */
  readonly padId?: number;
  /** Name of the order's random stream; where one seed makes several orders, each has its own. */
  readonly stream?: string;
}

/** The batches of one data set, drawn by step. */
export interface Batches {
  readonly shape: BatchShape;
  /** Steps that see every example once, the last one completed with examples of the next pass. */
  readonly stepsPerEpoch: number;
  /** The batch of local step `step`, 0 or more: a pure function of the seed and the step. */
  batchAt(step: number): Batch;
  /** The examples that stand in it. */
  examplesAt(step: number): readonly Example[];
}

/**
 * Endless training batches. Examples are drawn without replacement, epoch by epoch, each epoch shuffled by a stream of
 * its own; a batch may span the end of one epoch and the start of the next. Every batch is full.
 * Throws: NodeError DATA_TOO_SMALL without examples.
 */
export function createBatches(
  examples: readonly Example[],
  { shape, seed, padId = 0, stream = "batch-order" }: BatchOptions,
): Batches {
  if (examples.length === 0) throw new NodeError("DATA_TOO_SMALL", "there are no examples; give at least one batch");
  const root = createPrng(seed).fork(stream);
  const indices = examples.map((_, index) => index);
  let cached = { epoch: -1, order: indices };
  const orderOf = (epoch: number): readonly number[] => {
    if (cached.epoch !== epoch) cached = { epoch, order: root.fork(`epoch-${epoch}`).shuffle(indices) };
    return cached.order;
  };
  const examplesAt = (step: number): readonly Example[] => {
    if (!Number.isSafeInteger(step) || step < 0)
      throw new RangeError(`step ${step} is not a whole number of 0 or more`);
    return Array.from({ length: shape.batchSize }, (_, i) => {
      const position = step * shape.batchSize + i;
      return examples[orderOf(Math.floor(position / examples.length))[position % examples.length]!]!;
    });
  };
  return {
    shape,
    stepsPerEpoch: Math.ceil(examples.length / shape.batchSize),
    batchAt: (step) => fillBatch(examplesAt(step), { shape, padId }),
    examplesAt,
  };
}

/** All examples once, in order; the last batch is padded with examples that have no labels. */
export function evaluationBatches(
  examples: readonly Example[],
  { shape, padId = 0 }: { readonly shape: BatchShape; readonly padId?: number },
): Batch[] {
  const batches: Batch[] = [];
  for (let at = 0; at < examples.length; at += shape.batchSize) {
    batches.push(fillBatch(examples.slice(at, at + shape.batchSize), { shape, padId }));
  }
  return batches;
}

/**
 * One batch of up to B examples, in their order.  Throws: RangeError when an example does not fit the shape.
 * Equation: row m predicts labelIds[m] = tokens_b[t + 1] from position labelRows[m] = b·T + t, and the class of a token
 * from that token's place.
 */
export function fillBatch(
  examples: readonly Example[],
  { shape, padId }: { readonly shape: BatchShape; readonly padId: number },
): Batch {
  const { batchSize, tokens: width, labels } = shape;
  if (examples.length > batchSize) throw new RangeError(`${examples.length} examples in a batch of ${batchSize}`);
  const inputIds = new BigInt64Array(batchSize * width).fill(BigInt(padId));
  const promptLengths = new BigInt64Array(batchSize).fill(1n);
  const labelRows = new BigInt64Array(labels);
  const labelIds = new BigInt64Array(labels);
  const labelWeights = new Float32Array(labels);
  let m = 0;
  for (const [b, example] of examples.entries()) {
    assertExample(example);
    const { tokens, promptLength, places } = example;
    const length = readTokens(example);
    if (length > width || m + labelCountOf(example) > labels) {
      throw new RangeError(`an example of ${length} tokens does not fit [${batchSize}, ${width}], ${labels} labels`);
    }
    for (let t = 0; t < length; t++) inputIds[b * width + t] = BigInt(tokens[t]!);
    promptLengths[b] = BigInt(promptLength);
    for (const [from, to] of learntRanges(example)) {
      for (let t = from - 1; t <= to - 2; t++, m++) {
        labelRows[m] = BigInt(b * width + (places?.[t + 1 - promptLength] ?? t));
        labelIds[m] = BigInt(tokens[t + 1]!);
        labelWeights[m] = 1;
      }
    }
  }
  return {
    inputIds: whole([batchSize, width], inputIds),
    promptLengths: whole([batchSize], promptLengths),
    labelRows: whole([labels], labelRows),
    labelIds: whole([labels], labelIds),
    labelWeights: float32([labels], labelWeights),
    exampleCount: examples.length,
    labelCount: m,
  };
}

const whole = (shape: readonly number[], data: BigInt64Array): Tensor => ({ dtype: "int64", shape, data });

function assertExample({ tokens, promptLength, learnt, places }: Example): void {
  let at = promptLength;
  const isInOrder =
    learnt === undefined ||
    (learnt[0]?.[0] === promptLength &&
      learnt.every(([from, to]) => {
        const isBehind = from >= at && to > from && to <= tokens.length;
        at = to;
        return isBehind;
      }));
  const isPlaced =
    places === undefined ||
    (places.length === tokens.length - promptLength && places.every((at) => at >= 0 && at < promptLength));
  if (promptLength >= 1 && promptLength < tokens.length && isInOrder && isPlaced) return;
  throw new RangeError(`an example of ${tokens.length} tokens cannot have a prompt of ${promptLength}`);
}

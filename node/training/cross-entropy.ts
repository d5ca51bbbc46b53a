/**
 * Cross entropy of rows x f32[M,D] over a large vocabulary: log sum_v exp(z_mv) - z_m,label(m), z = x E^T + b.
 *
 * The label's logit is the product of the row with the label's embedding, so that the gradient needs no one-hot matrix:
 * dx = w (softmax(z) E - E[label]). Logits are computed in parts, and never stand in memory all at once. A frozen output
 * matrix is cut by its rows, the vocabulary, so that it is read once in each direction, however many parts there are:
 *   l_p = log sum_(v in p) exp z_v,   l = log sum_p exp l_p,   softmax(z) E = sum_p exp(l_p - l) softmax(z_p) E_p,
 * as blocks of keys are put together by Dao et al. 2022, arXiv:2205.14135, section 3.1. Where the matrix is trained, or
 * has a bias, the rows x are cut instead.
 */
import type { BaseModel, WeightSource } from "../model/base-model.ts";
import { capped } from "../model/layers/cap.ts";
import { apply, externalRows } from "../onnx/graph.ts";
import { add, concat, gather, gemm, ints, logSumExp, mul, reduceSum, split, sub } from "../onnx/operators.ts";
import type { OnnxValue } from "../onnx/value.ts";

/** The part of a model behind its last block. */
export type Output = Pick<BaseModel, "normalize" | "outputMatrix" | "outputBias" | "logitCap" | "narrow">;

/** z = x E^T + b, within the model's bounds, of rows h f32[M,D], x their normalisation -> logits z f32[M,V]. */
export function logitsOf(model: Output, weight: WeightSource, h: OnnxValue) {
  const x = model.normalize(h, weight);
  const matrix = model.outputMatrix(weight);
  const bias = model.outputBias?.(weight);
  return { x, matrix, bias, logits: capped(gemm(x, matrix, { transB: true, c: bias }), model.logitCap) };
}

/**
 * Logits that are computed at a time, in values: 8 MB of logits and as much of their softmax, where a vocabulary of
 * 49,152 and 512 labels would take 100 MB each.
 */
export const LOGITS_AT_ONCE = 2_100_000;

/** Rows of the output matrix in a part are a multiple of this, so that the kernels' tiles are full. */
const VOCABULARY_TILE = 64;

/** Labelled rows of the residual stream, f32[M,D], and their labels, i64[M]. */
export interface LabelledRows {
  readonly rows: OnnxValue;
  readonly labelIds: OnnxValue;
}

/** Into how large parts the vocabulary is cut. */
export interface PartsOptions {
  /** Default: `LOGITS_AT_ONCE`. */
  readonly logitsAtOnce?: number;
  /** Never cut the output matrix: for devices that would hold its parts beside the whole, which is read for labels. */
  readonly wholeMatrix?: boolean;
}

/** losses f32[M] of labelled rows, to be trained on. The finished graph is to go through `softmaxProductsFirst`. */
export function crossEntropy(
  model: Output,
  weight: WeightSource,
  batch: LabelledRows,
  { logitsAtOnce = LOGITS_AT_ONCE, wholeMatrix = false }: PartsOptions = {},
): OnnxValue {
  const matrix = model.outputMatrix(weight);
  const [vocabulary, labels] = [matrix.shape[0]!, batch.labelIds.shape[0]!];
  const cut = !wholeMatrix && matrix.source.kind === "external" && matrix.dtype === "float32" && !model.outputBias;
  if (!cut || labels * vocabulary <= logitsAtOnce) return crossEntropyByRows(model, weight, batch, logitsAtOnce).losses;
  const x = model.normalize(batch.rows, weight);
  const rows =
    VOCABULARY_TILE * Math.ceil(vocabulary / Math.ceil((labels * vocabulary) / logitsAtOnce) / VOCABULARY_TILE);
  const starts = Array.from({ length: Math.ceil(vocabulary / rows) }, (_, i) => i * rows);
  const parts = starts.map((from) => {
    const part = externalRows(matrix, { from, to: Math.min(vocabulary, from + rows) });
    const z = capped(gemm(x, part, { transB: true }), model.logitCap);
    return apply("ReduceLogSumExp", [z, ints([1])], { attributes: { keepdims: { int: 1 } } });
  });
  return sub(logSumExp(concat(parts, 1)), capped(labelProduct(x, matrix, batch.labelIds), model.logitCap));
}

/** The same with logits f32[M',V] of every part, which are cut by rows: to look for the largest of a row. */
export function crossEntropyByRows(
  model: Output,
  weight: WeightSource,
  batch: LabelledRows,
  logitsAtOnce: number = LOGITS_AT_ONCE,
): { readonly losses: OnnxValue; readonly logits: readonly OnnxValue[] } {
  const sizes = partSizes(batch.labelIds.shape[0]!, model.outputMatrix(weight).shape[0]!, logitsAtOnce);
  const ids = split(batch.labelIds, sizes, 0);
  const parts = split(batch.rows, sizes, 0).map((rows, i) => {
    const { x, matrix, bias, logits } = logitsOf(model, weight, rows);
    const product = labelProduct(x, matrix, ids[i]!);
    const labelLogits = capped(bias ? add(product, gather(bias, ids[i]!)) : product, model.logitCap);
    return { losses: sub(logSumExp(logits), labelLogits), logits };
  });
  const losses = concat(
    parts.map((part) => part.losses),
    0,
  );
  return { losses, logits: parts.map((part) => part.logits) };
}

/** x_m . E[label(m)], f32[M]. */
const labelProduct = (x: OnnxValue, matrix: OnnxValue, labelIds: OnnxValue): OnnxValue =>
  reduceSum(mul(x, gather(matrix, labelIds)), [1], false);

/** Rows of each part of M rows with V logits each. */
function partSizes(rows: number, vocabulary: number, logitsAtOnce: number): readonly number[] {
  const parts = Math.ceil((rows * vocabulary) / logitsAtOnce);
  const size = Math.ceil(rows / Math.max(1, parts));
  return Array.from({ length: Math.ceil(rows / size) }, (_, i) => Math.min(size, rows - i * size));
}

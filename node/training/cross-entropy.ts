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
import {
  add,
  cast,
  concat,
  gather,
  gemm,
  ints,
  log,
  logSumExp,
  mul,
  reduceSum,
  reshape,
  scalar,
  softmax,
  split,
  sub,
  where,
} from "../onnx/operators.ts";
import type { OnnxValue } from "../onnx/value.ts";
import type { Dtype } from "../tensor.ts";

/** The part of a model behind its last block. */
export type Output = Pick<BaseModel, "normalize" | "outputMatrix" | "outputBias" | "logitCap" | "vocabularyRows">;

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
  const cut = byVocabulary(model, weight, batch, { logitsAtOnce, wholeMatrix });
  if (!cut) {
    const parts = crossEntropyByRows(model, weight, batch, logitsAtOnce);
    return concat(
      parts.map((part) => part.losses),
      0,
    );
  }
  const parts = cut.parts.map(({ logits }) => apply("ReduceLogSumExp", [logits, ints([1])], KEPT));
  return sub(logSumExp(concat(parts, 1)), cut.labelLogits);
}

const KEPT = { attributes: { keepdims: { int: 1 } } };

/** Logits of a part of the vocabulary, f32[M,V'], from its token `from` on. */
interface VocabularyPart {
  readonly from: number;
  readonly logits: OnnxValue;
}

/** Logits in parts of the vocabulary, and those of the labels f32[M]; undefined where the output matrix is not to be cut. */
function byVocabulary(
  model: Output,
  weight: WeightSource,
  batch: LabelledRows,
  { logitsAtOnce, wholeMatrix }: Required<PartsOptions>,
): { readonly parts: readonly VocabularyPart[]; readonly labelLogits: OnnxValue } | undefined {
  const matrix = model.outputMatrix(weight);
  const [vocabulary, labels] = [matrix.shape[0]!, batch.labelIds.shape[0]!];
  const mayCut = !wholeMatrix && matrix.source.kind === "external" && matrix.dtype === "float32" && !model.outputBias;
  const enough = model.vocabularyRows ?? (labels * vocabulary <= logitsAtOnce ? vocabulary : 0);
  if (!mayCut || vocabulary <= enough) return undefined;
  const x = model.normalize(batch.rows, weight);
  const rows =
    model.vocabularyRows ??
    VOCABULARY_TILE * Math.ceil(vocabulary / Math.ceil((labels * vocabulary) / logitsAtOnce) / VOCABULARY_TILE);
  const starts = Array.from({ length: Math.ceil(vocabulary / rows) }, (_, i) => i * rows);
  const parts = starts.map((from) => {
    const part = externalRows(matrix, { from, to: Math.min(vocabulary, from + rows) });
    return { from, logits: capped(gemm(x, part, { transB: true }), model.logitCap) };
  });
  return { parts, labelLogits: capped(labelProduct(x, matrix, batch.labelIds), model.logitCap) };
}

/** losses f32[M] of labelled rows, and their likeliest tokens i64[M], the first of those that are alike. */
export function evaluatedRows(
  model: Output,
  weight: WeightSource,
  batch: LabelledRows,
  { logitsAtOnce = LOGITS_AT_ONCE, wholeMatrix = false }: PartsOptions = {},
): { readonly losses: OnnxValue; readonly predicted: OnnxValue } {
  const cut = byVocabulary(model, weight, batch, { logitsAtOnce, wholeMatrix });
  if (!cut) return evaluatedByRows(model, weight, batch, logitsAtOnce);
  const { parts, labelLogits } = cut;
  // One value for all of a part, so that its logits are let go before the next part's are computed. Numbers of tokens are
  // exact in f32 up to 2^24.
  const packed = parts.map(({ from, logits }) => {
    const largest = apply("ReduceMax", [logits, ints([1])], KEPT);
    const sum = sub(largest, log(apply("ReduceMax", [softmax(logits), ints([1])], KEPT)));
    const first = apply("ArgMax", [logits], { attributes: { axis: { int: 1 }, keepdims: { int: 1 } } });
    return concat([sum, largest, add(cast(first, "float32"), scalar(from))], 1);
  });
  const all = reshape(concat(packed, 1), [batch.labelIds.shape[0]!, parts.length, 3]);
  const [sums, largest, tokens] = split(all, [1, 1, 1], 2).map((part) => reshape(part, part.shape.slice(0, 2)));
  const isBest = apply("Equal", [largest!, apply("ReduceMax", [largest!, ints([1])], KEPT)]);
  const beyond = scalar(model.outputMatrix(weight).shape[0]!);
  const predicted = apply("ReduceMin", [where(isBest, tokens!, beyond), ints([1])], {
    attributes: { keepdims: { int: 0 } },
  });
  return { losses: sub(logSumExp(sums!), labelLogits), predicted: cast(predicted, "int64") };
}

/** The same in parts of the rows. */
function evaluatedByRows(model: Output, weight: WeightSource, batch: LabelledRows, logitsAtOnce: number) {
  const largest = { attributes: { axis: { int: 1 }, keepdims: { int: 0 } } };
  // Nothing is ever less than itself: these zeros make a prediction wait for its loss, and a loss for its prediction.
  // Otherwise the runtime would finish one of the outputs first, and hold the logits of every part for the other.
  const zero = (of: OnnxValue, dtype: Dtype): OnnxValue => cast(apply("Less", [of, of]), dtype);
  const parts = crossEntropyByRows(model, weight, batch, logitsAtOnce).map(({ losses, logits }) => {
    const predicted = apply("ArgMax", [logits], largest);
    return { losses: add(losses, zero(predicted, "float32")), predicted: add(predicted, zero(losses, "int64")) };
  });
  const [losses, predicted] = (["losses", "predicted"] as const).map((name) =>
    concat(
      parts.map((part) => part[name]),
      0,
    ),
  ) as [OnnxValue, OnnxValue];
  return { losses, predicted };
}

/** Some of the rows: losses f32[M'] and logits f32[M',V]. */
interface RowsPart {
  readonly losses: OnnxValue;
  readonly logits: OnnxValue;
}

/** The same in parts of the rows, with their logits: to look for the largest of a row. */
function crossEntropyByRows(
  model: Output,
  weight: WeightSource,
  batch: LabelledRows,
  logitsAtOnce: number,
): readonly RowsPart[] {
  const sizes = partSizes(batch.labelIds.shape[0]!, model.outputMatrix(weight).shape[0]!, logitsAtOnce);
  const ids = split(batch.labelIds, sizes, 0);
  return split(batch.rows, sizes, 0).map((rows, i) => {
    const { x, matrix, bias, logits } = logitsOf(model, weight, rows);
    const product = labelProduct(x, matrix, ids[i]!);
    const labelLogits = capped(bias ? add(product, gather(bias, ids[i]!)) : product, model.logitCap);
    return { losses: sub(logSumExp(logits), labelLogits), logits };
  });
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

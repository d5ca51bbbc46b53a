/**
 * Disentangled attention: what a query sees of a key depends on the key's content and on how far apart the two stand, and
 * what a key shows on the query's distance too (He et al. 2021, arXiv:2006.03654; buckets as in DeBERTa 2).
 */
import { apply, constantValue } from "../../onnx/graph.ts";
import { add, expand, matMul, mul, reshape, scalar, transpose } from "../../onnx/operators.ts";
import type { OnnxValue } from "../../onnx/value.ts";
import { int64 } from "../../tensor.ts";

/** Distances that have a vector each. */
export interface Distances {
  /** Rows of the table in each direction: it has twice as many. */
  readonly span: number;
  /** Where far distances share vectors: how many there are in each direction, and the farthest one that counts. */
  readonly buckets?: { readonly size: number; readonly farthest: number };
}

/** The rows of a table of distances that T tokens need, and which of them each pair of tokens takes. */
export interface DistanceRows {
  readonly first: number;
  readonly count: number;
  /** i64[T, T], counted from `first`: of the query's place minus the key's. */
  readonly pairs: OnnxValue;
}

/** For texts of `tokens` tokens. */
export function distanceRows(tokens: number, { span, buckets }: Distances): DistanceRows {
  const rowOf = (distance: number): number => {
    const bucket = buckets ? bucketOf(distance, buckets) : distance;
    return Math.min(2 * span - 1, Math.max(0, bucket + span));
  };
  const [first, last] = [rowOf(1 - tokens), rowOf(tokens - 1)];
  const pairs = Array.from({ length: tokens * tokens }, (_, i) => rowOf(Math.floor(i / tokens) - (i % tokens)) - first);
  return { first, count: last - first + 1, pairs: constantValue(int64([tokens, tokens], pairs)) };
}

/**
 * Near distances stand for themselves; from half the buckets on, they grow with the logarithm of the distance.
 * Every step is rounded to float32, as in the original: the result decides which row is read.
 */
function bucketOf(distance: number, { size, farthest }: NonNullable<Distances["buckets"]>): number {
  const middle = Math.floor(size / 2);
  const apart = Math.abs(distance);
  if (apart <= middle) return distance;
  const { fround, log } = Math;
  const share = fround(fround(log(fround(apart / middle))) / fround(log(fround((farthest - 1) / middle))));
  return Math.sign(distance) * (Math.ceil(fround(share * (middle - 1))) + middle);
}

/** The sizes of one attention. */
export interface RelativeShape {
  readonly batch: number;
  readonly tokens: number;
  readonly heads: number;
  readonly headSize: number;
  readonly scale: number;
}

/**
 * What is added to the scores: scale (Q_i · K'_{i-j} + Q'_{i-j} · K_j), f32[B, H, 1, T, T].
 * q, k: f32[B*T, H*headSize].  keys, queries: K' and Q' f32[R, H*headSize], the tables as keys and as queries; a part without
 * its table is left out.
 */
export function relativeBias(
  { q, k, keys, queries }: Readonly<Record<"q" | "k", OnnxValue>> & { keys?: OnnxValue; queries?: OnnxValue },
  { pairs, count }: DistanceRows,
  { batch, tokens, heads, headSize, scale }: RelativeShape,
): OnnxValue | undefined {
  const perHead = (x: OnnxValue): OnnxValue => transpose(reshape(x, [batch, tokens, heads, headSize]), [0, 2, 1, 3]);
  const columns = (table: OnnxValue): OnnxValue => transpose(reshape(table, [count, heads, headSize]), [1, 2, 0]);
  const chosen = (x: OnnxValue, table: OnnxValue, places: OnnxValue): OnnxValue => {
    const all = matMul(perHead(x), columns(table));
    const at = expand(reshape(places, [1, 1, tokens, tokens]), [batch, heads, tokens, tokens]);
    return apply("GatherElements", [all, at], { attributes: { axis: { int: 3 } } });
  };
  const parts = [
    ...(keys ? [chosen(q, keys, pairs)] : []),
    ...(queries ? [transpose(chosen(k, queries, transpose(pairs, [1, 0])), [0, 1, 3, 2])] : []),
  ];
  const [first, second] = parts;
  if (!first) return undefined;
  return reshape(mul(second ? add(first, second) : first, scalar(scale)), [batch, heads, 1, tokens, tokens]);
}

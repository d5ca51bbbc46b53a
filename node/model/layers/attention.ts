/** Scaled dot-product attention with grouped heads (Vaswani et al. 2017, arXiv:1706.03762; Ainslie et al. 2023, arXiv:2305.13245). */
import { apply, constantValue } from "../../onnx/graph.ts";
import {
  add,
  concat,
  ints,
  matMul,
  mul,
  reshape,
  scalar,
  softmax,
  split,
  sub,
  transpose,
  where,
} from "../../onnx/operators.ts";
import type { OnnxValue } from "../../onnx/value.ts";
import { float32 } from "../../tensor.ts";
import { capped } from "./cap.ts";
import type { KeysAndValues, RememberedTokens } from "./key-value-cache.ts";
import type { Rotary } from "./rotary.ts";
import { rotate } from "./rotary.ts";

/** A score that softmax turns into exactly 0 in f32. */
const MASKED_SCORE = -1e9;

/**
 * 0 where a query may look, else a score that softmax turns into 0; f32[T, T].
 * It may look at its own and earlier tokens, of these at the last `window` ones where a window is given
 * (Beltagy et al. 2020, arXiv:2004.05150).
 */
export function causalMask(tokens: number, window = tokens): OnnxValue {
  const values = new Float32Array(tokens * tokens).fill(MASKED_SCORE);
  for (let t = 0; t < tokens; t++) values.fill(0, t * tokens + Math.max(0, t + 1 - window), t * tokens + t + 1);
  return constantValue(float32([tokens, tokens], values));
}

/** The same where examples share rows, and a query sees its own example only; segments i64[B, T] -> f32[B,1,1,T,T]. */
export function packedMask(segments: OnnxValue, window?: number): OnnxValue {
  const [batch, tokens] = segments.shape as [number, number];
  const same = apply("Equal", [reshape(segments, [batch, tokens, 1]), reshape(segments, [batch, 1, tokens])]);
  const mask = where(same, causalMask(tokens, window), scalar(MASKED_SCORE));
  return reshape(mask, [batch, 1, 1, tokens, tokens]);
}

/** The same for models that look both ways: every query sees the tokens of its text; i64[B, T] of 1 and 0 -> f32[B,1,1,1,T]. */
export function paddingMask(attentionMask: OnnxValue): OnnxValue {
  const [batch, tokens] = attentionMask.shape as [number, number];
  const present = apply("Cast", [attentionMask], { attributes: { to: { int: 1 } } });
  return reshape(mul(sub(present, scalar(1)), scalar(-MASKED_SCORE)), [batch, 1, 1, 1, tokens]);
}

/** The same with a window: of its text a query sees the tokens that are at most `reach` places away; f32[B,1,1,T,T]. */
export function nearbyMask(attentionMask: OnnxValue, reach: number): OnnxValue {
  const [, tokens] = attentionMask.shape as [number, number];
  const values = Float32Array.from({ length: tokens * tokens }, (_, i) =>
    Math.abs(Math.floor(i / tokens) - (i % tokens)) <= reach ? 0 : MASKED_SCORE,
  );
  const near = constantValue(float32([1, 1, 1, tokens, tokens], values));
  return add(paddingMask(attentionMask), near);
}

/** A mask for one token: the slots that it sees, and itself: f32[1, capacity + 1], as `causalMask` has its rows. */
export function memoryMask({ position, capacity }: RememberedTokens, window?: number): OnnxValue {
  const slots = ints(Array.from({ length: capacity }, (_, slot) => slot));
  let seen = apply("Less", [slots, position]);
  if (window !== undefined) {
    const first = sub(position, ints([window]));
    seen = apply("And", [seen, apply("Greater", [slots, first])]);
  }
  const mask = where(seen, scalar(0), scalar(MASKED_SCORE));
  return concat([mask, constantValue(float32([1], [0]))], 0);
}

/** Queries [from, to) that are computed together, the keys that they can see, and what of those each of them sees. */
export interface QueryBlock {
  readonly queries: Range;
  readonly keys: Range;
  /** Additive; broadcasts to f32[B, groups, heads per group, queries, keys]. */
  readonly mask: OnnxValue;
}

/** Places from `from` up to but without `to`. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** All queries in one block. */
export function oneBlock(mask: OnnxValue, tokens: number): readonly QueryBlock[] {
  return [{ queries: { from: 0, to: tokens }, keys: { from: 0, to: mask.shape.at(-1)! }, mask }];
}

/** Queries of a block: large enough for the matrix products, small enough to leave out most of what no query sees. */
const QUERY_BLOCK = 128;

/** Texts below this length stay in one block: there the further operators cost what the smaller products save. */
const BLOCKED_FROM = 256;

/**
 * Blocks for queries that look left only: a block leaves out the keys behind its last query, and those that have left
 * the window of its first one. The triangle that is masked costs half of the attention of a long text otherwise.
 * mask: of `causalMask` or `packedMask`; its last two axes are queries and keys.
 */
export function causalBlocks(mask: OnnxValue, tokens: number, window = tokens): readonly QueryBlock[] {
  if (tokens < BLOCKED_FROM) return oneBlock(mask, tokens);
  const axes = [mask.shape.length - 2, mask.shape.length - 1];
  return Array.from({ length: Math.ceil(tokens / QUERY_BLOCK) }, (_, i) => {
    const queries = { from: i * QUERY_BLOCK, to: Math.min(tokens, (i + 1) * QUERY_BLOCK) };
    const first = Math.max(0, queries.from - window + 1);
    const keys = { from: first - (first % QUERY_BLOCK), to: queries.to };
    const [starts, ends] = [ints([queries.from, keys.from]), ints([queries.to, keys.to])];
    return { queries, keys, mask: apply("Slice", [mask, starts, ends, ints(axes)]) };
  });
}

/** The sizes of one attention. */
export interface AttentionShape {
  readonly batch: number;
  readonly tokens: number;
  readonly heads: number;
  readonly groups: number;
  readonly headSize: number;
  /** Absent for models with learned positions. */
  readonly rope?: Rotary;
  /** Of query-key products; headSize^-0.5 when absent. */
  readonly scale?: number | undefined;
  /** Where products z become cap tanh(z / cap). */
  readonly cap?: number | undefined;
  /** Added to the products, where all queries are in one block; broadcasts to f32[B, groups, heads per group, T, T]. */
  readonly bias?: OnnxValue | undefined;
  /** Of `oneBlock` or `causalBlocks`. */
  readonly blocks: readonly QueryBlock[];
  /** S keys and values to attend to, given those of the tokens at hand; these alone when absent. */
  readonly attended?: (now: KeysAndValues) => KeysAndValues;
}

/** Queries with the keys and values of the tokens at hand, or with those that another layer attended to. */
export type AttentionParts =
  | Readonly<Record<"q" | "k" | "v", OnnxValue>>
  | { readonly q: OnnxValue; readonly seen: KeysAndValues };

/**
 * softmax(scale Q K^T + mask) V; q f32[N, heads*headSize], k and v f32[N, groups*headSize] -> like q.
 * Padding stands to the right: where every query looks left only, the causal mask is enough.
 */
export function attention(parts: AttentionParts, shape: AttentionShape): OnnxValue {
  const { batch, tokens, heads, groups, headSize, rope, blocks, attended = (now) => now } = shape;
  const { scale = headSize ** -0.5, cap, bias } = shape;
  const share = heads / groups;
  const turned = (x: OnnxValue): OnnxValue => (rope ? rotate(reshape(x, [batch, tokens, x.shape[1]!]), rope) : x);
  const perGroup = (x: OnnxValue): OnnxValue => transpose(reshape(x, [batch, tokens, groups, headSize]), [0, 2, 1, 3]);
  // The queries of one group stand below one another, so that a group's keys are used in one product.
  const queries = transpose(reshape(turned(parts.q), [batch, tokens, groups, share, headSize]), [0, 2, 3, 1, 4]);
  const scaled = mul(queries, scalar(scale));
  const { keys, values } =
    "seen" in parts ? parts.seen : attended({ keys: perGroup(turned(parts.k)), values: perGroup(parts.v) });
  const columns = transpose(keys, [0, 1, 3, 2]);
  // Keys are cut where blocks of queries begin, and each block puts together those that it sees.
  const sizes = blocks.length > 1 ? blocks.map(({ queries: { from, to } }) => to - from) : [keys.shape[2]!];
  const [columnParts, valueParts] = [split(columns, sizes, 3), split(values, sizes, 2)];
  const queryParts = blocks.length > 1 ? split(scaled, sizes, 3) : [scaled];
  const mixed = blocks.map(({ keys: seen, mask }, i) => {
    const first = Math.floor(seen.from / sizes[0]!);
    const [n, of] = [queryParts[i]!.shape[3]!, seen.to - seen.from];
    const stacked = reshape(queryParts[i]!, [batch, groups, share * n, headSize]);
    const products = matMul(stacked, concat(columnParts.slice(first, i + 1), 3));
    const own = reshape(capped(products, cap), [batch, groups, share, n, of]);
    const scores = bias ? add(own, bias) : own;
    const weights = reshape(softmax(add(scores, mask)), [batch, groups, share * n, of]);
    return reshape(matMul(weights, concat(valueParts.slice(first, i + 1), 2)), [batch, groups, share, n, headSize]);
  });
  return reshape(transpose(concat(mixed, 3), [0, 3, 1, 2, 4]), [batch * tokens, heads * headSize]);
}

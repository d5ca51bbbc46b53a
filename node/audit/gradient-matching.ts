/**
 * Gradient inversion: the text whose gradient is the one that was seen. Each attempt searches among mixtures of tokens
 * by descent, with what the model itself expects of texts as a prior, then among texts by exchanging and moving tokens;
 * every other attempt goes on from the best text so far, shaken. A text whose gradient is the very one ends the search.
 */
import type { Prng } from "../../protocol/prng.ts";
import { adamWStep, zeroMoments } from "../training/optimizer.ts";
import type { GradientMatcher, TextShape } from "./matching-graph.ts";

export interface MatchingOptions {
  readonly shape: TextShape;
  /** V */
  readonly vocabulary: number;
  readonly prng: Prng;
  /** Steps of descent of each attempt that begins with it. */
  readonly steps: number;
  /** Attempts; the best guess by distance is kept. */
  readonly attempts: number;
  /** Tokens that are tried in a position where any may stand: as many by the slope as by the prior. */
  readonly candidates: number;
  /** Most passes over all positions. */
  readonly passes: number;
  /** Tokens that are known to be in the text: the first ones where `inOrder`, else all different ones but the last. */
  readonly known?: { readonly tokens: readonly number[]; readonly inOrder: boolean };
}

export interface Recovered {
  readonly tokens: readonly number[];
  readonly distance: number;
}

/** Step size of descent on the logits of the mixtures. */
const LEARNING_RATE = 0.3;
/** Weight of a nat of surprise against the distance at the beginning of a descent; it falls to 0, the gradient decides. */
const PRIOR_WEIGHT = 0.05;
/** By how much a descent's mixtures are sharpened from its first step to its last. */
const SHARPNESS_MAX = 5;
/** Below this the gradients are the same but for float32's rounding; a single wrong token is above 1e-2. */
const EXACT = 1e-5;
/** Tokens that are exchanged or drawn anew to leave a text that no single change makes better. */
const SHAKES = 3;

/** The logit of a token that may not stand at a position: its share is 0, and arithmetic with it is finite. */
const NEVER = -1e30;

/** Tokens that may stand at a position, undefined for any. */
type Allowed = readonly (readonly number[] | undefined)[];

/** The best text that was found, and how far its own gradient is from the one that was seen. */
export async function matchGradient(matcher: GradientMatcher, options: MatchingOptions): Promise<Recovered> {
  const { shape, vocabulary } = options;
  const allowed = allowedTokens(options);
  let best: Recovered | undefined;
  for (let attempt = 0; attempt < options.attempts; attempt++) {
    const prng = options.prng.fork(`attempt-${attempt}`);
    const start =
      best !== undefined && attempt % 2 === 1
        ? shaken(best.tokens, { allowed, vocabulary, prng })
        : strongest(await descend(matcher, { ...options, prng, allowed }), shape.tokens, vocabulary);
    const found = await refine(matcher, start, { ...options, allowed });
    if (best === undefined || found.distance < best.distance) best = found;
    if (best.distance < EXACT) break;
  }
  if (best === undefined) throw new RangeError("an attack needs at least one attempt");
  return best;
}

function allowedTokens({ shape, known }: MatchingOptions): Allowed {
  const tokens = known?.tokens ?? [];
  return Array.from({ length: shape.tokens }, (_, t) => {
    if (known?.inOrder) return t < tokens.length ? [tokens[t]!] : undefined;
    // The last token predicts nothing, so that it need not be among them.
    return tokens.length > 0 && t < shape.tokens - 1 ? tokens : undefined;
  });
}

/** p = softmax(s w) row by row over the allowed tokens, s rising; Adam on w from random values. */
async function descend(
  matcher: GradientMatcher,
  { shape, vocabulary, prng, steps, allowed }: MatchingOptions & { readonly allowed: Allowed },
): Promise<Float32Array> {
  const w = new Float32Array(shape.tokens * vocabulary).map(() => 0.1 * prng.normal());
  for (const [t, tokens] of allowed.entries()) {
    const may = tokens && new Set(tokens);
    if (may) for (let v = 0; v < vocabulary; v++) if (!may.has(v)) w[t * vocabulary + v] = NEVER;
  }
  const moments = zeroMoments(w.length);
  let p = softmaxRows(w, { width: vocabulary, sharpness: 1 });
  for (let step = 0; step < steps; step++) {
    const left = 1 - step / steps;
    const sharpness = 1 + (SHARPNESS_MAX - 1) * (1 - left);
    p = softmaxRows(w, { width: vocabulary, sharpness });
    const { direction, pull } = await matcher.guess(p);
    const toward = direction.map((slope, i) => slope + PRIOR_WEIGHT * left * pull[i]!);
    const slope = softmaxSlope(p, toward, vocabulary);
    if (!slope.every(Number.isFinite)) break;
    adamWStep(w, slope, moments, { learningRate: LEARNING_RATE * left, weightDecay: 0 });
  }
  return p;
}

/**
 * Change one token at a time, exchange two, or move one, until nothing improves. Where any token may stand, the candidates
 * are those that the slope at the text and the prior point to.
 * Source of the candidates: Ebrahimi et al. 2018, arXiv:1712.06751 (HotFlip).
 */
async function refine(
  matcher: GradientMatcher,
  start: readonly number[],
  { vocabulary, candidates, passes, allowed }: MatchingOptions & { readonly allowed: Allowed },
): Promise<Recovered> {
  const distanceOf = async (tokens: readonly number[]): Promise<number> =>
    (await matcher.score(oneHot(tokens, vocabulary))).distance;
  let tokens = [...start];
  let distance = await distanceOf(tokens);
  const seen = new Set([tokens.join()]);
  const improve = async (other: readonly number[]): Promise<void> => {
    const key = other.join();
    if (seen.has(key) || !other.every((token, t) => allowed[t]?.includes(token) ?? true)) return;
    seen.add(key);
    const found = await distanceOf(other);
    if (!(found < distance)) return;
    tokens = [...other];
    distance = found;
  };
  for (let pass = 0; pass < passes && distance >= EXACT; pass++) {
    const before = distance;
    for (let t = 0; t < tokens.length; t++) {
      if (allowed[t]?.length === 1) continue;
      for (const token of allowed[t] ?? (await promising(matcher, { tokens, vocabulary, candidates, t })))
        await improve(tokens.with(t, token));
      for (let u = 0; u < tokens.length; u++) {
        if (u > t) await improve(tokens.with(t, tokens[u]!).with(u, tokens[t]!));
        if (Math.abs(u - t) > 1) await improve(moved(tokens, { from: t, to: u }));
      }
    }
    if (!(distance < before)) break;
  }
  return { tokens, distance };
}

async function promising(
  matcher: GradientMatcher,
  {
    tokens,
    vocabulary,
    candidates,
    t,
  }: {
    readonly tokens: readonly number[];
    readonly vocabulary: number;
    readonly candidates: number;
    readonly t: number;
  },
): Promise<ReadonlySet<number>> {
  const { direction, pull } = await matcher.guess(oneHot(tokens, vocabulary));
  const rowOf = (slopes: Float32Array): Float32Array => slopes.subarray(t * vocabulary, (t + 1) * vocabulary);
  return new Set([...lowest(rowOf(direction), candidates), ...lowest(rowOf(pull), candidates)]);
}

function shaken(
  text: readonly number[],
  { allowed, vocabulary, prng }: { readonly allowed: Allowed; readonly vocabulary: number; readonly prng: Prng },
): number[] {
  const tokens = [...text];
  const open = [...allowed.keys()].filter((t) => allowed[t]?.length !== 1);
  for (let i = 0; i < SHAKES && open.length > 0; i++) {
    const t = open[prng.below(open.length)]!;
    const choice = allowed[t];
    const u = open[prng.below(open.length)]!;
    const fits = (place: number, token: number): boolean => allowed[place]?.includes(token) ?? true;
    if (prng.below(2) === 0 && fits(t, tokens[u]!) && fits(u, tokens[t]!)) {
      [tokens[t], tokens[u]] = [tokens[u]!, tokens[t]!];
    } else {
      tokens[t] = choice ? choice[prng.below(choice.length)]! : prng.below(vocabulary);
    }
  }
  return tokens;
}

function moved(tokens: readonly number[], { from, to }: { readonly from: number; readonly to: number }): number[] {
  const rest = tokens.toSpliced(from, 1);
  return rest.toSpliced(to, 0, tokens[from]!);
}

function softmaxRows(
  w: Float32Array,
  { width, sharpness }: { readonly width: number; readonly sharpness: number },
): Float32Array {
  const p = new Float32Array(w.length);
  for (let at = 0; at < w.length; at += width) {
    const row = w.subarray(at, at + width);
    const largest = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    let sum = 0;
    for (let i = 0; i < width; i++) sum += Math.exp(sharpness * (row[i]! - largest));
    for (let i = 0; i < width; i++) p[at + i] = Math.exp(sharpness * (row[i]! - largest)) / sum;
  }
  return p;
}

/** dw = p (dp - sum p dp), row by row. */
function softmaxSlope(p: Float32Array, dp: Float32Array, width: number): Float32Array {
  const dw = new Float32Array(p.length);
  for (let at = 0; at < p.length; at += width) {
    let mean = 0;
    for (let i = at; i < at + width; i++) mean += p[i]! * dp[i]!;
    for (let i = at; i < at + width; i++) dw[i] = p[i]! * (dp[i]! - mean);
  }
  return dw;
}

export function oneHot(tokens: readonly number[], vocabulary: number): Float32Array {
  const p = new Float32Array(tokens.length * vocabulary);
  for (const [t, token] of tokens.entries()) p[t * vocabulary + token] = 1;
  return p;
}

function strongest(p: Float32Array, tokens: number, vocabulary: number): number[] {
  return Array.from({ length: tokens }, (_, t) => {
    const row = p.subarray(t * vocabulary, (t + 1) * vocabulary);
    return row.reduce((best, x, i) => (x > row[best]! ? i : best), 0);
  });
}

/** Indices of the `count` lowest values. */
function lowest(row: Float32Array, count: number): number[] {
  return [...row.keys()].sort((a, b) => row[a]! - row[b]!).slice(0, count);
}

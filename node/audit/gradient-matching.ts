/**
 * Gradient inversion: the text whose gradient is the one that was seen, searched first among mixtures of tokens by
 * descent, then among texts by exchanging one token at a time.
 */
import type { Prng } from "../../protocol/prng.ts";
import { adamWStep, zeroMoments } from "../training/optimizer.ts";
import type { GradientMatcher, TextShape } from "./matching-graph.ts";

export interface MatchingOptions {
  readonly shape: TextShape;
  /** V */
  readonly vocabulary: number;
  readonly prng: Prng;
  /** Steps of descent of each attempt. */
  readonly steps: number;
  /** Attempts from different beginnings; the best guess by distance is kept. */
  readonly attempts: number;
  /** Tokens that are tried in each position of a text, the most promising ones by the direction of descent. */
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
/** Weight of the token at the beginning of an attempt from a text: certain enough to lead, open enough to be left. */
const HINT_LOGIT = 3;

/** The best text that was found, and how far its own gradient is from the one that was seen. */
export async function matchGradient(matcher: GradientMatcher, options: MatchingOptions): Promise<Recovered> {
  const { shape, vocabulary, known } = options;
  const first = known?.inOrder ? known.tokens.slice(0, shape.tokens) : [];
  const bag = known && !known.inOrder ? known.tokens : [];
  let best: Recovered | undefined;
  for (let attempt = 0; attempt < options.attempts; attempt++) {
    const prng = options.prng.fork(`attempt-${attempt}`);
    let start: readonly number[];
    if (bag.length > 0) {
      // Every token at least once, in any order; what is left over is drawn anew.
      const more = Array.from({ length: shape.tokens }, () => bag[prng.uint32() % bag.length]!);
      start = prng.shuffle([...bag, ...more].slice(0, shape.tokens));
    } else {
      const mixture = await descend(matcher, { ...options, prng, start: first });
      start = [...first, ...strongest(mixture, shape.tokens, vocabulary).slice(first.length)];
    }
    const found = await exchange(matcher, start, { ...options, fixed: first.length, bag });
    if (best === undefined || found.distance < best.distance) best = found;
  }
  if (best === undefined) throw new RangeError("an attack needs at least one attempt");
  return best;
}

/** p = softmax(w) row by row; Adam on w from small random values.  Returns the p of least distance. */
async function descend(
  matcher: GradientMatcher,
  { shape, vocabulary, prng, steps, start }: MatchingOptions & { readonly start: readonly number[] },
): Promise<Float32Array> {
  const w = new Float32Array(shape.tokens * vocabulary).map(() => 0.1 * prng.normal());
  for (const [t, token] of start.slice(0, shape.tokens).entries()) w[t * vocabulary + token]! += HINT_LOGIT;
  const moments = zeroMoments(w.length);
  let best = { distance: Number.POSITIVE_INFINITY, p: softmaxRows(w, vocabulary) };
  for (let step = 0; step < steps; step++) {
    const p = softmaxRows(w, vocabulary);
    const { distance, direction } = await matcher.guess(p);
    if (distance < best.distance) best = { distance, p };
    const slope = softmaxSlope(p, direction, vocabulary);
    if (!slope.every(Number.isFinite)) break;
    const learningRate = LEARNING_RATE * (1 - step / steps);
    adamWStep(w, slope, moments, { learningRate, weightDecay: 0 });
  }
  return best.p;
}

/**
 * Exchange one token at a time for the better of the bag's, or of the candidates that the slope at the text points to,
 * and swap two of them, until nothing improves.  Source of the candidates: Ebrahimi et al. 2018, arXiv:1712.06751 (HotFlip).
 */
async function exchange(
  matcher: GradientMatcher,
  start: readonly number[],
  {
    vocabulary,
    candidates,
    passes,
    fixed,
    bag,
  }: MatchingOptions & { readonly fixed: number; readonly bag: readonly number[] },
): Promise<Recovered> {
  const at = (tokens: readonly number[]) => matcher.guess(oneHot(tokens, vocabulary));
  let tokens = [...start];
  let { distance, direction } = await at(tokens);
  for (let pass = 0; pass < passes; pass++) {
    const before = distance;
    for (let t = fixed; t < tokens.length; t++) {
      const row = direction.subarray(t * vocabulary, (t + 1) * vocabulary);
      // The last token predicts nothing, so that it is in no bag.
      const isOpen = bag.length === 0 || t === tokens.length - 1;
      const tried = new Set([...(isOpen ? lowest(row, candidates) : []), ...bag]);
      for (const token of tried) {
        const other = tokens.with(t, token);
        const result = await at(other);
        if (!(result.distance < distance)) continue;
        tokens = other;
        ({ distance, direction } = result);
      }
      for (let u = t + 1; u < tokens.length; u++) {
        const other = tokens.with(t, tokens[u]!).with(u, tokens[t]!);
        const result = await at(other);
        if (!(result.distance < distance)) continue;
        tokens = other;
        ({ distance, direction } = result);
      }
    }
    if (!(distance < before)) break;
  }
  return { tokens, distance };
}

function softmaxRows(w: Float32Array, width: number): Float32Array {
  const p = new Float32Array(w.length);
  for (let at = 0; at < w.length; at += width) {
    const row = w.subarray(at, at + width);
    const largest = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    let sum = 0;
    for (let i = 0; i < width; i++) sum += Math.exp(row[i]! - largest);
    for (let i = 0; i < width; i++) p[at + i] = Math.exp(row[i]! - largest) / sum;
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

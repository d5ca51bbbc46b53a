/**
 * Gradient inversion: the text whose gradient is the one that was seen. Each attempt searches among mixtures of tokens
 * by descent, with what the model itself expects of texts as a prior, then among texts by exchanging and moving tokens;
 * every other attempt goes on from the best text so far, shaken. A text whose gradient is the very one ends the search.
 */
import type { Prng } from "../../protocol/prng.ts";
import { adamWStep, zeroMoments } from "../training/optimizer.ts";
import { lbfgs } from "./lbfgs.ts";
import type { GradientMatcher, TextShape } from "./matching-graph.ts";

/** One search for a text by its gradient. */
export interface MatchingOptions {
  readonly shape: TextShape;
  /** V */
  readonly vocabulary: number;
  readonly prng: Prng;
  /** Steps of descent of each attempt that begins with it. */
  readonly steps: number;
  /** How it descends: by Adam when absent. */
  readonly descent?: Descent;
  /** Attempts that trust what is known; the best guess by distance is kept. */
  readonly attempts: number;
  /** Tokens that are tried in a position where any may stand: as many by the slope as by the prior. */
  readonly candidates: number;
  /** Most passes over all positions. */
  readonly passes: number;
  /** Tokens that are known to be in the text: the first ones where `inOrder`, else all different ones but the last. */
  readonly known?: { readonly tokens: readonly number[]; readonly inOrder: boolean };
  /** The tokens that such texts always begin and end with. */
  readonly frame?: { readonly first?: number; readonly last?: number };
}

/** By Adam with ever sharper mixtures, or by L-BFGS at a few sharpnesses one after another. */
export type Descent = "adam" | "l-bfgs";

/** The text that a search came to. */
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
/** Sharpnesses at which L-BFGS descends, each for an equal part of the steps; its function may not change under way. */
const SHARPNESSES = [1, 2, 5] as const;
/** Below this the gradients are the same but for float32's rounding; a single wrong token is above 1e-2. */
const EXACT = 1e-5;
/** Tokens that are exchanged or drawn anew to leave a text that no single change makes better. */
const SHAKES = 3;

/** The logit of a token that may not stand at a position: its share is 0, and arithmetic with it is finite. */
const NEVER = -1e30;

/** The texts that are searched: what may stand at each position, undefined for any, and what has to stand somewhere. */
interface Searched {
  readonly allowed: readonly (readonly number[] | undefined)[];
  readonly needed: readonly number[];
  /** The tokens that are tried where any may stand, beside those that look promising there. */
  readonly offered: readonly number[];
}

/** The best text that was found, and how far its own gradient is from the one that was seen. */
export async function matchGradient(matcher: GradientMatcher, options: MatchingOptions): Promise<Recovered> {
  const { shape, vocabulary } = options;
  const trusting = searchedTexts(options);
  let best: Recovered | undefined;
  // Half as many more, which take what is known for an offer: some of it may be wrong.
  const doubts = options.known && !options.known.inOrder ? Math.ceil(options.attempts / 2) : 0;
  for (let attempt = 0; attempt < options.attempts + doubts; attempt++) {
    const prng = options.prng.fork(`attempt-${attempt}`);
    const searched = attempt < options.attempts ? trusting : doubting(trusting);
    const isShaken = best !== undefined && attempt % 2 === 1;
    const start = isShaken
      ? shaken(best!.tokens, { searched, vocabulary, prng })
      : likeliest(await descend(matcher, { ...options, prng, searched }), { shape, vocabulary, searched });
    const found = await refine(matcher, start, { ...options, searched });
    if (best === undefined || found.distance < best.distance) best = found;
    if (best.distance < EXACT) break;
  }
  if (best === undefined) throw new RangeError("an attack needs at least one attempt");
  return best;
}

function searchedTexts({ shape, known, frame }: MatchingOptions): Searched {
  const tokens = known?.tokens ?? [];
  const inOrder = known?.inOrder ?? false;
  const allowed = Array.from({ length: shape.tokens }, (_, t) => {
    if (inOrder && t < tokens.length) return [tokens[t]!];
    const edge = t === 0 ? frame?.first : t === shape.tokens - 1 ? frame?.last : undefined;
    if (edge !== undefined) return [edge];
    // The last token predicts nothing, so that it need not be among them.
    return !inOrder && tokens.length > 0 && t < shape.tokens - 1 ? tokens : undefined;
  });
  const room = allowed.filter((one) => one?.length !== 1).length;
  const fixed = new Set(allowed.flatMap((one) => (one?.length === 1 ? one : [])));
  const needed = inOrder ? [] : tokens.filter((token) => !fixed.has(token));
  // More than there is room for: some of what was read is wrong then.
  return { allowed, needed: needed.length <= room ? needed : [], offered: tokens };
}

/** The same with any token in every place that is not certain. */
const doubting = ({ allowed, offered }: Searched): Searched => ({
  allowed: allowed.map((one) => (one?.length === 1 ? one : undefined)),
  needed: [],
  offered,
});

const isSearched = (tokens: readonly number[], { allowed, needed }: Searched): boolean =>
  tokens.every((token, t) => allowed[t]?.includes(token) ?? true) && needed.every((token) => tokens.includes(token));

/** p = softmax(s w) row by row over the allowed tokens, s rising; w from random values. */
async function descend(
  matcher: GradientMatcher,
  { shape, vocabulary, prng, steps, descent, searched }: MatchingOptions & { readonly searched: Searched },
): Promise<Float32Array> {
  const w = new Float32Array(shape.tokens * vocabulary).map(() => 0.1 * prng.normal());
  for (const [t, tokens] of searched.allowed.entries()) {
    const may = tokens && new Set(tokens);
    if (may) for (let v = 0; v < vocabulary; v++) if (!may.has(v)) w[t * vocabulary + v] = NEVER;
  }
  const by = descent === "l-bfgs" ? descendByLbfgs : descendByAdam;
  return by(matcher, w, { vocabulary, steps });
}

type DescentOptions = Pick<MatchingOptions, "vocabulary" | "steps">;

/** Source: Zhu et al. 2019, arXiv:1906.08935, which descends by L-BFGS too. */
async function descendByLbfgs(
  matcher: GradientMatcher,
  start: Float32Array,
  { vocabulary, steps }: DescentOptions,
): Promise<Float32Array> {
  let w = start;
  for (const [stage, sharpness] of SHARPNESSES.entries()) {
    const prior = PRIOR_WEIGHT * (1 - (stage + 1) / SHARPNESSES.length);
    const of = async (at: Float32Array) => {
      const p = softmaxRows(at, { width: vocabulary, sharpness });
      const { distance, surprise, direction, pull } = await matcher.guess(p);
      const toward = direction.map((slope, i) => slope + prior * pull[i]!);
      const slope = softmaxSlope(p, toward, vocabulary).map((x) => sharpness * x);
      return { value: distance + prior * surprise, slope };
    };
    w = await lbfgs(of, w, { steps: Math.ceil(steps / SHARPNESSES.length) });
  }
  return softmaxRows(w, { width: vocabulary, sharpness: SHARPNESS_MAX });
}

async function descendByAdam(
  matcher: GradientMatcher,
  w: Float32Array,
  { vocabulary, steps }: DescentOptions,
): Promise<Float32Array> {
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
  { vocabulary, candidates, passes, searched }: MatchingOptions & { readonly searched: Searched },
): Promise<Recovered> {
  const { allowed } = searched;
  const distanceOf = async (tokens: readonly number[]): Promise<number> =>
    (await matcher.score(oneHot(tokens, vocabulary))).distance;
  let tokens = [...start];
  let distance = await distanceOf(tokens);
  const seen = new Set([tokens.join()]);
  const improve = async (other: readonly number[]): Promise<void> => {
    const key = other.join();
    if (seen.has(key) || !isSearched(other, searched)) return;
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
      const offered = allowed[t] ?? [
        ...searched.offered,
        ...(await promising(matcher, { tokens, vocabulary, candidates, t })),
      ];
      for (const token of offered) await improve(tokens.with(t, token));
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
  { searched, vocabulary, prng }: { readonly searched: Searched; readonly vocabulary: number; readonly prng: Prng },
): readonly number[] {
  let tokens = text;
  for (let i = 0; i < SHAKES; i++) {
    const [t, u] = [prng.below(tokens.length), prng.below(tokens.length)];
    const choice = searched.allowed[t];
    const drawn = choice ? choice[prng.below(choice.length)]! : prng.below(vocabulary);
    const other = prng.below(2) === 0 ? tokens.with(t, drawn) : tokens.with(t, tokens[u]!).with(u, tokens[t]!);
    if (isSearched(other, searched)) tokens = other;
  }
  return tokens;
}

/** The strongest token of each position, and what is needed and not among them where it costs least. */
function likeliest(
  p: Float32Array,
  { shape, vocabulary, searched }: Pick<MatchingOptions, "shape" | "vocabulary"> & { readonly searched: Searched },
): readonly number[] {
  const tokens = strongest(p, shape.tokens, vocabulary);
  const { allowed, needed } = searched;
  for (const token of needed.filter((one) => !tokens.includes(one))) {
    const costOf = (t: number): number => p[t * vocabulary + tokens[t]!]! - p[t * vocabulary + token]!;
    const free = [...tokens.keys()].filter(
      (t) =>
        allowed[t]?.length !== 1 &&
        (allowed[t]?.includes(token) ?? true) &&
        (!needed.includes(tokens[t]!) || tokens.indexOf(tokens[t]!) !== tokens.lastIndexOf(tokens[t]!)),
    );
    const at = free.reduce((best, t) => (costOf(t) < costOf(best) ? t : best), free[0] ?? -1);
    if (at >= 0) tokens[at] = token;
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

/** Tokens as a matrix of probabilities f32[T, V], 1 at each token and 0 elsewhere. */
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

/** Rotary positions (Su et al. 2021, arXiv:2104.09864), of pairs that are halves apart, or of neighbours. */
import { apply, constantValue } from "../../onnx/graph.ts";
import { concat, ints, reshape, split, transpose } from "../../onnx/operators.ts";
import type { OnnxValue } from "../../onnx/value.ts";
import { float32 } from "../../tensor.ts";
import type { RopeScaling, RopeSettings } from "./rope-settings.ts";

/** Cosines and sines of all places. */
export interface Rotary {
  /** The cosine of t * frequency(i), f32[T, headSize / 2]; at least as many rows as there are places. */
  readonly cos: OnnxValue;
  readonly sin: OnnxValue;
  /** The place of each token i64[B, T], or of the first one of every row i64[1]. */
  readonly positions: OnnxValue;
  readonly headSize: number;
  /** Values of a head that are turned: the first ones. */
  readonly turned: number;
  /** Whether the two values of a pair are neighbours; otherwise they are as far apart as half of what is turned. */
  readonly neighbours: boolean;
}

/** How long the text is whose tokens stand in the rows of the tables. */
export type TextLength = "all rows" | "up to each row";

/**
 * For rows whose first token stands at 0. Pairs behind the share of a head that is turned stay as they are.
 * length: of the text that angles may depend on; with a memory every token is the last one of its text.
 * Throws: RangeError where a list of factors is not one for each pair.
 */
export function rotaryTables(
  tokens: number,
  headSize: number,
  { rope, length }: { readonly rope: RopeSettings; readonly length: TextLength },
): Rotary {
  const half = headSize / 2;
  const turned = turnedValues(headSize, rope) / 2;
  const whole = ropeFrequencies(2 * turned, rope, tokens);
  const follows = length === "up to each row" && isLengthDependent(rope);
  const rows = Array.from({ length: tokens }, (_, t) => (follows ? ropeFrequencies(2 * turned, rope, t + 1) : whole));
  const size = "attentionFactor" in rope.scaling ? rope.scaling.attentionFactor : 1;
  const table = (f: (angle: number) => number): OnnxValue => {
    const values = new Float32Array(tokens * half);
    for (let t = 0; t < tokens; t++) {
      for (let i = 0; i < half; i++) values[t * half + i] = i < turned ? size * f(t * rows[t]![i]!) : f(0);
    }
    return constantValue(float32([tokens, half], values));
  };
  const { neighbours = false } = rope;
  return { cos: table(Math.cos), sin: table(Math.sin), positions: ints([0]), headSize, turned: 2 * turned, neighbours };
}

/** How many values of a head are turned: the first ones, an even number. */
export function turnedValues(headSize: number, { share = 1 }: RopeSettings): number {
  return Math.floor(headSize * share);
}

const isLengthDependent = ({ scaling: { kind } }: RopeSettings): boolean => kind === "dynamic" || kind === "longrope";

/** Turns per token of each pair, in radians; `size` values are turned.  length: tokens of the text. */
export function ropeFrequencies(size: number, { theta, scaling }: RopeSettings, length: number): Float64Array {
  const half = size / 2;
  if (scaling.kind === "longrope" && scaling.factors.length !== half) {
    throw new RangeError(`${scaling.factors.length} factors do not fit ${half} pairs`);
  }
  const base = scaling.kind === "dynamic" ? dynamicTheta(size, { theta, length, scaling }) : theta;
  const ramp = scaling.kind === "yarn" ? yarnRamp(size, theta, scaling) : () => 0;
  return Float64Array.from({ length: half }, (_, i) => scaled(base ** (-i / half), { scaling, i, half, ramp, length }));
}

/** theta (factor n / N - (factor - 1))^(d / (d - 2)) for a text of n tokens, longer than N; source: transformers. */
function dynamicTheta(
  size: number,
  {
    theta,
    length,
    scaling: { factor, originalContextTokens: original },
  }: { theta: number; length: number; scaling: Extract<RopeScaling, { kind: "dynamic" }> },
): number {
  return theta * ((factor * Math.max(length, original)) / original - (factor - 1)) ** (size / (size - 2));
}

/**
 * A frequency of a context that was extended by `factor`.
 * linear: w / factor, every position moved closer (Chen et al. 2023, arXiv:2306.15595).
 * llama3: frequencies with more than highFrequencyFactor turns in the original context stay, those with fewer than
 * lowFrequencyFactor are divided by factor, those between are mixed of both in proportion to their turns n:
 * s w + (1 - s) w / factor, s = (n - low) / (high - low) (Llama 3.1; transformers modeling_rope_utils.py).
 * yarn: the same mixture by a ramp over the pairs (Peng et al. 2023, arXiv:2309.00071).
 * longrope: each by a factor of its own (Ding et al. 2024, arXiv:2402.13753).
 * proportional: pairs behind a share of all do not turn, the others are linear (Gemma 4; transformers).
 * dynamic: in theta already.
 */
function scaled(
  frequency: number,
  { scaling, i, half, ramp, length }: { readonly i: number; readonly half: number; readonly length: number } & Scaling,
): number {
  switch (scaling.kind) {
    case "default":
    case "dynamic":
      return frequency;
    case "linear":
      return frequency / scaling.factor;
    case "proportional":
      return i < Math.floor(scaling.share * half) ? frequency / scaling.factor : 0;
    case "llama3": {
      const { factor, lowFrequencyFactor: low, highFrequencyFactor: high } = scaling;
      const turns = (scaling.originalContextTokens * frequency) / (2 * Math.PI);
      const share = Math.min(1, Math.max(0, (turns - low) / (high - low)));
      return share * frequency + (1 - share) * (frequency / factor);
    }
    case "yarn":
      return ramp(i) * (frequency / scaling.factor) + (1 - ramp(i)) * frequency;
    case "longrope":
      return frequency / (length > scaling.longer.than ? scaling.longer : scaling).factors[i]!;
  }
}

interface Scaling {
  readonly scaling: RopeScaling;
  readonly ramp: (i: number) => number;
}

/** How far each pair is stretched: 0 for those that turn more than betaFast times in the original context, 1 below betaSlow. */
function yarnRamp(
  size: number,
  theta: number,
  { betaFast, betaSlow, truncate, originalContextTokens }: Extract<RopeScaling, { kind: "yarn" }>,
): (i: number) => number {
  const pairOf = (turns: number): number =>
    (size * Math.log(originalContextTokens / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const [fast, slow] = [pairOf(betaFast), pairOf(betaSlow)];
  const low = Math.max(0, truncate ? Math.floor(fast) : fast);
  const high = Math.min(size - 1, truncate ? Math.ceil(slow) : slow);
  const width = high === low ? 0.001 : high - low;
  return (i) => Math.min(1, Math.max(0, (i - low) / width));
}

/**
 * Rotate the pairs of every head by their position's angle; x: f32[B, T, heads*headSize]. Pair i is x_i and
 * x_{i + turned/2}, or x_{2i} and x_{2i + 1} where pairs are neighbours.
 * Where a part of the head stays, its values are brought in between, and neighbours are brought apart: of queries and keys
 * alike, so that their products are the same.
 */
export function rotate(x: OnnxValue, rotary: Rotary): OnnxValue {
  const { cos, sin, positions, headSize, turned, neighbours } = rotary;
  const paired = turned === headSize && !neighbours ? x : inPairs(x, rotary);
  return apply("RotaryEmbedding", [paired, positions, cos, sin], { domain: "com.microsoft" });
}

/** Halves of what is turned and of what is not, so that the operator's pairs are those that belong together. */
function inPairs(x: OnnxValue, { headSize, turned, neighbours }: Rotary): OnnxValue {
  const [batch, tokens, width] = x.shape as [number, number, number];
  const [half, rest] = [turned / 2, (headSize - turned) / 2];
  const heads = reshape(x, [batch, tokens, width / headSize, headSize]);
  const stays = rest === 0 ? [] : [rest, rest];
  const parts = split(heads, [...(neighbours ? [turned] : [half, half]), ...stays], 3);
  const [first, second] = neighbours ? apart(parts[0]!) : parts;
  const [third, fourth] = parts.slice(neighbours ? 1 : 2);
  const ordered = [first, third, second, fourth].filter((part) => part !== undefined);
  return reshape(concat(ordered, 3), x.shape);
}

/** The values at even places of the last axis, and those at odd places; x: f32[B, T, heads, turned]. */
function apart(x: OnnxValue): readonly OnnxValue[] {
  const [batch, tokens, heads, turned] = x.shape as [number, number, number, number];
  const columns = transpose(reshape(x, [batch, tokens, heads, turned / 2, 2]), [0, 1, 2, 4, 3]);
  return split(reshape(columns, x.shape), [turned / 2, turned / 2], 3);
}

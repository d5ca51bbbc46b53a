/**
 * Where ReFT acts: the first f and the last l PROMPT positions of every example. A prompt of n tokens has
 * min(floor(n / 2), f) first and min(floor(n / 2), l) last ones, so that they never overlap.
 * Source: Wu et al. 2024, arXiv:2404.03592; position strings `f7+l7`.
 */

import { inputValue } from "../onnx/graph.ts";
import type { OnnxValue } from "../onnx/value.ts";
import type { Tensor } from "../tensor.ts";
import { float32, int64 } from "../tensor.ts";

/** Rows of the residual stream [B*T, D], K of them, with weight 1, or 0 where an example has fewer. */
export interface InterventionRows {
  /** i64[K, 1] */
  readonly rows: OnnxValue;
  /** f32[K, 1] */
  readonly weights: OnnxValue;
}

/** Absent where no position is asked for. */
export interface InterventionInputs {
  readonly prefix?: InterventionRows;
  readonly suffix?: InterventionRows;
}

/** How many positions at each end of a prompt are edited: f first ones and l last ones. */
export interface PositionCounts {
  readonly first: number;
  readonly last: number;
}

const ENDS = [
  ["prefix", "first"],
  ["suffix", "last"],
] as const;

/** The graph inputs that carry the positions of one batch. */
export function interventionInputs(counts: PositionCounts, batch: number): InterventionInputs {
  const inputs: { prefix?: InterventionRows; suffix?: InterventionRows } = {};
  for (const [end, part] of ENDS) {
    if (counts[part] === 0) continue;
    inputs[end] = {
      rows: inputValue(`${end}_rows`, "int64", [batch * counts[part], 1]),
      weights: inputValue(`${end}_weights`, "float32", [batch * counts[part], 1]),
    };
  }
  return inputs;
}

/**
 * What to feed them.  promptLengths: of each example in the batch; starts: the row of the stream where each example
 * begins, or T, the padded length, where they stand one below another.
 */
export function interventionFeeds(
  counts: PositionCounts,
  promptLengths: readonly number[],
  starts: number | readonly number[],
): Readonly<Record<string, Tensor>> {
  const feeds: Record<string, Tensor> = {};
  for (const [end, part] of ENDS) {
    const count = counts[part];
    if (count === 0) continue;
    const rows = new Array<number>(promptLengths.length * count).fill(0);
    const weights = new Float32Array(rows.length);
    for (const [example, length] of promptLengths.entries()) {
      const start = typeof starts === "number" ? example * starts : (starts[example] ?? 0);
      const used = Math.min(Math.floor(length / 2), count);
      for (let i = 0; i < used; i++) {
        rows[example * count + i] = start + (end === "prefix" ? i : length - used + i);
        weights[example * count + i] = 1;
      }
    }
    feeds[`${end}_rows`] = int64([rows.length, 1], rows);
    feeds[`${end}_weights`] = float32([rows.length, 1], weights);
  }
  return feeds;
}

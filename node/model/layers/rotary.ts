/** Rotary positions (Su et al. 2021, arXiv:2104.09864), in the layout of Hugging Face: halves, not interleaved pairs. */
import { constantValue } from "../../onnx/graph.ts";
import { add, concat, gather, mul, neg, reshape, split } from "../../onnx/operators.ts";
import type { OnnxValue } from "../../onnx/value.ts";
import { float32 } from "../../tensor.ts";
import type { RopeScaling, RopeSettings } from "./rope-settings.ts";

export interface Rotary {
  readonly cos: OnnxValue;
  readonly sin: OnnxValue;
}

/** cos and sin of t * frequency(i), f32[T, headSize]: both halves carry the same angles. */
export function rotaryTables(tokens: number, headSize: number, rope: RopeSettings): Rotary {
  const half = headSize / 2;
  const frequencies = Float64Array.from({ length: half }, (_, i) => scaled(rope.theta ** (-i / half), rope.scaling));
  const table = (f: (angle: number) => number): OnnxValue => {
    const values = new Float32Array(tokens * headSize);
    for (let t = 0; t < tokens; t++) {
      for (let i = 0; i < headSize; i++) values[t * headSize + i] = f(t * frequencies[i % half]!);
    }
    return constantValue(float32([tokens, headSize], values));
  };
  return { cos: table(Math.cos), sin: table(Math.sin) };
}

/**
 * A frequency of a context that was extended by `factor`.
 * linear: w / factor, every position moved closer (Chen et al. 2023, arXiv:2306.15595).
 * llama3: frequencies with more than highFrequencyFactor turns in the original context stay, those with fewer than
 * lowFrequencyFactor are divided by factor, those between are mixed of both in proportion to their turns n:
 * s w + (1 - s) w / factor, s = (n - low) / (high - low) (Llama 3.1; transformers modeling_rope_utils.py).
 */
function scaled(frequency: number, scaling: RopeScaling): number {
  switch (scaling.kind) {
    case "default":
      return frequency;
    case "linear":
      return frequency / scaling.factor;
    case "llama3": {
      const { factor, lowFrequencyFactor: low, highFrequencyFactor: high } = scaling;
      const turns = (scaling.originalContextTokens * frequency) / (2 * Math.PI);
      const share = Math.min(1, Math.max(0, (turns - low) / (high - low)));
      return share * frequency + (1 - share) * (frequency / factor);
    }
  }
}

/** The tables' rows for tokens at these places, i64[B, T] -> f32[B, T, headSize]. */
export function rotaryOf({ cos, sin }: Rotary, positions: OnnxValue): Rotary {
  return { cos: gather(cos, positions), sin: gather(sin, positions) };
}

/**
 * Rotate the pairs (x_i, x_{i + headSize/2}) by their position's angle.
 * x: f32[B, …, T, headSize]; tables f32[T, headSize], or of each row of the batch f32[B, T, headSize].
 */
export function rotate(x: OnnxValue, rotary: Rotary): OnnxValue {
  const [cos, sin] = [rotary.cos, rotary.sin].map((table) => {
    if (table.shape.length === 2) return table;
    const [batch, tokens, size] = table.shape as [number, number, number];
    return reshape(table, [batch, ...x.shape.slice(1, -2).map(() => 1), tokens, size]);
  }) as [OnnxValue, OnnxValue];
  const half = x.shape.at(-1)! / 2;
  const [a, b] = split(x, [half, half], x.shape.length - 1);
  return add(mul(x, cos), mul(concat([neg(b!), a!], x.shape.length - 1), sin));
}

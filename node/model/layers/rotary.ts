/** Rotary positions (Su et al. 2021, arXiv:2104.09864), in the layout of Hugging Face: halves, not interleaved pairs. */
import { apply, constantValue } from "../../onnx/graph.ts";
import { ints } from "../../onnx/operators.ts";
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
}

/** For rows whose first token stands at 0. */
export function rotaryTables(tokens: number, headSize: number, rope: RopeSettings): Rotary {
  const half = headSize / 2;
  const frequencies = Float64Array.from({ length: half }, (_, i) => scaled(rope.theta ** (-i / half), rope.scaling));
  const table = (f: (angle: number) => number): OnnxValue => {
    const values = new Float32Array(tokens * half);
    for (let t = 0; t < tokens; t++) {
      for (let i = 0; i < half; i++) values[t * half + i] = f(t * frequencies[i]!);
    }
    return constantValue(float32([tokens, half], values));
  };
  return { cos: table(Math.cos), sin: table(Math.sin), positions: ints([0]) };
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

/** Rotate the pairs (x_i, x_{i + headSize/2}) of every head by their position's angle; x: f32[B, T, heads*headSize]. */
export function rotate(x: OnnxValue, { cos, sin, positions }: Rotary): OnnxValue {
  return apply("RotaryEmbedding", [x, positions, cos, sin], { domain: "com.microsoft" });
}

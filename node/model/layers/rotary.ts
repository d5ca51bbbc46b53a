/** Rotary positions (Su et al. 2021, arXiv:2104.09864), in the layout of Hugging Face: halves, not interleaved pairs. */
import { constantValue } from "../../onnx/graph.ts";
import { add, concat, mul, neg, split } from "../../onnx/operators.ts";
import type { OnnxValue } from "../../onnx/value.ts";
import { float32 } from "../../tensor.ts";

export interface Rotary {
  readonly cos: OnnxValue;
  readonly sin: OnnxValue;
}

/** cos and sin of t * theta^(-2i/headSize), f32[T, headSize]: both halves carry the same angles. */
export function rotaryTables(tokens: number, headSize: number, theta: number): Rotary {
  const half = headSize / 2;
  const table = (f: (angle: number) => number): OnnxValue => {
    const values = new Float32Array(tokens * headSize);
    for (let t = 0; t < tokens; t++) {
      for (let i = 0; i < headSize; i++) values[t * headSize + i] = f(t * theta ** (-(i % half) / half));
    }
    return constantValue(float32([tokens, headSize], values));
  };
  return { cos: table(Math.cos), sin: table(Math.sin) };
}

/** Rotate the pairs (x_i, x_{i + headSize/2}) by their position's angle. */
export function rotate(x: OnnxValue, { cos, sin }: Rotary): OnnxValue {
  const half = x.shape.at(-1)! / 2;
  const [a, b] = split(x, [half, half], x.shape.length - 1);
  return add(mul(x, cos), mul(concat([neg(b!), a!], x.shape.length - 1), sin));
}

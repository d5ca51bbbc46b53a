/**
 * The slow oracle of every gradient rule: central differences of the graph's own forward values.
 *
 * dL/dx_i ~ (L(x + h e_i) - L(x - h e_i)) / 2h. In f32 the rounding error of L (about 1e-7 |L| / h) and the
 * truncation error (about h^2) balance near h = 1e-2, which leaves errors of about 1e-4 of the gradient's scale.
 */
import type { Runtime } from "../interface/runtime.ts";
import { encodeModel } from "../onnx/codec.ts";
import { constantValue, inputValue } from "../onnx/graph.ts";
import { mul, reduceSum } from "../onnx/operators.ts";
import type { OnnxValue } from "../onnx/value.ts";
import type { Tensor } from "../tensor.ts";
import { float32, sizeOf } from "../tensor.ts";
import { gradient } from "./gradient.ts";

export interface Comparison {
  /** Largest |analytic - numeric| over all elements, divided by the largest |numeric| (at least 1). */
  readonly error: number;
  readonly analytic: readonly Float32Array[];
  readonly numeric: readonly Float32Array[];
}

/**
 * Compare the gradient of sum(weight * f(inputs)) with finite differences, for every f32 input.
 * weight: fixed, different for every element, so that no error cancels in the sum.
 */
export async function compareWithFiniteDifferences(
  runtime: Runtime,
  inputs: readonly Tensor[],
  f: (inputs: readonly OnnxValue[]) => OnnxValue,
  h = 1e-2,
): Promise<Comparison> {
  const values = inputs.map((tensor, i) => inputValue(`x${i}`, tensor.dtype, tensor.shape));
  const y = f(values);
  const weight = Float32Array.from({ length: sizeOf(y.shape) }, (_, i) => Math.sin(1 + i * 1.7));
  const all = y.shape.map((_, axis) => axis);
  const weighted = mul(y, constantValue(float32(y.shape, weight)));
  const loss = all.length === 0 ? weighted : reduceSum(weighted, all, false);
  const real = values.filter((value) => value.dtype === "float32");
  const gradients = gradient(loss, real);
  const outputs = Object.fromEntries([["loss", loss], ...gradients.map((g, i) => [`g${i}`, g] as const)]);
  const session = await runtime.load(encodeModel({ inputs: values, outputs }), { threads: 1 });
  try {
    const feeds = Object.fromEntries(inputs.map((tensor, i) => [`x${i}`, tensor]));
    const result = await session.run(feeds);
    const analytic = real.map((_, i) => Float32Array.from(result[`g${i}`]!.data as Float32Array));
    const numeric: Float32Array[] = [];
    for (const value of real) {
      const name = value.source.kind === "input" ? value.source.name : "";
      const base = feeds[name]!.data as Float32Array;
      const slopes = new Float32Array(base.length);
      for (let i = 0; i < base.length; i++) {
        const at = async (x: number): Promise<number> => {
          const moved = base.slice();
          moved[i] = x;
          const { loss: out } = await session.run({ ...feeds, [name]: float32(value.shape, moved) });
          return Number(out!.data[0]);
        };
        const [up, down] = [Math.fround(base[i]! + h), Math.fround(base[i]! - h)];
        slopes[i] = ((await at(up)) - (await at(down))) / (up - down);
      }
      numeric.push(slopes);
    }
    const scale = Math.max(1, ...numeric.flatMap((g) => Array.from(g, Math.abs)));
    const error = Math.max(0, ...numeric.flatMap((g, k) => Array.from(g, (x, i) => Math.abs(x - analytic[k]![i]!))));
    return { error: error / scale, analytic, numeric };
  } finally {
    await session.close();
  }
}

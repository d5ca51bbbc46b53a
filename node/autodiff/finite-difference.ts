/**
 * The slow oracle of every gradient rule: central differences of the graph's own forward values.
 *
 * dL/dx_i ~ (L(x + h e_i) - L(x - h e_i)) / 2h. In f32 the rounding error of L (about 1e-7 |L| / h) and the
 * truncation error (about h^2) balance near h = 1e-2, which leaves errors of about 1e-4 of the gradient's scale.
 */
import type { Runtime } from "../interface/runtime.ts";
import { encodeModel } from "../onnx/codec.ts";
import { allocate } from "../onnx/dtype.ts";
import { constantValue, inputValue } from "../onnx/graph.ts";
import { add, cast, mul, reduceSum } from "../onnx/operators.ts";
import type { OnnxValue } from "../onnx/value.ts";
import type { Tensor } from "../tensor.ts";
import { float32, sizeOf } from "../tensor.ts";
import { gradient } from "./gradient.ts";

/** How far a graph's gradient is from finite differences. */
export interface Comparison {
  /** Largest |analytic - numeric| over all compared elements, divided by the largest |numeric| (at least 1). */
  readonly error: number;
  /** Gradients at the compared elements, per wanted value. */
  readonly analytic: readonly (readonly number[])[];
  readonly numeric: readonly (readonly number[])[];
}

/** A part of a graph, and what of its gradient is compared. */
export interface DifferentiatedGraph {
  /** Everything that is fed. */
  readonly inputs: readonly OnnxValue[];
  readonly feeds: Readonly<Record<string, Tensor>>;
  /** The values that the loss is made of: the sum of weight * value over all elements of all of them. */
  readonly outputs: readonly OnnxValue[];
  /** Inputs to differentiate by, f32 or f64. */
  readonly wanted: readonly OnnxValue[];
  /** Elements compared per wanted input, evenly spread; all when absent. */
  readonly elements?: number;
}

/** Compare the gradient of sum(weight * f(inputs)) with finite differences, for every f32 input. */
export async function compareWithFiniteDifferences(
  runtime: Runtime,
  inputs: readonly Tensor[],
  f: (inputs: readonly OnnxValue[]) => OnnxValue,
  h = 1e-2,
): Promise<Comparison> {
  const values = inputs.map((tensor, i) => inputValue(`x${i}`, tensor.dtype, tensor.shape));
  const feeds = Object.fromEntries(inputs.map((tensor, i) => [`x${i}`, tensor]));
  const wanted = values.filter((value) => value.dtype === "float32");
  return compareGraph(runtime, { inputs: values, feeds, outputs: [f(values)], wanted }, h);
}

/** Compare the gradient of a graph's outputs, weighted and summed, with finite differences. */
export async function compareGraph(runtime: Runtime, graph: DifferentiatedGraph, h = 1e-2): Promise<Comparison> {
  const { inputs, feeds, wanted } = graph;
  const loss = graph.outputs.map(weightedSum).reduce(add);
  const gradients = gradient(loss, wanted);
  const outputs = Object.fromEntries([["loss", loss], ...gradients.map((g, i) => [`g${i}`, g] as const)]);
  const session = await runtime.load(encodeModel({ inputs, outputs }), { threads: 1 });
  try {
    const result = await session.run(feeds);
    const analytic: number[][] = [];
    const numeric: number[][] = [];
    for (const [k, value] of wanted.entries()) {
      const name = value.source.kind === "input" ? value.source.name : "";
      const base = feeds[name]!.data as Float32Array;
      const at = async (place: number, x: number): Promise<number> => {
        const data = allocate(value.dtype, base.length) as Float32Array;
        data.set(base);
        data[place] = x;
        const tensor = { dtype: value.dtype, shape: value.shape, data };
        return Number((await session.run({ ...feeds, [name]: tensor })).loss!.data[0]);
      };
      const count = Math.min(base.length, graph.elements ?? base.length);
      const places = Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * base.length) / count));
      analytic.push(places.map((place) => Number(result[`g${k}`]!.data[place])));
      const slopes: number[] = [];
      for (const place of places) {
        const [up, down] = [Math.fround(base[place]! + h), Math.fround(base[place]! - h)];
        slopes.push(((await at(place, up)) - (await at(place, down))) / (up - down));
      }
      numeric.push(slopes);
    }
    const scale = Math.max(1, ...numeric.flat().map(Math.abs));
    const error = Math.max(0, ...numeric.flatMap((g, k) => g.map((x, i) => Math.abs(x - analytic[k]![i]!))));
    return { error: Number.isNaN(error) ? Number.POSITIVE_INFINITY : error / scale, analytic, numeric };
  } finally {
    await session.close();
  }
}

/** weight: fixed, different for every element, so that no error cancels in the sum. */
function weightedSum(y: OnnxValue): OnnxValue {
  const weight = Float32Array.from({ length: sizeOf(y.shape) }, (_, i) => Math.sin(1 + i * 1.7));
  const weighted = mul(y, cast(constantValue(float32(y.shape, weight)), y.dtype));
  const all = y.shape.map((_, axis) => axis);
  return all.length === 0 ? weighted : reduceSum(weighted, all, false);
}

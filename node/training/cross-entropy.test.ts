import { describe, expect, it } from "vitest";
import { createPrng } from "../../protocol/prng.ts";
import { gradient } from "../autodiff/gradient.ts";
import { encodeModel } from "../onnx/codec.ts";
import { forSpeed } from "../onnx/for-speed.ts";
import { externalValue, inputValue, nodesInOrder } from "../onnx/graph.ts";
import { mul, reduceSum } from "../onnx/operators.ts";
import type { OnnxGraph, OnnxValue } from "../onnx/value.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { float32, int64 } from "../tensor.ts";
import { crossEntropy, evaluatedRows } from "./cross-entropy.ts";
import { declaredOnly } from "./frozen-blocks.ts";
import { softmaxProductsFirst } from "./softmax-products.ts";

const [ROWS, WIDTH, VOCABULARY] = [5, 6, 300];
const PARTS = 5;
const stream = createPrng(3);
const draw = (n: number, scale: number): Float32Array =>
  Float32Array.from({ length: n }, () => scale * stream.normal());
const [x, matrix, weights] = [draw(ROWS * WIDTH, 2), draw(VOCABULARY * WIDTH, 1), draw(ROWS, 1)];
const labels = Array.from({ length: ROWS }, () => stream.below(VOCABULARY));

const rows = inputValue("rows", "float32", [ROWS, WIDTH]);
const [labelIds, w] = [inputValue("labels", "int64", [ROWS]), inputValue("w", "float32", [ROWS])];
const range = { location: "weights", offset: 12, length: matrix.byteLength };
const output = externalValue("output", "float32", [VOCABULARY, WIDTH], range);
const model = { normalize: (h: OnnxValue) => mul(h, h), outputMatrix: () => output };

/** Losses, and the gradient of their weighted sum with respect to the rows; the matrix stands behind 12 other bytes. */
function graphOf(logitsAtOnce: number, wholeMatrix = false): OnnxGraph {
  const losses = crossEntropy(model, () => output, { rows, labelIds }, { logitsAtOnce, wholeMatrix });
  const [dx] = gradient(reduceSum(mul(losses, w), [0], false), [rows]);
  const graph = { inputs: [rows, labelIds, w], outputs: { losses, dx: dx! } };
  return softmaxProductsFirst(forSpeed(graph).graph).graph;
}

async function run(graph: OnnxGraph, values = matrix): Promise<Record<string, Float32Array>> {
  const data = new Uint8Array(12 + values.byteLength);
  data.set(new Uint8Array(values.slice().buffer), 12);
  const externalData = [{ path: "weights", data }];
  const session = await createOnnxRuntime().load(encodeModel(graph), { threads: 1, externalData });
  const ids = int64([ROWS], labels);
  const feeds = { rows: float32([ROWS, WIDTH], x), labels: ids, w: float32([ROWS], weights) };
  const results = await session.run(declaredOnly(graph, feeds));
  await session.close();
  return Object.fromEntries(Object.entries(results).map(([name, tensor]) => [name, tensor.data as Float32Array]));
}

/** The same in plain f64. */
function reference(): Readonly<Record<"losses" | "dx" | "likeliest", readonly number[]>> {
  const dot = (v: number, squares: readonly number[]): number =>
    squares.reduce((sum, s, k) => sum + s * matrix[v * WIDTH + k]!, 0);
  const rows = labels.map((label, m) => {
    const row = Array.from(x.subarray(m * WIDTH, (m + 1) * WIDTH));
    const squares = row.map((value) => value * value);
    const z = Array.from({ length: VOCABULARY }, (_, v) => dot(v, squares));
    const largest = Math.max(...z);
    const sum = z.reduce((s, value) => s + Math.exp(value - largest), 0);
    const loss = largest + Math.log(sum) - z[label]!;
    const dx = row.map((value, k) => {
      const mean = z.reduce((s, one, v) => s + (Math.exp(one - largest) / sum) * matrix[v * WIDTH + k]!, 0);
      return weights[m]! * (mean - matrix[label * WIDTH + k]!) * 2 * value;
    });
    return { loss, dx, likeliest: z.indexOf(largest) };
  });
  return {
    losses: rows.map(({ loss }) => loss),
    dx: rows.flatMap(({ dx }) => dx),
    likeliest: rows.map(({ likeliest }) => likeliest),
  };
}

describe("cross entropy in parts of the vocabulary", () => {
  it.each([
    { parts: 1, logitsAtOnce: ROWS * VOCABULARY },
    { parts: PARTS, logitsAtOnce: ROWS * 64 },
  ])("is what it is in plain f64, in $parts parts", async ({ parts, logitsAtOnce }) => {
    const graph = graphOf(logitsAtOnce);
    const logits = nodesInOrder(Object.values(graph.outputs)).filter(
      ({ op, outputs }) => op === "Gemm" && outputs[0]!.shape[1] !== WIDTH,
    );
    expect(logits.map(({ outputs }) => outputs[0]!.shape[1])).toEqual(
      parts === 1 ? [VOCABULARY] : [64, 64, 64, 64, VOCABULARY - 4 * 64],
    );
    const [actual, expected] = [await run(graph), reference()];
    for (const name of ["losses", "dx"] as const) {
      const scale = Math.max(...expected[name].map(Math.abs));
      for (const [i, value] of expected[name].entries()) {
        expect(Math.abs(actual[name]![i]! - value), `${name} ${i}`).toBeLessThan(3e-6 * scale);
      }
    }
  });

  it("is done with the gradient's product of each part before it asks for the part's sum", () => {
    const products = (graph: OnnxGraph): number =>
      nodesInOrder([graph.outputs.losses!]).filter(({ op, outputs }) => op === "Gemm" && outputs[0]!.shape[1] === WIDTH)
        .length;
    expect(products(graphOf(ROWS * 64))).toBe(PARTS);
    expect(products(graphOf(ROWS * VOCABULARY))).toBe(0);
  });

  it("cuts rows instead where the matrix must stay whole", async () => {
    const graph = graphOf(2 * VOCABULARY, true);
    const logits = nodesInOrder(Object.values(graph.outputs)).filter(
      ({ outputs }) => outputs[0]!.shape[1] === VOCABULARY,
    );
    expect(new Set(logits.map(({ outputs }) => outputs[0]!.shape[0]))).toEqual(new Set([2, 1]));
    const [actual, expected] = [await run(graph), reference()];
    for (const [i, value] of expected.dx.entries()) expect(actual.dx![i]).toBeCloseTo(value, 3);
  });
});

describe("rows that are evaluated", () => {
  const graphOfRows = (logitsAtOnce: number, wholeMatrix = false): OnnxGraph => {
    const outputs = evaluatedRows(model, () => output, { rows, labelIds }, { logitsAtOnce, wholeMatrix });
    return forSpeed({ inputs: [rows, labelIds], outputs: { ...outputs } }).graph;
  };

  it("have the losses and likeliest tokens of plain f64, however the logits are cut", async () => {
    const expected = reference();
    for (const graph of [graphOfRows(ROWS * 64), graphOfRows(ROWS * VOCABULARY), graphOfRows(2 * VOCABULARY, true)]) {
      const { losses, predicted } = await run(graph);
      for (const [i, value] of expected.losses.entries()) expect(losses![i]).toBeCloseTo(value, 4);
      expect(Array.from(predicted!, Number)).toEqual(expected.likeliest);
    }
  });

  it("name the first of tokens that are alike, in whichever part they are", async () => {
    const first = reference().likeliest[0]!;
    const twice = matrix.slice();
    const [best, other] = [first * WIDTH, ((first + 150) % VOCABULARY) * WIDTH];
    twice.copyWithin(other, best, best + WIDTH);
    const { predicted } = await run(graphOfRows(ROWS * 64), twice);
    expect(Number(predicted![0])).toBe(Math.min(first, (first + 150) % VOCABULARY));
  });

  it("read the output matrix once in parts of the vocabulary", () => {
    const shapes = nodesInOrder(Object.values(graphOfRows(ROWS * 64).outputs)).filter(({ op }) => op === "Gemm");
    expect(shapes.map(({ outputs }) => outputs[0]!.shape[0])).toEqual(new Array(PARTS).fill(ROWS));
  });
});

/** Every older or fused form against onnxruntime's own reading of it, and its gradient against finite differences. */
import { describe, expect, it } from "vitest";
import { compareGraph } from "../../autodiff/finite-difference.ts";
import { createOnnxRuntime } from "../../system/compute/onnxruntime.ts";
import type { Tensor } from "../../tensor.ts";
import { float32, int64 } from "../../tensor.ts";
import { decodeModel, encodeModel } from "../codec.ts";
import { isFloat } from "../dtype.ts";
import { modelBytes, type RawAttribute, sampleOf } from "../models.suite.ts";

const runtime = createOnnxRuntime();

interface Row {
  readonly op: string;
  readonly opset: number;
  readonly domain?: string;
  readonly name?: string;
  /** What is fed: samples for the shapes, tensors as they are; null is an absent optional input. */
  readonly inputs: readonly (readonly number[] | Tensor | null)[];
  /** Inputs from this place on are weights of the model. */
  readonly weightsFrom?: number;
  readonly attributes?: Readonly<Record<string, RawAttribute>>;
  /** Outputs named, "" for one that is not wanted. */
  readonly outputs?: readonly string[];
  /** The gradient is flat, or has steps too near to the samples. */
  readonly flat?: boolean;
}

const ints = (...values: readonly number[]): Tensor => int64([values.length], values);
const number = (value: number): Tensor => float32([], [value]);
const positive = (name: string, shape: readonly number[]): Tensor => sampleOf(name, shape, 0.4, 1.6);
const float = (value: number): RawAttribute => ({ float: value });
const MS = "com.microsoft";

const ROWS: readonly Row[] = [
  { op: "Squeeze", opset: 11, inputs: [[2, 1, 3, 1]], attributes: { axes: [1, -1] } },
  { op: "Squeeze", opset: 11, name: "all", inputs: [[2, 1, 3, 1]] },
  { op: "Unsqueeze", opset: 11, inputs: [[2, 3]], attributes: { axes: [0, 2] } },
  ...["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceLogSumExp", "ReduceSumSquare"].flatMap((op) => [
    { op, opset: 11, inputs: [[2, 3, 2]], attributes: { axes: [1], keepdims: 0 } },
    { op, opset: 12, name: "over everything", inputs: [[2, 3]] },
  ]),
  { op: "ReduceL1", opset: 11, inputs: [[2, 3]], attributes: { axes: [1] } },
  { op: "ReduceL2", opset: 11, inputs: [[2, 3]], attributes: { axes: [0], keepdims: 0 } },
  { op: "ReduceL2", opset: 18, inputs: [[2, 3], ints(1)], weightsFrom: 1 },
  { op: "ReduceLogSum", opset: 11, inputs: [positive("logsum", [2, 3])], attributes: { axes: [1] } },
  { op: "Split", opset: 11, inputs: [[2, 6]], attributes: { axis: 1, split: [1, 5] }, outputs: ["a", "b"] },
  { op: "Split", opset: 12, name: "equal", inputs: [[6, 2]], outputs: ["a", "b", "c"] },
  { op: "Split", opset: 18, name: "uneven", inputs: [[5, 2]], attributes: { num_outputs: 2 }, outputs: ["a", "b"] },
  { op: "Softmax", opset: 11, inputs: [[2, 3, 2]] },
  { op: "Softmax", opset: 12, inputs: [[2, 3, 2]], attributes: { axis: 0 } },
  { op: "LogSoftmax", opset: 11, inputs: [[2, 3, 2]], attributes: { axis: -2 } },
  { op: "Softmax", opset: 13, inputs: [[2, 3, 2]], attributes: { axis: 1 } },
  { op: "Dropout", opset: 11, inputs: [[2, 3]], attributes: { ratio: float(0.5) } },
  { op: "Dropout", opset: 13, inputs: [[2, 3], number(0.5)], weightsFrom: 1, outputs: ["y", "mask"] },
  { op: "Clip", opset: 11, inputs: [[2, 3], number(-0.5), number(1)], weightsFrom: 1 },
  { op: "Clip", opset: 12, inputs: [[2, 3], null, number(0.5)], weightsFrom: 1 },
  { op: "Pad", opset: 11, inputs: [[2, 3], ints(1, 0, 0, 2), number(0.7)], weightsFrom: 1 },
  { op: "Pad", opset: 13, name: "negative", inputs: [[3, 4], ints(-1, 1, 0, -2)], weightsFrom: 1 },
  { op: "Pad", opset: 18, name: "axes", inputs: [[2, 3, 2], ints(1, 2), null, ints(-2)], weightsFrom: 1 },
  ...["reflect", "edge"].map((mode) => {
    return { op: "Pad", opset: 11, inputs: [[3, 4], ints(0, 2, 1, 3)], weightsFrom: 1, attributes: { mode } };
  }),
  { op: "Pad", opset: 19, inputs: [[3, 4], ints(1, 0, 2, 3)], weightsFrom: 1, attributes: { mode: "wrap" } },
  {
    op: "BatchNormalization",
    opset: 11,
    inputs: [[2, 3, 2], [3], [3], [3], positive("variance", [3])],
    weightsFrom: 3,
  },
  {
    op: "BatchNormalization",
    opset: 15,
    inputs: [[2, 3], [3], [3], [3], positive("v", [3])],
    attributes: { epsilon: float(0.1) },
  },
  { op: "InstanceNormalization", opset: 11, inputs: [[2, 3, 4], [3], [3]] },
  { op: "GroupNormalization", opset: 18, inputs: [[2, 4, 3], [2], [2]], attributes: { num_groups: 2 } },
  { op: "GroupNormalization", opset: 21, inputs: [[2, 4, 3], [4], [4]], attributes: { num_groups: 2 } },
  {
    op: "LayerNormalization",
    opset: 17,
    inputs: [
      [2, 3, 4],
      [3, 4],
      [3, 4],
    ],
    attributes: { axis: 1 },
  },
  { op: "RMSNormalization", opset: 23, inputs: [[2, 3, 4], [4]], attributes: { axis: -1 } },
  { op: "Mean", opset: 13, inputs: [[2, 3], [3], [2, 1]] },
  { op: "Max", opset: 13, inputs: [[2, 3], [3], [2, 1]] },
  { op: "Min", opset: 13, inputs: [[2, 3]] },
  { op: "Identity", opset: 14, inputs: [[2, 3]] },
  { op: "CastLike", opset: 15, inputs: [[2, 3], ints(1)], flat: true },
  { op: "Tile", opset: 13, inputs: [[2, 3], ints(2, 3)], weightsFrom: 1 },
  { op: "DepthToSpace", opset: 13, inputs: [[1, 8, 2, 3]], attributes: { blocksize: 2 } },
  { op: "DepthToSpace", opset: 13, inputs: [[1, 8, 2, 3]], attributes: { blocksize: 2, mode: "CRD" } },
  { op: "SpaceToDepth", opset: 13, inputs: [[1, 2, 4, 2]], attributes: { blocksize: 2 } },
  { op: "GlobalAveragePool", opset: 11, inputs: [[2, 2, 3, 2]] },
  { op: "GlobalMaxPool", opset: 11, inputs: [[2, 2, 3, 2]] },
  { op: "Flatten", opset: 13, inputs: [[2, 3, 2]], attributes: { axis: -1 } },
  { op: "LeakyRelu", opset: 16, inputs: [[2, 5]], attributes: { alpha: float(0.2) } },
  { op: "PRelu", opset: 16, inputs: [[2, 5], [5]] },
  { op: "Elu", opset: 13, inputs: [[2, 5]], attributes: { alpha: float(0.7) } },
  { op: "Selu", opset: 13, inputs: [[2, 5]] },
  { op: "Celu", opset: 12, inputs: [[2, 5]], attributes: { alpha: float(1.5) } },
  { op: "ThresholdedRelu", opset: 13, inputs: [[2, 5]], attributes: { alpha: float(0.5) } },
  { op: "HardSigmoid", opset: 13, inputs: [[2, 5]] },
  { op: "HardSwish", opset: 14, inputs: [[2, 5]] },
  { op: "Softsign", opset: 13, inputs: [[2, 5]] },
  { op: "Mish", opset: 18, inputs: [[2, 5]] },
  {
    op: "NegativeLogLikelihoodLoss",
    opset: 13,
    inputs: [[2, 3, 2], int64([2, 2], [0, 2, 1, 1]), positive("nll", [3])],
  },
  {
    op: "SoftmaxCrossEntropyLoss",
    opset: 13,
    inputs: [[3, 4], ints(1, 3, 0), positive("sce", [4])],
    attributes: { ignore_index: 3 },
  },
  {
    op: "SoftmaxCrossEntropyLoss",
    opset: 12,
    inputs: [[3, 4], ints(1, -1, 0)],
    attributes: { ignore_index: -1, reduction: "sum" },
  },
  ...[
    ["ij,jk", [2, 3], [3, 4]],
    ["...ij,...jk->...ik", [2, 2, 3], [1, 3, 2]],
    ["bhid,bhjd->bhij", [2, 2, 3, 2], [2, 2, 2, 2]],
    ["i,j,k->kji", [2], [3], [2]],
    ["ijk,k->j", [2, 3, 2], [2]],
    ["ii->i", [3, 3]],
    ["iij,j->i", [2, 2, 3], [3]],
    ["ij,ij,ij->", [2, 3], [2, 3], [2, 3]],
    ["b...,b...->...", [2, 3, 2], [2, 3, 2]],
  ].map(([equation, ...inputs]) => {
    return { op: "Einsum", opset: 12, inputs: inputs as number[][], attributes: { equation: equation as string } };
  }),
  {
    op: "Attention",
    opset: 23,
    inputs: [[1, 2, 3, 4], [1, 2, 2, 4], [1, 2, 2, 4], null, [1, 2, 3, 4], [1, 2, 3, 4]],
    attributes: { is_causal: 1 },
    outputs: ["y", "k", "v"],
  },
  {
    op: "RotaryEmbedding",
    opset: 23,
    inputs: [[2, 3, 8], [5, 1], [5, 1], int64([2, 3], [0, 1, 2, 4, 3, 2])],
    attributes: { num_heads: 2, rotary_embedding_dim: 2 },
  },
  { op: "Gelu", opset: 12, domain: MS, inputs: [[2, 5]] },
  { op: "BiasGelu", opset: 12, domain: MS, inputs: [[2, 5], [5]] },
  { op: "FastGelu", opset: 12, domain: MS, inputs: [[2, 5]] },
  { op: "FastGelu", opset: 12, domain: MS, inputs: [[2, 5], [5]] },
  { op: "QuickGelu", opset: 12, domain: MS, inputs: [[2, 5]] },
  {
    op: "SkipLayerNormalization",
    opset: 12,
    domain: MS,
    inputs: [[1, 2, 5], [1, 2, 5], [5], [5], [5]],
    outputs: ["y", "", "", "sum"],
  },
  { op: "SkipLayerNormalization", opset: 12, domain: MS, inputs: [[1, 2, 5], [1, 2, 5], [5]] },
  {
    op: "SkipSimplifiedLayerNormalization",
    opset: 12,
    domain: MS,
    inputs: [[1, 2, 5], [1, 2, 5], [5], [5]],
    attributes: { epsilon: float(0.1) },
  },
  {
    op: "SimplifiedLayerNormalization",
    opset: 12,
    inputs: [[1, 2, 5], [5]],
    attributes: { axis: -1, epsilon: float(1e-3) },
  },
  { op: "LayerNormalization", opset: 12, inputs: [[1, 2, 5], [5], [5]] },
  {
    op: "FusedMatMul",
    opset: 12,
    domain: MS,
    inputs: [
      [2, 3, 2],
      [2, 4, 3],
    ],
    attributes: { transA: 1, transB: 1, alpha: float(0.5) },
  },
];

describe("older and fused operators mean what they mean to onnxruntime", () => {
  const seen = new Map<string, number>();
  for (const row of ROWS) {
    const again = seen.get(row.op) ?? 0;
    seen.set(row.op, again + 1);
    it(`${row.op} of set ${row.opset} ${row.name ?? (again ? again + 1 : "")}`, async () => {
      const tensors = row.inputs.map((given, i) =>
        given === null ? undefined : "data" in given ? given : sampleOf(`${row.op}${row.opset}${i}`, given),
      );
      const named = tensors.flatMap((tensor, i) =>
        tensor ? [{ name: `x${i}`, tensor, weight: i >= (row.weightsFrom ?? 99) }] : [],
      );
      const feeds = Object.fromEntries(named.filter((x) => !x.weight).map(({ name, tensor }) => [name, tensor]));
      const outputs = row.outputs ?? ["y"];
      const bytes = modelBytes({
        opset: row.opset,
        domains: row.domain ? [row.domain] : [],
        nodes: [
          {
            op: row.op,
            domain: row.domain ?? "",
            name: "it",
            inputs: tensors.map((tensor, i) => (tensor ? `x${i}` : "")),
            outputs,
            attributes: row.attributes ?? {},
          },
        ],
        inputs: Object.fromEntries(Object.entries(feeds).map(([name, { dtype, shape }]) => [name, { dtype, shape }])),
        weights: Object.fromEntries(named.filter((x) => x.weight).map(({ name, tensor }) => [name, tensor])),
        outputs: outputs.filter((name) => name !== ""),
      });
      const graph = decodeModel(bytes);
      const [original, ours] = [await runtime.load(bytes, {}), await runtime.load(encodeModel(graph), {})];
      const [want, got] = [await original.run(feeds), await ours.run(feeds)];
      await Promise.all([original.close(), ours.close()]);
      expect(Object.keys(got)).toEqual(Object.keys(want));
      for (const [name, tensor] of Object.entries(want)) {
        expect(got[name]!.dtype).toBe(tensor.dtype);
        expect(got[name]!.shape).toEqual(tensor.shape);
        expect(graph.outputs[name]!.shape).toEqual(tensor.shape);
        for (const [i, x] of Array.from(tensor.data as Float32Array, Number).entries()) {
          expect(Math.abs(Number(got[name]!.data[i]) - x), `${name}[${i}]`).toBeLessThan(2e-5);
        }
      }
      if (row.flat) return;
      const real = Object.values(graph.outputs).filter((value) => isFloat(value.dtype));
      const wanted = graph.inputs.filter((value) => isFloat(value.dtype));
      const { error } = await compareGraph(runtime, { inputs: graph.inputs, feeds, outputs: real, wanted });
      expect(error).toBeLessThan(2e-3);
    });
  }
});

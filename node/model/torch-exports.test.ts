/**
 * ONNX files of both of torch's exporters (golden/torch_exports.py), with open dimensions: read for other sizes than they
 * were exported with, they give torch's logits, loss and gradients of every parameter.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { decodeModel, encodeModel } from "../onnx/codec.ts";
import type { OnnxGraph, OnnxValue } from "../onnx/value.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import type { Tensor } from "../tensor.ts";
import { float32, int64 } from "../tensor.ts";
import { trainableGraph } from "./onnx-file.ts";

interface TorchExport {
  readonly file: string;
  readonly ids: readonly (readonly number[])[];
  /** -100 where there is none. */
  readonly labels: readonly (readonly number[])[];
  readonly loss: number;
  readonly logits: readonly number[];
  /** By the name of the weight in the file. */
  readonly gradients: Readonly<Record<string, readonly number[]>>;
}

const GOLDEN = join(import.meta.dirname, "golden");
const CASES = readdirSync(GOLDEN).filter((name) => name.endsWith(".json"));

function open(name: string) {
  const golden = JSON.parse(readFileSync(join(GOLDEN, name), "utf8")) as TorchExport;
  const shape = [golden.ids.length, golden.ids[0]!.length];
  const dimensions = { "input_ids:0": shape[0]!, "input_ids:1": shape[1]! };
  return {
    golden,
    graph: decodeModel(readFileSync(join(GOLDEN, golden.file)), { dimensions }),
    ids: int64(shape, golden.ids.flat()),
    labels: int64(shape, golden.labels.flat()),
  };
}

async function run(graph: OnnxGraph, feeds: Readonly<Record<string, Tensor>>) {
  const session = await createOnnxRuntime().load(encodeModel(graph), { threads: 1 });
  try {
    return await session.run(feeds);
  } finally {
    await session.close();
  }
}

function expectClose(actual: ArrayLike<number>, expected: readonly number[], name: string): void {
  expect(actual.length, name).toBe(expected.length);
  const scale = Math.max(...expected.map(Math.abs));
  const worst = Math.max(...expected.map((value, i) => Math.abs(value - actual[i]!)));
  expect(worst / scale, name).toBeLessThan(2e-5);
}

const valuesOf = ({ source }: OnnxValue): Float32Array => {
  if (source.kind !== "constant") throw new RangeError("the weight is not in the file");
  return source.data as Float32Array;
};

describe.each(CASES)("%s", (name) => {
  it("computes what torch computes", async () => {
    const { golden, graph, ids } = open(name);
    const { logits } = await run(graph, { input_ids: ids });
    expectClose(logits!.data as Float32Array, golden.logits, "logits");
  });

  it("has torch's loss and gradients", async () => {
    const { golden, graph, ids, labels } = open(name);
    const patterns = Object.keys(golden.gradients);
    const step = trainableGraph(graph, { patterns, loss: { kind: "cross-entropy", output: "logits" } });
    const weights = step.tensors.map((tensor) => [tensor.name, float32(tensor.shape, valuesOf(tensor.weight))]);
    const result = await run(step.graph, { input_ids: ids, labels, ...Object.fromEntries(weights) });
    expect(Math.abs(Number(result.loss!.data[0]) - golden.loss)).toBeLessThan(1e-5 * golden.loss);
    expect(step.tensors.length).toBe(patterns.length);
    for (const tensor of step.tensors) {
      const { data } = result[tensor.gradient]!;
      expectClose(data as Float32Array, golden.gradients[tensor.name]!, tensor.name);
    }
  });

  it("does not train an exporter's single numbers unless they are named", () => {
    const { graph } = open(name);
    const { tensors } = trainableGraph(graph, { patterns: ["*"], loss: { kind: "cross-entropy", output: "logits" } });
    expect(tensors.length).toBeGreaterThan(8);
    expect(tensors.filter(({ shape }) => shape.length === 0)).toEqual([]);
  });
});

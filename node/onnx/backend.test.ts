/** The single-operator models of the ONNX project, with the inputs and outputs that it publishes beside them. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { compareGraph } from "../autodiff/finite-difference.ts";
import { NodeError } from "../errors.ts";
import { sharedAsset } from "../golden/shared-assets.suite.ts";
import type { Runtime } from "../interface/runtime.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import type { Tensor } from "../tensor.ts";
import { decodeModel, decodeTensor, encodeModel } from "./codec.ts";
import { isFloat } from "./dtype.ts";
import type { OnnxValue } from "./value.ts";

const backend = sharedAsset("onnx/onnx-backend-node", "the ONNX project's models of single operators");
const runtime = createOnnxRuntime();

/** Operators that this package has no meaning for: optimisers and gradients as nodes, which onnxruntime refuses too. */
const TRAINING_DOMAIN = /domain ai\.onnx\.preview\.training is not supported/;

const nameOf = ({ source }: OnnxValue): string => (source.kind === "input" ? source.name : "");

interface BackendCase {
  readonly bytes: Uint8Array;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
}

function readCase(name: string): BackendCase {
  const folder = join(backend.path, name, "test_data_set_0");
  const list = (kind: string): readonly Tensor[] => {
    const count = readdirSync(folder).filter((file) => file.startsWith(`${kind}_`)).length;
    return Array.from({ length: count }, (_, i) => decodeTensor(readFileSync(join(folder, `${kind}_${i}.pb`))));
  };
  return {
    bytes: readFileSync(join(backend.path, name, "model.onnx")),
    inputs: list("input"),
    outputs: list("output"),
  };
}

/** The graph and its feeds by name. An integer input that decides a shape is given while reading. */
function decodeCase({ bytes, inputs }: BackendCase, names: readonly string[], outputs?: readonly string[]) {
  const given = Object.fromEntries(names.map((name, i) => [name, inputs[i]!]));
  const options = outputs ? { outputs } : {};
  try {
    return { graph: decodeModel(bytes, options), feeds: given };
  } catch (error) {
    if (!(error instanceof NodeError) || !/not known while building/.test(error.message)) throw error;
    const constants = Object.fromEntries(Object.entries(given).filter(([, tensor]) => tensor.dtype === "int64"));
    const graph = decodeModel(bytes, { ...options, constants });
    return { graph, feeds: Object.fromEntries(graph.inputs.map((value) => [nameOf(value), given[nameOf(value)]!])) };
  }
}

async function run(by: Runtime, model: Uint8Array, feeds: Readonly<Record<string, Tensor>>) {
  const session = await by.load(model, { threads: 1 });
  try {
    return await session.run(feeds);
  } finally {
    await session.close();
  }
}

function expectClose(got: Tensor, want: Tensor, tolerance: number): void {
  expect(got.dtype).toBe(want.dtype);
  expect(got.shape).toEqual(want.shape);
  for (const [i, raw] of Array.from(want.data as Float32Array, Number).entries()) {
    const x = Number(got.data[i]);
    if (!(Math.abs(x - raw) <= tolerance * Math.max(1, Math.abs(raw))))
      throw new RangeError(`[${i}]: ${x}, not ${raw}`);
  }
}

const present = backend.missing ? [] : readdirSync(backend.path).filter((name) => name.startsWith("test_"));

describe.skipIf(backend.missing)("single-operator models of the ONNX suite", () => {
  const refused: string[] = [];
  for (const name of present) {
    it(`${name} goes through the codec, and its gradient agrees with finite differences`, async ({ skip }) => {
      const given = readCase(name);
      const names = decodeModel(given.bytes, { outputs: [] }).inputs.map(nameOf);
      const feeds = Object.fromEntries(names.map((input, i) => [input, given.inputs[i]!]));
      const original = await run(runtime, given.bytes, feeds).catch((error: unknown) => error as NodeError);
      if (original instanceof NodeError) {
        expect(original.code).toBe("RUNTIME_MODEL");
        expect(() => decodeModel(given.bytes)).toThrow(TRAINING_DOMAIN);
        refused.push(name);
        console.log(`${name}: ${original.message}`);
        return skip(original.message);
      }
      const { graph, feeds: bound } = decodeCase(given, names);
      const again = await run(runtime, encodeModel(graph), bound);
      expect(Object.keys(again)).toEqual(Object.keys(original));
      for (const [i, [output, tensor]] of Object.entries(original).entries()) {
        expectClose(again[output]!, tensor, 2e-6);
        expectClose(again[output]!, given.outputs[i]!, 1e-5);
      }

      // Statistics beside the result (LayerNormalization) have no gradient: they are what training derives itself.
      const [first] = Object.keys(original);
      const part = decodeCase(given, names, first === "Y" ? ["Y"] : undefined);
      const outputs = Object.values(part.graph.outputs).filter((value) => isFloat(value.dtype));
      const wanted = part.graph.inputs.filter((value) => isFloat(value.dtype));
      expect(wanted.length).toBeGreaterThan(0);
      const { inputs } = part.graph;
      const { error } = await compareGraph(runtime, { inputs, feeds: part.feeds, outputs, wanted, elements: 12 });
      expect(error).toBeLessThan(2e-3);
    });
  }

  it("are all expressed but for those whose operators onnxruntime lacks as well", () => {
    expect(refused.every((name) => /adagrad|adam|momentum|gradient_of/.test(name))).toBe(true);
    expect(present.length - refused.length).toBeGreaterThan(refused.length * 8);
  });
});

/** Training an ONNX file of torch's exporter: one step is torch's own, LoRA ends in the file's weights. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readTensorRows, stackRows, type TensorRow } from "../data/tensor-rows.ts";
import { decodeModel, encodeModel, replaceWeights } from "../onnx/codec.ts";
import { nodesInOrder } from "../onnx/graph.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { readOnnxModelFile } from "../system/files/onnx-model-file.ts";
import type { OnnxTrainingOptions } from "./onnx-training.ts";
import { holdOut, trainOnnx } from "./onnx-training.ts";

const GOLDEN = join(import.meta.dirname, "../model/golden");
const runtime = createOnnxRuntime();

async function open(name: string) {
  const golden = JSON.parse(readFileSync(join(GOLDEN, `${name}.json`), "utf8"));
  const lines = golden.ids.map((input_ids: number[], i: number) =>
    JSON.stringify({ input_ids, labels: golden.labels[i] }),
  );
  const rows = await readTensorRows(lines, { file: "rows" });
  return { golden, rows, file: await readOnnxModelFile(join(GOLDEN, golden.file)) };
}

const options = (rows: readonly TensorRow[], more: Partial<OnnxTrainingOptions>): OnnxTrainingOptions => ({
  weights: [],
  loss: { kind: "cross-entropy", output: "logits" },
  training: { optimizer: "sgd", learningRate: 0.1, weightDecay: 0, gradientClip: 1e9, batchSize: rows.length },
  ...{ rows, steps: 1, seed: 3, threads: 1, signal: new AbortController().signal, ...more },
});

/** The named weights in a file, read for some sizes of its open dimensions. */
function weightsOf(bytes: Uint8Array): ReadonlyMap<string, Float32Array> {
  const graph = decodeModel(bytes, { dimensions: { batch: 1, tokens: 3 } });
  const values = nodesInOrder(Object.values(graph.outputs)).flatMap((node) => node.inputs);
  return new Map(
    values.flatMap((value) =>
      value?.source.kind === "constant" && value.source.name && value.dtype === "float32"
        ? [[value.source.name, value.source.data as Float32Array]]
        : [],
    ),
  );
}

async function lossOf(bytes: Uint8Array, rows: readonly TensorRow[]): Promise<number> {
  const graph = decodeModel(bytes, {
    dimensions: { batch: rows.length, tokens: rows[0]!.get("input_ids")!.shape[0]! },
  });
  const session = await runtime.load(encodeModel(graph), { threads: 1 });
  const { logits } = await session.run({ input_ids: stackRows(rows, "input_ids", "int64") });
  await session.close();
  const labels = rows.flatMap((row) => row.get("labels")!.values);
  const width = logits!.shape.at(-1)!;
  const losses = labels.flatMap((label, i) => {
    const z = Array.from((logits!.data as Float32Array).subarray(i * width, (i + 1) * width));
    return label < 0 ? [] : [Math.log(z.reduce((sum, x) => sum + Math.exp(x), 0)) - z[label]!];
  });
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
}

describe("an ONNX file that is trained", () => {
  it.each(["gpt-dynamo-20", "gpt-script-14", "rotary-dynamo-18"])("%s: one step is torch's own", async (name) => {
    const { golden, rows, file } = await open(name);
    const names = Object.keys(golden.gradients);
    const result = await trainOnnx(runtime, file, options(rows, { weights: names }));
    expect(result.losses[0]).toBeCloseTo(golden.loss, 4);
    expect(result.weights.toSorted()).toEqual(names.toSorted());
    const [before, after] = [weightsOf(file.bytes), weightsOf(result.bytes)];
    expect([...after.keys()]).toEqual([...before.keys()]);
    for (const weight of names) {
      const expected = before.get(weight)!.map((x, i) => x - 0.1 * golden.gradients[weight][i]);
      for (const [i, x] of after.get(weight)!.entries()) expect(Math.abs(x - expected[i]!), weight).toBeLessThan(1e-5);
    }
  });

  it.each(["gpt-dynamo-20", "fused-script-17"])("%s: LoRA learns, and the file says what it said", async (name) => {
    const { rows, file } = await open(name);
    const all = { patterns: ["*"], rank: 2, alpha: 4 };
    const training = { ...options(rows, {}).training, optimizer: "adamw" as const, learningRate: 0.02 };
    const train = (steps: number) => trainOnnx(runtime, file, options(rows, { lora: all, training, steps }));
    const [short, long] = [await train(8), await train(9)];
    expect(long.losses.slice(0, 8)).toEqual(short.losses);
    expect(long.losses[8]!).toBeLessThan(0.9 * long.losses[0]!);
    // The loss of step 9 is that of the factors after 8 steps, which the shorter training merged.
    expect(await lossOf(short.bytes, rows)).toBeCloseTo(long.losses[8]!, 4);
    expect(await lossOf(file.bytes, rows)).toBeCloseTo(long.losses[0]!, 4);
    expect(short.weights.length).toBeGreaterThan(6);
  });

  it("a step of several batches is that of one with all their rows, however many labels each has", async () => {
    const { rows, file } = await open("gpt-dynamo-20");
    const few = new Map([...rows[0]!, ["labels", { shape: [5], values: [-100, -100, -100, 5, -100] }]]);
    const four = [few, rows[1]!, rows[0]!, rows[1]!].map(
      (row) =>
        new Map([...row].map(([name, { values }]) => [name, { shape: [4], values: values.slice(0, 4) }] as const)),
    );
    const step = (batchSize: number, accumulate: number) => {
      const training = { ...options(four, {}).training, batchSize, accumulate };
      return trainOnnx(runtime, file, options(four, { weights: ["*norm*", "words.weight"], training }));
    };
    const [whole, parts] = [await step(4, 1), await step(1, 4)];
    expect(parts.losses[0]!).toBeCloseTo(whole.losses[0]!, 5);
    const [expected, found] = [weightsOf(whole.bytes), weightsOf(parts.bytes)];
    for (const name of whole.weights) {
      for (const [i, x] of found.get(name)!.entries()) expect(Math.abs(x - expected.get(name)![i]!)).toBeLessThan(1e-5);
    }
  });

  it("rows that are held out are evaluated before and after, and never trained on", async () => {
    const { rows, file } = await open("gpt-dynamo-20");
    const many = [rows[0]!, rows[1]!, rows[0]!, rows[1]!, rows[0]!, rows[1]!];
    const drawn = holdOut(many, { share: 0.3, batchSize: 2, seed: 5 });
    expect([drawn.rows.length, drawn.heldOut.length]).toEqual([4, 2]);
    expect(holdOut(many, { share: 0.3, batchSize: 2, seed: 5 })).toEqual(drawn);
    expect(() => holdOut(many, { share: 0.9, batchSize: 2, seed: 5 })).toThrow(/too few to hold out 6/);
    const training = { ...options(rows, {}).training, batchSize: 2 };
    const heldOut = [rows[0]!, rows[1]!];
    const result = await trainOnnx(runtime, file, options(drawn.rows, { weights: ["*"], training, heldOut, steps: 5 }));
    expect(result.heldOut!.before).toBeCloseTo(await lossOf(file.bytes, heldOut), 4);
    expect(result.heldOut!.after).toBeCloseTo(await lossOf(result.bytes, heldOut), 4);
    const without = await trainOnnx(runtime, file, options(drawn.rows, { weights: ["*"], training, steps: 5 }));
    expect([without.losses, without.heldOut]).toEqual([result.losses, undefined]);
  });

  it("refuses what cannot be trained, in words", async () => {
    const { rows, file } = await open("gpt-dynamo-20");
    const refused = (more: Partial<OnnxTrainingOptions>) => trainOnnx(runtime, file, options(rows, more));
    await expect(refused({})).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    await expect(refused({ weights: ["nope*"] })).rejects.toThrow(/no weight is called nope\*; there are/);
    await expect(refused({ lora: { patterns: ["words*"], rank: 1, alpha: 1 } })).rejects.toThrow(/no linear layer/);
    await expect(refused({ weights: ["*"], rows: [] })).rejects.toMatchObject({ code: "DATA_TOO_SMALL" });
    const unlabelled = rows.map((row) => new Map([...row].filter(([name]) => name !== "labels")));
    await expect(refused({ weights: ["*"], rows: unlabelled })).rejects.toThrow(/the rows have no "labels"/);
    expect(() => replaceWeights(file.bytes, new Map([["nope", new Float32Array(2)]]))).toThrow(
      /no float32 weight nope/,
    );
  });
});

describe("rows of tensors", () => {
  it.each([
    ["{", "rows:1: this is not JSON"],
    ["[1]", "rows:1: this is no JSON object"],
    ['{"x": [[1], [2, 3]]}', 'rows:1: "x" is neither a number nor lists of equal lengths'],
    ['{"x": ["a"]}', 'rows:1: "x" is neither'],
    ['{"x": [1]}\n\n{"x": [1, 2]}', 'rows:3: "x" has the shape [2], the first row\'s [1]'],
    ['{"x": 1}\n{"y": 1}', 'rows:2: "x" is missing'],
    ["\n", "rows has no rows"],
  ])("%j is refused", async (text, message) => {
    await expect(readTensorRows(text.split("\n"), { file: "rows" })).rejects.toMatchObject({
      code: "DATA_FORMAT",
      message: expect.stringContaining(message),
    });
  });

  it("stand on top of each other", async () => {
    const rows = await readTensorRows(['{"x": [[1, 2.5]], "y": true}', '{"x": [[3, 4]], "y": 0}'], { file: "rows" });
    expect(stackRows(rows, "x", "float32")).toEqual({
      ...{ dtype: "float32", shape: [2, 1, 2], data: Float32Array.of(1, 2.5, 3, 4) },
    });
    expect(stackRows(rows, "y", "bool")).toEqual({ dtype: "bool", shape: [2], data: Uint8Array.of(1, 0) });
    expect(() => stackRows(rows, "x", "int64")).toThrow(/"x" holds 2.5, but the model reads whole numbers/);
  });
});

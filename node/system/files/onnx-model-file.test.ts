/** An ONNX file whose weights lie beside it, as torch's exporter leaves large models. */
import { mkdir, mkdtemp, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readTensorRows, type TensorRow } from "../../data/tensor-rows.ts";
import { type OnnxTrainingOptions, trainOnnx } from "../../local/onnx-training.ts";
import { ModelProtoSchema, StringStringEntryProtoSchema } from "../../onnx/onnx_pb.ts";
import { createOnnxRuntime } from "../compute/onnxruntime.ts";
import { readOnnxModelFile, writeOnnxModelFile } from "./onnx-model-file.ts";

const GOLDEN = join(import.meta.dirname, "../../model/golden");
const WEIGHTS = "weights/model.bin";
const runtime = createOnnxRuntime();
const all = { patterns: ["*"], rank: 2, alpha: 4 };

let folder: string;
let rows: readonly TensorRow[];
let options: OnnxTrainingOptions;
const at = (...names: string[]): string => join(folder, ...names);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-onnx-"));
  const golden = JSON.parse(await readFile(join(GOLDEN, "gpt-dynamo-20.json"), "utf8"));
  const lines = golden.ids.map((input_ids: number[], i: number) =>
    JSON.stringify({ input_ids, labels: golden.labels[i] }),
  );
  rows = await readTensorRows(lines, { file: "rows" });
  options = {
    weights: Object.keys(golden.gradients).slice(0, 2),
    lora: { ...all },
    loss: { kind: "cross-entropy", output: "logits" },
    training: { optimizer: "sgd", learningRate: 0.1, weightDecay: 0, gradientClip: 1e9, batchSize: rows.length },
    ...{ rows, steps: 3, seed: 3, threads: 1, signal: new AbortController().signal },
  };
  await writeExternal(await readFile(join(GOLDEN, "gpt-dynamo-20.onnx")));
});
afterAll(() => rm(folder, { recursive: true }));

/** The model with all f32 weights in a file of a folder beside it, one behind the other. */
async function writeExternal(bytes: Uint8Array): Promise<void> {
  const model = fromBinary(ModelProtoSchema, bytes);
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const tensor of model.graph!.initializer) {
    if (tensor.dataType !== 1 || tensor.rawData.length === 0) continue;
    const entries = { location: WEIGHTS, offset: `${offset}`, length: `${tensor.rawData.length}` };
    parts.push(tensor.rawData);
    offset += tensor.rawData.length;
    tensor.externalData = Object.entries(entries).map(([key, value]) =>
      create(StringStringEntryProtoSchema, { key, value }),
    );
    // EXTERNAL of onnx.proto.
    tensor.dataLocation = 1;
    tensor.rawData = new Uint8Array();
  }
  expect(offset).toBeGreaterThan(1000);
  await mkdir(at("weights"));
  await writeFile(at("model.onnx"), toBinary(ModelProtoSchema, model));
  await writeFile(at(WEIGHTS), Buffer.concat(parts));
}

describe("weights beside an ONNX file", () => {
  it("train as those within one, bit for bit", async () => {
    const inside = await trainOnnx(runtime, await readOnnxModelFile(join(GOLDEN, "gpt-dynamo-20.onnx")), options);
    const beside = await trainOnnx(runtime, await readOnnxModelFile(at("model.onnx")), options);
    expect(beside.losses).toEqual(inside.losses);
    expect([beside.locations, inside.locations]).toEqual([[WEIGHTS], []]);
    expect(beside.weights).toEqual(inside.weights);
    // What was trained stands in the file now, the rest still beside it: it goes on where this one stopped.
    await writeOnnxModelFile(at("trained.onnx"), beside.bytes, {
      original: at("model.onnx"),
      locations: beside.locations,
    });
    const more = await trainOnnx(runtime, await readOnnxModelFile(at("trained.onnx")), options);
    expect(more.losses[0]!).toBeLessThan(inside.losses[0]!);
  });

  it("are read through links, as model caches have them, and mapped where they are no links", async () => {
    await mkdir(at("cache/weights"), { recursive: true });
    await symlink(at("model.onnx"), at("cache/model.onnx"));
    await symlink(at(WEIGHTS), at("cache", WEIGHTS));
    const plain = await readOnnxModelFile(at("model.onnx"));
    const linked = await readOnnxModelFile(at("cache/model.onnx"));
    expect(plain.open([WEIGHTS])[0]).toMatchObject({ path: WEIGHTS, folder });
    expect(linked.open([WEIGHTS])[0]!.folder).toBeUndefined();
    const [expected, found] = [await trainOnnx(runtime, plain, options), await trainOnnx(runtime, linked, options)];
    expect(found.losses).toEqual(expected.losses);
  });

  it("that are missing, or shorter than the model says, are refused before anything is made for them", async () => {
    const file = await readOnnxModelFile(at("model.onnx"));
    expect(() => file.open(["nowhere.bin"])).toThrow(/nowhere\.bin cannot be opened \(ENOENT\)/);
    await mkdir(at("short/weights"), { recursive: true });
    await writeFile(at("short/model.onnx"), file.bytes);
    await writeFile(at("short", WEIGHTS), await readFile(at(WEIGHTS)));
    await truncate(at("short", WEIGHTS), 1000);
    await expect(trainOnnx(runtime, await readOnnxModelFile(at("short/model.onnx")), options)).rejects.toMatchObject({
      code: "ONNX_INVALID",
      message: expect.stringMatching(
        /the weight \S+ would stand in bytes \d+ to \d+ of weights\/model\.bin, which has 1000/,
      ),
    });
    await expect(readOnnxModelFile(at("nowhere.onnx"))).rejects.toMatchObject({ code: "MODEL_MISSING" });
  });

  it("keep the trained model in their folder", async () => {
    const given = { original: at("model.onnx"), locations: [WEIGHTS] };
    await expect(writeOnnxModelFile(at("cache/out.onnx"), new Uint8Array(1), given)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining(`keeps weights in ${WEIGHTS} beside it`),
      facts: { path: at("cache/out.onnx"), problem: "weights-beside" },
    });
  });
});

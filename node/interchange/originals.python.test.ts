/**
 * True round trips through the programs whose forms weft writes: peft and transformers load what was exported and give
 * the same logits, torch opens the state dicts and writes some that are read, the ONNX checker accepts the graphs.
 * `npm run test:python`; WEFT_PYTHON names the interpreter, python3 when absent.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { adapterSlots, parameterCount } from "../../protocol/adapter-spec.ts";
import { createPrng } from "../../protocol/prng.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { textGraph } from "../generation/inference-graph.ts";
import type { BaseModel } from "../model/base-model.ts";
import { loadBaseModel } from "../model/huggingface.ts";
import type { Config } from "../model/random-model.suite.ts";
import { filesOf, randomTensors } from "../model/random-model.suite.ts";
import { encodeModel } from "../onnx/codec.ts";
import type { OnnxGraph } from "../onnx/value.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { int64 } from "../tensor.ts";
import { trainedHead } from "../training/classification.ts";
import { trainingStepGraph } from "../training/training-step.ts";
import { jsonBytes } from "./adapter-directory.ts";
import { NO_DIGEST, used } from "./golden.suite.ts";
import { mergedModel } from "./merged-model.ts";
import { toPeft } from "./peft-export.ts";
import { toPyreft } from "./pyreft-export.ts";
import { adapterOfVector, type SavedAdapter } from "./saved-adapter.ts";
import { readTorchFile } from "./torch-file.ts";

const PYTHON = process.env.WEFT_PYTHON ?? "python3";
const hasAll = spawnSync(PYTHON, ["-c", "import torch, transformers, peft, onnx"]).status === 0;
if (!hasAll) {
  console.warn(
    `skipped: ${PYTHON} has no torch, transformers, peft and onnx (pip install torch transformers peft onnx)`,
  );
}

const IDS = [4, 8, 15, 16, 23, 2];
const MASK = [1, 1, 1, 1, 1, 0];
const lora = (targets: readonly string[], more: object = {}): AdapterSettings => ({
  ...{ kind: "lora", rank: 3, alpha: 6, targets, layers: "all" },
  ...more,
});
/** By what it shows: family and adapter; of a classifier the head goes along. */
const EXPORTS: Readonly<Record<string, readonly [string, AdapterSettings]>> = {
  llama: ["llama", lora(["q_proj", "v_proj"])],
  "llama, a chosen layer, rsLoRA": ["llama", lora(["gate_proj", "down_proj"], { layers: [1], scale: "rslora" })],
  "llama, FFA": ["llama", lora(["o_proj"], { kind: "ffa-lora" })],
  "llama, Tri-LoRA on a shared basis": ["llama", lora(["k_proj"], { kind: "tri-lora", basis: "shared" })],
  "llama 3, tied, Tri-LoRA on a personal basis": ["llama3", lora(["q_proj"], { kind: "tri-lora", basis: "personal" })],
  "llama, a module by its path": ["llama", lora(["model.layers.0.mlp.up_proj", "self_attn.q_proj"])],
  "llama, DoRA": ["llama", lora(["q_proj", "down_proj"], { kind: "dora" })],
  "gpt2, DoRA, rsLoRA": ["gpt2", lora(["c_attn", "mlp.c_proj"], { kind: "dora", scale: "rslora" })],
  "bert, DoRA": ["bert", lora(["query"], { kind: "dora" })],
  "qwen2, biases": ["qwen2", lora(["k_proj", "v_proj"], { bias: "trained" })],
  mistral: ["mistral", lora(["q_proj", "up_proj"])],
  qwen2: ["qwen2", lora(["k_proj", "v_proj"])],
  qwen3: ["qwen3", lora(["q_proj", "o_proj"])],
  gpt2: ["gpt2", lora(["c_attn", "attn.c_proj", "mlp.c_fc"])],
  "gpt2, all of one name": ["gpt2", lora(["c_proj"], { layers: [0] })],
  bert: ["bert", lora(["query", "value"])],
  "bert, dense layers": ["bert", lora(["dense"])],
  roberta: ["roberta", lora(["query", "output.dense"])],
};
const LOREFT: AdapterSettings = {
  kind: "loreft",
  rank: 2,
  layers: "all",
  positions: { first: 2, last: 2, tied: false },
};

let folder: string;
const at = (...names: string[]): string => join(folder, ...names);
afterAll(() => folder && rmSync(folder, { recursive: true, force: true }));

/** The model that small_models.py makes under this name: the golden training's configuration, weights from seed 1. */
function modelOf(family: string): { readonly config: Config; readonly model: BaseModel } {
  const golden = join(import.meta.dirname, "../training/golden", family);
  const { config } = JSON.parse(readFileSync(join(golden, readdirSync(golden)[0]!), "utf8")) as { config: Config };
  return { config, model: loadBaseModel(filesOf(config, randomTensors(config))) };
}

function randomAdapter(settings: AdapterSettings, model: BaseModel): SavedAdapter {
  const slots = adapterSlots([...adapterMethod(settings).tensors(settings, model.shape), ...trainedHead(model)]);
  const values = new Float32Array(parameterCount(slots));
  for (const { name, offset, length } of slots) {
    const stream = createPrng(6).fork(name);
    for (let i = 0; i < length; i++) values[offset + i] = 0.2 * stream.normal();
  }
  return adapterOfVector(model, { settings, seed: 5, digest: NO_DIGEST, values });
}

async function logitsOf(model: BaseModel, adapter: SavedAdapter): Promise<Float32Array> {
  const graph = textGraph({ model, adapter: used(adapter, model) }, { examples: 1, tokens: IDS.length });
  const session = await createOnnxRuntime().load(encodeModel(graph), { externalData: model.externalData, threads: 1 });
  const shape = [1, IDS.length];
  const { logits } = await session.run({
    input_ids: int64(shape, IDS),
    ...(model.classifier ? { attention_mask: int64(shape, MASK) } : {}),
  });
  await session.close();
  const all = logits!.data as Float32Array;
  // What stands behind a padding token is nobody's business.
  return model.classifier ? all : all.subarray(0, MASK.lastIndexOf(1) * model.shape.vocabulary);
}

function writeFiles(name: string, files: ReadonlyMap<string, Uint8Array>): string {
  mkdirSync(at(name), { recursive: true });
  for (const [file, bytes] of files) writeFileSync(at(name, file), bytes);
  return at(name);
}

/** A graph beside the weights that it refers to. */
function writeGraph(name: string, graph: OnnxGraph, model: BaseModel): string {
  const shards = model.externalData.map((file) => [file.path, file.data] as const);
  writeFiles(name, new Map([...shards, ["model.onnx", encodeModel(graph)]]));
  return at(name, "model.onnx");
}

type Answer = Readonly<Record<string, unknown>>;
let answers: Readonly<Record<string, Answer | readonly number[] | string>>;
const expected = new Map<string, Float32Array>();

beforeAll(async () => {
  if (!hasAll) return;
  folder = mkdtempSync(join(tmpdir(), "weft-originals-"));
  const jobs: Record<string, object> = {};
  for (const [name, [family, settings]] of Object.entries(EXPORTS)) {
    const { config, model } = modelOf(family);
    const adapter = randomAdapter(settings, model);
    expected.set(name, await logitsOf(model, adapter));
    const text = { family, ids: IDS, mask: MASK };
    jobs[`peft: ${name}`] = { kind: "peft", folder: writeFiles(`peft ${name}`, toPeft(adapter, model, {})), ...text };
    const merged = mergedModel(adapter, model, config);
    const weights = Buffer.concat([...merged.pieces()]);
    const files = new Map<string, Uint8Array>([["config.json", jsonBytes(merged.config)]]);
    jobs[`merged: ${name}`] = {
      ...{ kind: "merged", folder: writeFiles(`merged ${name}`, files.set("model.safetensors", weights)), ...text },
    };
    const slots = adapterSlots(adapter.tensors);
    const shape = { examples: 2, tokens: 8 };
    const adapted = {
      model,
      adapter: settings,
      slots,
      frozen: adapterMethod(settings).frozen(settings, model.shape, 5),
    };
    const graphs = {
      inference: textGraph({ model, adapter: used(adapter, model) }, shape),
      training: trainingStepGraph(adapted, { ...shape, labels: 4 }),
      "low memory": trainingStepGraph(adapted, { ...shape, labels: 4 }, { lowMemory: true }),
    };
    for (const [kind, graph] of Object.entries(graphs)) {
      jobs[`${kind} graph: ${name}`] = { kind: "onnx", file: writeGraph(`${kind} ${name}`, graph, model) };
    }
  }
  const { model } = modelOf("roberta");
  for (const [name, bytes] of toPyreft(randomAdapter(LOREFT, model), model)) {
    if (!name.endsWith(".bin")) continue;
    writeFiles("pyreft", new Map([[name, bytes]]));
    jobs[`state: ${name}`] = { kind: "state", file: at("pyreft", name) };
  }
  writeFileSync(at("jobs.json"), JSON.stringify(jobs));
  const script = join(import.meta.dirname, "golden/originals.py");
  const { status, stderr } = spawnSync(PYTHON, [script, folder], { encoding: "utf8", timeout: 1_500_000 });
  if (status !== 0) throw new Error(`${script} failed: ${stderr}`);
  answers = JSON.parse(readFileSync(at("answers.json"), "utf8"));
}, 1_550_000);

function expectClose(actual: readonly number[], wanted: Float32Array): void {
  const scale = Math.max(...wanted.map(Math.abs));
  const worst = Math.max(...wanted.map((value, i) => Math.abs(value - actual[i]!)));
  expect(worst / scale).toBeLessThan(1e-5);
}

describe.skipIf(!hasAll)("what weft exports", () => {
  it.each(Object.keys(EXPORTS))("%s: peft loads it and gives the same logits", (name) => {
    const found = answers[`peft: ${name}`];
    expect(found).toBeInstanceOf(Array);
    expectClose(found as readonly number[], expected.get(name)!);
  });

  it.each(Object.keys(EXPORTS))("%s: merged, transformers loads it whole and gives the same logits", (name) => {
    const found = answers[`merged: ${name}`];
    expect(found).toMatchObject({ loose: {}, dtype: "torch.float32" });
    expectClose((found as { logits: readonly number[] }).logits, expected.get(name)!);
  });

  it.each(Object.keys(EXPORTS))("%s: the ONNX checker accepts its graphs", (name) => {
    for (const kind of ["inference", "training", "low memory"]) {
      expect([kind, answers[`${kind} graph: ${name}`]]).toEqual([
        kind,
        { operators: expect.arrayContaining(["Gemm"]) },
      ]);
    }
  });

  it("state dicts of pyreft's form: torch.load with weights_only opens them", () => {
    const { model } = modelOf("roberta");
    const files = toPyreft(randomAdapter(LOREFT, model), model);
    const states = [...files].filter(([name]) => name.endsWith(".bin"));
    expect(states.length).toBe(2 * model.shape.layers + 1);
    for (const [name, bytes] of states) {
      const tensors = readTorchFile(bytes, name).map(
        (tensor) => [tensor.name, ["torch.float32", tensor.shape, Array.from(tensor.data)]] as const,
      );
      const { type, tensors: found } = answers[`state: ${name}`] as { type: string; tensors: Record<string, Stated> };
      expect(type).toBe("OrderedDict");
      expect(Object.keys(found)).toEqual(tensors.map(([tensor]) => tensor));
      for (const [tensor, stated] of tensors) {
        const [dtype, shape, values] = found[tensor]!;
        expect([dtype, shape, values.map(Math.fround)]).toEqual(stated);
      }
    }
  });
});

type Stated = readonly [dtype: string, shape: readonly number[], values: readonly number[]];

describe.skipIf(!hasAll)("what torch saves", () => {
  it.each(["module", "pyreft", "parameters", "turned", "bfloat16", "counted"])("%s: is read as it is", (name) => {
    const read = readTorchFile(readFileSync(at("made", `${name}.bin`)), name);
    const found = Object.fromEntries(read.map((tensor) => [tensor.name, Array.from(tensor.data)]));
    const saved = (answers.saved as Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>)[name]!;
    expect(Object.keys(found)).toEqual(Object.keys(saved));
    for (const [tensor, values] of Object.entries(saved)) expect(found[tensor]).toEqual(values.map(Math.fround));
  });

  it.each([
    ["whole-module", "plain tensors"],
    ["old-form", "PyTorch 1.5 and before"],
  ])("%s: is refused", (name, why) => {
    expect(() => readTorchFile(readFileSync(at("made", `${name}.bin`)), name)).toThrow(
      expect.objectContaining({ code: "TORCH_FILE_INVALID", message: expect.stringContaining(why) }),
    );
  });
});

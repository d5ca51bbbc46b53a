import { describe, expect, it } from "vitest";
import type { AdapterSettings, LowRankSettings } from "../../protocol/adapter-spec.ts";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import { createPrng } from "../../protocol/prng.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { textGraph } from "../generation/inference-graph.ts";
import { goldenNames, openGolden } from "../golden/golden-models.suite.ts";
import type { BaseModel } from "../model/base-model.ts";
import { loadBaseModel } from "../model/huggingface.ts";
import { CONFIGS, filesOf, randomTensors } from "../model/random-model.suite.ts";
import { readSafetensors, toFloat32, writeSafetensors } from "../model/safetensors.ts";
import { encodeModel } from "../onnx/codec.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { int64, sizeOf } from "../tensor.ts";
import type { FileSet } from "./adapter-directory.ts";
import { jsonBytes } from "./adapter-directory.ts";
import { goldenLoss, NO_DIGEST, used } from "./golden.suite.ts";
import { isReadable } from "./module-pattern.ts";
import { toPeft } from "./peft-export.ts";
import { fromPeft } from "./peft-import.ts";
import type { SavedAdapter } from "./saved-adapter.ts";
import { adapterOfVector } from "./saved-adapter.ts";
import { writeTorchFile } from "./torch-file.ts";

const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const json = (files: FileSet, name = "adapter_config.json") => JSON.parse(new TextDecoder().decode(files.get(name)!));
const where = { directory: "adapter", digest: NO_DIGEST };

/** What peft 0.21 writes for `LoraConfig(r=4, lora_alpha=8, target_modules=…)`. */
const PEFT_DOCUMENT = {
  alora_invocation_tokens: null,
  alpha_pattern: {},
  arrow_config: null,
  auto_mapping: null,
  base_model_name_or_path: null,
  bias: "none",
  corda_config: null,
  ensure_weight_tying: false,
  eva_config: null,
  exclude_modules: null,
  fan_in_fan_out: false,
  inference_mode: true,
  init_lora_weights: true,
  layer_replication: null,
  layers_pattern: null,
  layers_to_transform: null,
  loftq_config: {},
  lora_alpha: 8,
  lora_bias: false,
  lora_dropout: 0.0,
  megatron_config: null,
  megatron_core: "megatron.core",
  modules_to_save: null,
  peft_type: "LORA",
  peft_version: "0.21.0",
  qalora_group_size: 16,
  r: 4,
  rank_pattern: {},
  revision: null,
  target_modules: ["q_proj", "v_proj"],
  target_parameters: null,
  task_type: null,
  trainable_token_indices: null,
  use_dora: false,
  use_qalora: false,
  use_rslora: false,
};

/** An adapter with random values on a model. */
function randomSaved(settings: AdapterSettings, model: BaseModel, withHead = false): SavedAdapter {
  const tensors = [
    ...adapterMethod(settings).tensors(settings, model.shape),
    ...(withHead ? (model.classifier?.head ?? []) : []),
  ];
  const prng = createPrng(3);
  const slots = adapterSlots(tensors);
  const values = new Float32Array(slots.reduce((sum, { length }) => sum + length, 0));
  for (const { name, offset, length } of slots) {
    const stream = prng.fork(name);
    for (let i = 0; i < length; i++) values[offset + i] = 0.3 * stream.normal();
  }
  return adapterOfVector(model, { settings, seed: 5, digest: NO_DIGEST, values });
}

async function logits(model: BaseModel, adapter: SavedAdapter): Promise<Float32Array> {
  const shape = { examples: 1, tokens: 6 };
  const session = await createOnnxRuntime().load(
    encodeModel(textGraph({ model, adapter: used(adapter, model) }, shape)),
    { externalData: model.externalData, threads: 1 },
  );
  const ids = int64([1, 6], [4, 8, 15, 16, 23, 2]);
  const masks = model.classifier ? { attention_mask: int64([1, 6], [1, 1, 1, 1, 1, 0]) } : {};
  const result = await session.run({ input_ids: ids, ...masks });
  await session.close();
  return result.logits!.data as Float32Array;
}

function expectClose(actual: Float32Array, expected: Float32Array, tolerance = 2e-5): void {
  expect(actual.length).toBe(expected.length);
  const scale = Math.max(...expected.map(Math.abs));
  const worst = Math.max(...actual.map((value, i) => Math.abs(value - expected[i]!)));
  expect(worst / scale).toBeLessThan(tolerance);
}

const modelOf = (config: (typeof CONFIGS)[keyof typeof CONFIGS]) =>
  loadBaseModel(filesOf(config, randomTensors(config)));
const llama = modelOf(CONFIGS.llama);
const LORA: LowRankSettings = { kind: "lora", rank: 3, alpha: 6, targets: ["q_proj", "down_proj"], layers: "all" };
const everyLayer = ({ shape }: BaseModel): readonly number[] =>
  Array.from({ length: shape.layers }, (_, layer) => layer);
const refusal = (text: string) =>
  expect.objectContaining({ code: "ADAPTER_FORMAT", message: expect.stringContaining(text) });

describe("PEFT, golden values of peft 0.21", () => {
  it.each(goldenNames())(
    "%s: a directory with peft's own names gives peft's loss, and comes out the same",
    async (title) => {
      const golden = openGolden(title);
      const { targets, r, alpha, layers } = golden.meta.lora;
      const tensors = golden.names
        .filter((name) => name.startsWith("lora."))
        .map((name) => ({
          name: `base_model.model.${name.slice(5, -2)}.lora_${name.at(-1)}.weight`,
          shape: golden.shape(name),
          data: golden.floats(name),
        }));
      const document = {
        ...PEFT_DOCUMENT,
        r,
        lora_alpha: alpha,
        target_modules: targets,
        fan_in_fan_out: golden.meta.family === "gpt2",
        layers_to_transform: layers ?? null,
      };
      const original: FileSet = new Map([
        ["adapter_config.json", bytes(document)],
        ["adapter_model.safetensors", writeSafetensors(tensors, { format: "pt" })],
      ]);
      const { adapter, notes } = fromPeft(original, golden.model, where);
      expect(notes).toEqual([]);
      expect(adapter.settings).toEqual(golden.lora);
      const loss = await goldenLoss(golden, used(adapter, golden.model));
      expect(Math.abs(loss - golden.meta.lora_loss)).toBeLessThan(1e-5 * Math.max(1, golden.meta.lora_loss));

      const exported = toPeft(adapter, golden.model, {});
      const written = readSafetensors(exported.get("adapter_model.safetensors")!, { name: "x" });
      expect(written.metadata).toEqual({ format: "pt" });
      expect([...written.tensors.keys()].toSorted()).toEqual(tensors.map(({ name }) => name).toSorted());
      for (const { name, shape, data } of tensors) {
        const tensor = written.tensors.get(name)!;
        expect([name, tensor.shape, toFloat32(tensor)]).toEqual([name, shape, data]);
      }
      const own = json(exported);
      const classifies = golden.model.classifier !== undefined;
      expect({ ...document, ...own, peft_version: "0.21.0" }).toEqual({
        ...document,
        task_type: classifies ? null : "CAUSAL_LM",
        layers_to_transform: layers ?? (classifies ? everyLayer(golden.model) : null),
      });
      expect(fromPeft(exported, golden.model, where).adapter).toEqual(adapter);
    },
  );
});

describe("PEFT export", () => {
  it.each<[string, AdapterSettings, object]>([
    [
      "lora with chosen layers and rsLoRA",
      { ...LORA, layers: [1], scale: "rslora" },
      { use_rslora: true, layers_to_transform: [1] },
    ],
    ["ffa-lora, whose A is from the seed", { ...LORA, kind: "ffa-lora" }, { use_rslora: false }],
    ["tri-lora on a shared basis, B = B C", { ...LORA, kind: "tri-lora", basis: "shared" }, { r: 3, lora_alpha: 6 }],
    [
      "tri-lora on a personal basis",
      { ...LORA, kind: "tri-lora", basis: "personal", dropout: 0.1 },
      { lora_dropout: 0.1 },
    ],
  ])("writes %s so that it computes the same", async (_, settings, fields) => {
    const adapter = randomSaved(settings, llama);
    const files = toPeft(adapter, llama, { baseModel: "models/small" });
    expect(json(files)).toMatchObject({
      peft_type: "LORA",
      task_type: "CAUSAL_LM",
      bias: "none",
      base_model_name_or_path: "models/small",
      target_modules: ["q_proj", "down_proj"],
      ...fields,
    });
    const back = fromPeft(files, llama, where);
    expect(back.notes).toEqual([]);
    expectClose(await logits(llama, back.adapter), await logits(llama, adapter));
  });

  it.each(["bert", "roberta"] as const)("writes a trained head of %s as modules to save", async (family) => {
    const model = modelOf(CONFIGS[family]);
    const adapter = randomSaved({ ...LORA, targets: ["query", "dense"] }, model, true);
    const files = toPeft(adapter, model, {});
    expect(json(files)).toMatchObject({
      task_type: "SEQ_CLS",
      modules_to_save: family === "bert" ? ["classifier", "pooler"] : ["classifier"],
      layers_to_transform: [0, 1],
    });
    const back = fromPeft(files, model, where).adapter;
    expect(back).toEqual({ ...adapter, seed: 0 });
    expectClose(await logits(model, back), await logits(model, adapter), 1e-9);
  });

  it.each<[string, AdapterSettings, string]>([
    ["loreft", { kind: "loreft", rank: 2, layers: "all", positions: "all" }, "pyreft-form-only"],
    [
      "a combination",
      { kind: "combination", lora: LORA, reft: { kind: "noreft", rank: 2, layers: "all", positions: "all" } },
      "lora-part-only",
    ],
  ])("refuses %s and says what can be done", (_, settings, problem) => {
    expect(() => toPeft(randomSaved(settings, llama), llama, {})).toThrow(
      expect.objectContaining({ code: "ADAPTER_FORMAT", facts: { problem } }),
    );
  });
});

describe("PEFT import", () => {
  const exported = toPeft(randomSaved(LORA, llama), llama, {});
  const changed = (fields: object, tensors?: FileSet): FileSet =>
    new Map([...exported, ...(tensors ?? []), ["adapter_config.json", bytes({ ...json(exported), ...fields })]]);
  const factors = (ranks: Readonly<Record<string, number>>): [string, Uint8Array] => {
    const prng = createPrng(9);
    const tensors = Object.entries(ranks).flatMap(([path, rank]) => {
      const { inputs, outputs } = llama.shape.linears.find((site) => site.path === path)!;
      return [
        { name: `base_model.model.${path}.lora_A.weight`, shape: [rank, inputs] },
        { name: `base_model.model.${path}.lora_B.weight`, shape: [outputs, rank] },
      ].map((tensor) => {
        const stream = prng.fork(tensor.name);
        return { ...tensor, data: Float32Array.from({ length: sizeOf(tensor.shape) }, () => 0.3 * stream.normal()) };
      });
    });
    return ["adapter_model.safetensors", writeSafetensors(tensors)];
  };

  it.each([
    { use_rslora: false, root: (rank: number) => rank },
    { use_rslora: true, root: Math.sqrt },
  ])("respects rank and alpha patterns, use_rslora $use_rslora", async ({ use_rslora, root }) => {
    const [q0, q1, down] = [
      "model.layers.0.self_attn.q_proj",
      "model.layers.1.self_attn.q_proj",
      "model.layers.1.mlp.down_proj",
    ];
    const file = factors({ [q0!]: 2, [q1!]: 5, [down!]: 4 });
    const config = {
      r: 2,
      lora_alpha: 6,
      use_rslora,
      rank_pattern: { "layers.1.self_attn.q_proj": 5, "^model\\.layers\\.1\\.mlp\\.down_proj": 4 },
      alpha_pattern: { "self_attn.q_proj": 3 },
      target_modules: ".*(q_proj|1.mlp.down_proj)",
    };
    const { adapter, notes } = fromPeft(changed(config, new Map([file])), llama, where);
    expect(adapter.settings).toMatchObject({ kind: "lora", rank: 5, layers: "all" });
    expect(notes.length).toBe(3);
    // The definition, one layer at a time: y + s B A x with each module's own r and alpha.
    const given = readSafetensors(file[1], { name: "x" }).tensors;
    const slots = new Map(adapterSlots(adapter.tensors).map((slot) => [slot.name, slot]));
    const { rank, alpha } = adapter.settings as LowRankSettings;
    const wanted = { [q0!]: 3 / root(2), [q1!]: 3 / root(5), [down!]: 6 / root(4) };
    for (const { path, inputs, outputs } of llama.shape.linears.filter(({ path: p }) => /q_proj|down_proj/.test(p))) {
      const part = (name: string) => {
        const { offset, length } = slots.get(`${path}.${name}`)!;
        return adapter.values.subarray(offset, offset + length);
      };
      const found = product(part("B"), part("A"), { rank, scale: alpha / root(rank), inputs, outputs });
      const scale = wanted[path];
      if (scale === undefined) {
        expect(found.every((value) => value === 0)).toBe(true);
        continue;
      }
      const [A, B] = ["A", "B"].map((name) => toFloat32(given.get(`base_model.model.${path}.lora_${name}.weight`)!));
      const own = A!.length / inputs;
      const expected = product(B!, A!, { rank: own, scale, inputs, outputs });
      for (const [i, value] of found.entries()) expect(Math.abs(value - expected[i]!)).toBeLessThan(1e-6);
    }
  });

  it("takes what a short file does not say as peft has it", () => {
    const { adapter } = fromPeft(
      new Map([
        factors({ "model.layers.0.self_attn.q_proj": 8, "model.layers.1.self_attn.q_proj": 8 }),
        ["adapter_config.json", jsonBytes({ peft_type: "LORA", target_modules: ["q_proj"] })],
      ]),
      llama,
      where,
    );
    expect(adapter.settings).toMatchObject({ rank: 8, alpha: 8, targets: ["q_proj"], layers: "all" });
  });

  it.each<[string, object, RegExp]>([
    ["a layer that is missing", { target_modules: ["q_proj"] }, /missing: 1 of 2 layers.*layers\.1\.self_attn\.q_proj/],
    ["a module that is missing", { target_modules: ["q_proj", "v_proj"] }, /missing: 3 of 4 layers/],
    ["all-linear", { target_modules: "all-linear" }, /missing: 13 of 14 layers/],
    ["an expression", { target_modules: ".*\\.(q|k)_proj" }, /missing: 3 of 4 layers/],
    [
      "excluded modules",
      { target_modules: ["q_proj", "v_proj"], exclude_modules: ["v_proj"] },
      /missing: 1 of 2 layers/,
    ],
    [
      "another base",
      { base_model_name_or_path: "org/other-7b", layers_to_transform: 0 },
      /the base model org\/other-7b/,
    ],
  ])("says what the file and its adapter_config.json disagree about: %s", (_, fields, text) => {
    const only = { r: 2, target_modules: ["q_proj"], layers_to_transform: null, ...fields };
    const files = changed(only, new Map([factors({ "model.layers.0.self_attn.q_proj": 2 })]));
    const { notes } = fromPeft(files, llama, { ...where, modelNames: ["/models/own-1b"] });
    expect(notes.join("\n")).toMatch(text);
  });

  it("says nothing where the base is the one that is named, however it is written", () => {
    const files = changed({ base_model_name_or_path: "org/Own-1B" });
    for (const name of ["/models/own-1b", "/cache/models--org--own-1b/snapshots/12ab"]) {
      expect(fromPeft(files, llama, { ...where, modelNames: [name] }).notes).toEqual([]);
    }
  });

  it("refuses factors that target_modules does not name, which peft leaves out", () => {
    const files = changed(
      { r: 2, target_modules: ["v_proj"], layers_to_transform: null },
      new Map([factors({ "model.layers.0.self_attn.q_proj": 2 })]),
    );
    expect(() => fromPeft(files, llama, where)).toThrow(refusal("target_modules does not name"));
  });

  it.each([
    ["(.*q_proj|.*v_proj)", true],
    ["model\\.layers\\.(0|1)\\..*", true],
    ["layers\\.[0-9]\\.\\w+\\.q_proj", true],
    ["(a+)+", false],
    ["(a|a)*", false],
    ["(?=a)b", false],
    ["a**", false],
    ["(a", false],
    [".*.*.*.*.*.*.*", false],
  ])("expression %s is read: %s", (expression, readable) => {
    expect(isReadable(expression)).toBe(readable);
  });

  it("reads the pickled form of older versions", () => {
    const { tensors } = readSafetensors(exported.get("adapter_model.safetensors")!, { name: "x" });
    const state = [...tensors].map(([name, tensor]) => ({ name, shape: tensor.shape, data: toFloat32(tensor) }));
    const older: FileSet = new Map([
      ["adapter_config.json", exported.get("adapter_config.json")!],
      ["adapter_model.bin", writeTorchFile(state)],
    ]);
    expect(fromPeft(older, llama, where)).toEqual(fromPeft(exported, llama, where));
  });

  it.each<[string, object, string]>([
    ["DoRA without magnitudes", { use_dora: true }, "q_proj has no magnitude vector, and use_dora = true"],
    ["DoRA with biases", { use_dora: true, lora_bias: true }, "use_dora together with lora_bias"],
    [
      "DoRA on a changed base",
      { use_dora: true, init_lora_weights: "pissa" },
      "use_dora together with init_lora_weights",
    ],
    ["trained biases", { bias: "lora_only" }, 'bias = "lora_only"'],
    ["biases that are missing", { lora_bias: true }, "has no bias behind lora_B, and lora_bias = true"],
    ["saved modules", { modules_to_save: ["lm_head"] }, "modules_to_save names lm_head"],
    ["trained embeddings", { trainable_token_indices: [1, 2] }, "trained embeddings"],
    ["expert layers", { target_parameters: ["mlp.experts"] }, "target_parameters"],
    ["repeated layers", { layer_replication: [[0, 2]] }, "layer_replication"],
    ["a start that changed the model", { init_lora_weights: "pissa_niter_4" }, "pissa"],
    ["another method", { peft_type: "IA3" }, 'peft_type is "IA3"'],
    ["a method that can be merged, with the way", { peft_type: "LOHA" }, "Merge it with peft (merge_and_unload)"],
    ["a method that cannot, with another way", { peft_type: "PREFIX_TUNING" }, "train a LoRA instead"],
    ["what begins at a token", { alora_invocation_tokens: [5] }, "begins at a token; weft reads LoRA and DoRA. Train"],
    ["a field of the future", { use_magic: true }, "use_magic = true: a field that this version does not know"],
    ["code in a pattern", { rank_pattern: { "(a+)+$": 4 } }, "regular expression"],
    ["another rank than the tensors'", { r: 4 }, "lora_A [3,32]"],
    ["an alpha that is no number", { lora_alpha: "8" }, "lora_alpha"],
  ])("refuses %s by name", (_, fields, text) => {
    expect(() => fromPeft(changed(fields), llama, where)).toThrow(refusal(text));
  });

  it("passes over an embedding that was saved beside the adapter as the model has it, and says so", () => {
    const weight = llama.weights.find(({ name }) => name === "model.embed_tokens.weight")!;
    const saved = (data: Float32Array): FileSet => {
      const { tensors } = readSafetensors(exported.get("adapter_model.safetensors")!, { name: "f" });
      const all = [...tensors].map(([name, tensor]) => ({ name, shape: tensor.shape, data: toFloat32(tensor) }));
      const beside = { name: `base_model.model.${weight.name}`, shape: weight.shape, data };
      return new Map([["adapter_model.safetensors", writeSafetensors([...all, beside])]]);
    };
    const own = llama.values(weight);
    expect(fromPeft(changed({}, saved(own)), llama, where).notes.join()).toContain(
      "as the base model has them; passed over",
    );
    const other = own.map((value, at) => (at === 3 ? value + 1 : value));
    expect(() => fromPeft(changed({}, saved(other)), llama, where)).toThrow(refusal("a trained embedding"));
  });

  it.each<[string, string, string]>([
    [
      "DoRA's magnitudes",
      "base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector",
      "has a magnitude vector, and use_dora = false",
    ],
    ["a bias behind lora_A", "base_model.model.model.layers.0.self_attn.q_proj.lora_A.bias", "a bias behind lora_A"],
    ["LoRA on the embedding", "base_model.model.model.embed_tokens.lora_embedding_A", "LoRA on an embedding"],
    ["a trained embedding", "base_model.model.model.embed_tokens.weight", "trained embedding"],
    ["a bias", "base_model.model.model.layers.0.self_attn.q_proj.bias", "trained bias"],
    ["LoRA on the output matrix", "base_model.model.lm_head.lora_A.weight", "LoRA on the output matrix"],
    [
      "the names of peft's memory",
      "base_model.model.model.layers.0.self_attn.q_proj.lora_A.default.weight",
      "has the name that it has in memory; save the adapter by peft's save_pretrained",
    ],
    ["another model's layer", "base_model.model.model.layers.9.self_attn.q_proj.lora_A.weight", "no linear layer"],
    ["half a pair", "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", "only one of lora_A and lora_B"],
  ])("refuses a file with %s", (_, name, text) => {
    const file = writeSafetensors([{ name, shape: [3, 32], data: new Float32Array(96) }]);
    expect(() => fromPeft(changed({}, new Map([["adapter_model.safetensors", file]])), llama, where)).toThrow(
      refusal(text),
    );
  });
});

/** scale B A, [outputs, inputs], in float64. */
function product(
  B: Float32Array,
  A: Float32Array,
  { rank, scale, inputs, outputs }: { rank: number; scale: number; inputs: number; outputs: number },
): Float64Array {
  return Float64Array.from({ length: outputs * inputs }, (_, at) => {
    const [o, i] = [Math.floor(at / inputs), at % inputs];
    let sum = 0;
    for (let j = 0; j < rank; j++) sum += B[o * rank + j]! * A[j * inputs + i]!;
    return scale * sum;
  });
}

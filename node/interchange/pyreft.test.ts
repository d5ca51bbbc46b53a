import { describe, expect, it } from "vitest";
import type { AdapterSettings, LoreftSettings } from "../../protocol/adapter-spec.ts";
import { adapterMethod } from "../adapter/methods.ts";
import type { Problem } from "../errors.ts";
import { goldenNames, openGolden } from "../golden/golden-models.suite.ts";
import type { BaseModel } from "../model/base-model.ts";
import { loadBaseModel } from "../model/huggingface.ts";
import { CONFIGS, filesOf, randomTensors } from "../model/random-model.suite.ts";
import type { FileSet } from "./adapter-directory.ts";
import { goldenLoss, NO_DIGEST, used } from "./golden.suite.ts";
import { toPyreft } from "./pyreft-export.ts";
import { fromPyreft } from "./pyreft-import.ts";
import { adapterOfVector } from "./saved-adapter.ts";
import { readTorchFile, writeTorchFile } from "./torch-file.ts";

const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const json = (files: FileSet) => JSON.parse(new TextDecoder().decode(files.get("config.json")!));
const where = { directory: "reft", digest: NO_DIGEST };
const llama = loadBaseModel(filesOf(CONFIGS.llama, randomTensors(CONFIGS.llama)));
const refusal = (text: string) =>
  expect.objectContaining({ code: "ADAPTER_FORMAT", message: expect.stringContaining(text) });
const refusalOf = (problem: Problem) =>
  expect.objectContaining({ code: "ADAPTER_FORMAT", facts: expect.objectContaining({ problem }) });
const LOREFT: LoreftSettings = {
  kind: "loreft",
  rank: 3,
  layers: [0, 1],
  positions: { first: 4, last: 5, tied: false },
};

/** As it starts, with W and b moved from the start; R stays orthonormal. */
function moved(settings: AdapterSettings, model: BaseModel, head: readonly number[] = []) {
  const start = adapterMethod(settings).start(settings, model.shape, 11);
  const slots = adapterMethod(settings).tensors(settings, model.shape);
  let offset = 0;
  for (const { name, shape } of slots) {
    const length = shape.reduce((product, n) => product * n, 1);
    if (!name.endsWith(".R")) for (let i = 0; i < length; i++) start[offset + i]! += 0.01 * ((i % 7) + offset);
    offset += length;
  }
  return adapterOfVector(model, {
    settings,
    seed: 11,
    digest: NO_DIGEST,
    values: Float32Array.from([...start, ...head]),
  });
}

describe("pyreft, golden values of PyTorch", () => {
  it.each(goldenNames())("%s: state dicts under pyreft's names give the golden LoReFT loss", async (title) => {
    const golden = openGolden(title);
    const { r, first, last, layers } = golden.meta.loreft;
    const d = golden.model.shape.hidden;
    const files = new Map<string, Uint8Array>();
    const fields = [null, null, null, null, null, null, null, null, null];
    for (const layer of layers) {
      const R = golden.floats(`loreft.${layer}.R`);
      const state = [
        { name: "weight", shape: [r, d], data: golden.floats(`loreft.${layer}.W`) },
        { name: "bias", shape: [r], data: golden.floats(`loreft.${layer}.b`) },
        { name: "rotate_layer", shape: [d, r], data: R.map((_, i) => R[(i % r) * d + Math.floor(i / r)]!) },
      ];
      files.set(`intkey_layer_${layer}_comp_block_output_unit_pos_nunit_1#0.bin`, writeTorchFile(state));
    }
    const document = {
      representations: layers.map((layer) => [layer, "block_output", "pos", 1, r, ...fields]),
      intervention_types: layers.map(() => "<class 'pyreft.interventions.LoreftIntervention'>"),
      mode: "parallel",
      transformers_version: "4.45.1",
    };
    files.set("config.json", bytes(document));
    const adapter = fromPyreft(files, golden.model, { ...where, positions: { first, last } });
    const every = layers.length === golden.model.shape.layers;
    expect(adapter.settings).toEqual({ ...golden.loreft, layers: every ? "all" : layers });
    const loss = await goldenLoss(golden, used(adapter, golden.model));
    expect(Math.abs(loss - golden.meta.loreft_loss)).toBeLessThan(1e-5 * Math.max(1, golden.meta.loreft_loss));
    const written = toPyreft(adapter, golden.model);
    for (const [name, file] of files) {
      if (name.endsWith(".bin")) expect(readTorchFile(written.get(name)!, name)).toEqual(readTorchFile(file, name));
    }
    expect(fromPyreft(written, golden.model, { ...where, positions: { first, last } })).toEqual(adapter);
  });
});

describe("pyreft directories", () => {
  it("keep prefixes and suffixes apart, prefixes first, as pyreft's data sets have them", () => {
    const adapter = moved(LOREFT, llama);
    const files = toPyreft(adapter, llama);
    const keys = [0, 1].flatMap((end) =>
      [0, 1].map((layer) => `layer_${layer}_comp_block_output_unit_pos_nunit_1#${end}`),
    );
    expect([...files.keys()]).toEqual([...keys.map((key) => `intkey_${key}.bin`), "config.json"]);
    expect(json(files)).toEqual({
      representations: [0, 1, 0, 1].map((layer) => [layer, "block_output", "pos", 1, 3]),
      intervention_types: new Array(4).fill("<class 'pyreft.interventions.LoreftIntervention'>"),
      mode: "parallel",
      sorted_keys: keys,
      intervention_dimensions: [32, 32, 32, 32],
      intervention_constant_sources: [true, true, true, true],
    });
    const suffix = new Map(readTorchFile(files.get(`intkey_${keys[3]}.bin`)!, "x").map((t) => [t.name, t]));
    const slot = adapter.tensors.findIndex(({ name }) => name === "layers.1.suffix.b");
    expect(suffix.get("bias")!.data).toEqual(adapter.values.subarray(adapter.values.length - 3));
    expect(slot).toBe(adapter.tensors.length - 1);
    const back = fromPyreft(files, llama, { ...where, positions: { first: 4, last: 5 } });
    expect(back).toEqual({ ...adapter, seed: 0, settings: { ...LOREFT, layers: "all" } });
  });

  it.each<[string, LoreftSettings, "all" | { first: number; last: number }]>([
    ["suffixes only", { ...LOREFT, layers: [1], positions: { first: 0, last: 5, tied: true } }, { first: 0, last: 5 }],
    ["all positions", { ...LOREFT, layers: "all", positions: "all" }, "all"],
  ])("come back as they were: %s", (_, settings, positions) => {
    const adapter = moved(settings, llama);
    expect(fromPyreft(toPyreft(adapter, llama), llama, { ...where, positions })).toEqual({ ...adapter, seed: 0 });
  });

  it("hold a rotation that is frozen, which is trained from then on", () => {
    const adapter = moved({ ...LOREFT, rotation: "frozen" }, llama);
    const back = fromPyreft(toPyreft(adapter, llama), llama, { ...where, positions: { first: 4, last: 5 } });
    const rotation = [...adapterMethod(adapter.settings).frozen(adapter.settings, llama.shape, 11)][0]!;
    const at = back.tensors.findIndex(({ name }) => name === rotation[0]);
    expect(at).toBe(0);
    expect(back.values.subarray(0, 96)).toEqual(rotation[1].data);
  });

  it("hold a classifier's trained head as pyvene does", () => {
    const model = loadBaseModel(filesOf(CONFIGS.roberta, randomTensors(CONFIGS.roberta)));
    const size = model.classifier!.head.flatMap(({ shape }) => shape.reduce((product, n) => product * n, 1));
    const head = Array.from({ length: size.reduce((sum, n) => sum + n, 0) }, (_, i) => i / 100);
    const adapter = moved({ ...LOREFT, layers: "all" }, model, head);
    const files = toPyreft(adapter, model);
    expect(files.has("pytorch_model.bin")).toBe(true);
    expect(fromPyreft(files, model, { ...where, positions: { first: 4, last: 5 } })).toEqual({ ...adapter, seed: 0 });
  });

  const exported = toPyreft(moved({ ...LOREFT, layers: "all" }, llama), llama);
  const positions = { first: 4, last: 5 };
  const rename = (name: string, to: string): FileSet =>
    new Map([...exported].map(([key, file]) => [key === name ? to : key, file]));

  it("are read under the dotted keys of older versions, and as dicts", () => {
    const dotted: FileSet = new Map(
      [...exported].map(([name, file]) => [
        name.replace(
          /^intkey_layer_(\d)_comp_block_output_unit_pos_nunit_1/,
          "intkey_layer.$1.comp.block_output.unit.pos.nunit.1",
        ),
        file,
      ]),
    );
    const expected = fromPyreft(exported, llama, { ...where, positions });
    expect(fromPyreft(dotted, llama, { ...where, positions })).toEqual(expected);
    const dicts = json(exported).representations.map(([layer, component, unit, , low_rank_dimension]: unknown[]) => ({
      layer,
      component,
      unit,
      low_rank_dimension,
    }));
    const files: FileSet = new Map([
      ...exported,
      ["config.json", bytes({ ...json(exported), representations: dicts })],
    ]);
    expect(fromPyreft(files, llama, { ...where, positions })).toEqual(expected);
  });

  const changed = (fields: object): FileSet =>
    new Map([...exported, ["config.json", bytes({ ...json(exported), ...fields })]]);
  const representations = (layer: number, ...fields: unknown[]) => ({
    representations: [layer, 1, layer, 1].map((number) => [number, ...fields]),
  });
  it.each<[string, FileSet, string]>([
    [
      "another intervention",
      changed({ intervention_types: new Array(4).fill("<class 'pyreft.interventions.NoreftIntervention'>") }),
      "NoreftIntervention",
    ],
    ["another place in a block", changed(representations(0, "mlp_output", "pos", 1, 3)), "mlp_output"],
    ["another unit", changed(representations(0, "block_output", "h", 1, 3)), "unit"],
    ["subspaces", changed(representations(0, "block_output", "pos", 1, 3, null, null, [[0, 1]])), "subspace_partition"],
    [
      "a layer that the model lacks",
      changed(representations(7, "block_output", "pos", 1, 3)),
      "an intervention at layer 7",
    ],
    [
      "another rank than its tensors",
      changed(representations(0, "block_output", "pos", 1, 2)),
      "where [32,2] is needed",
    ],
    ["no representations", changed({ representations: [] }), "representations"],
  ])("are refused with %s", (_, files, text) => {
    expect(() => fromPyreft(files, llama, { ...where, positions })).toThrow(refusal(text));
  });

  it("are refused where positions, tensors or files do not fit", () => {
    const name = "intkey_layer_0_comp_block_output_unit_pos_nunit_1#0.bin";
    expect(() => fromPyreft(exported, llama, { ...where, positions: "all" })).toThrow(refusalOf("positions-of-two"));
    expect(() => fromPyreft(rename(name, "other.bin"), llama, { ...where, positions })).toThrow(
      expect.objectContaining({ code: "ADAPTER_FILE", message: expect.stringContaining(name) }),
    );
    const state = readTorchFile(exported.get(name)!, name);
    const skewed = state.map((t) => (t.name === "rotate_layer" ? { ...t, data: t.data.map((x) => 2 * x) } : t));
    const files = new Map([...exported, [name, writeTorchFile(skewed)]]);
    expect(() => fromPyreft(files, llama, { ...where, positions })).toThrow(refusal("not orthonormal"));
  });

  it.each<[string, AdapterSettings, unknown]>([
    ["lora", { kind: "lora", rank: 2, alpha: 2, targets: ["q_proj"], layers: "all" }, refusalOf("peft-form-only")],
    ["direft", { ...LOREFT, kind: "direft" }, refusal("loreft instead")],
    ["noreft", { kind: "noreft", rank: 2, layers: "all", positions: "all" }, refusal("add_bias")],
    [
      "a combination",
      {
        kind: "combination",
        lora: { kind: "lora", rank: 2, alpha: 2, targets: ["q_proj"], layers: "all" },
        reft: LOREFT,
      },
      refusalOf("reft-part-only"),
    ],
  ])("are not made of %s, and the way out is said", (_, settings, refused) => {
    expect(() => toPyreft(moved(settings, llama), llama)).toThrow(refused);
  });
});

import { describe, expect, it } from "vitest";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { loadBaseModel } from "../model/huggingface.ts";
import { CONFIGS, filesOf, randomTensors } from "../model/random-model.suite.ts";
import { writeSafetensors } from "../model/safetensors.ts";
import {
  ADAPTER_JSON,
  ADAPTER_TENSORS,
  type FileSet,
  readAdapterDirectory,
  writeAdapterDirectory,
} from "./adapter-directory.ts";
import { NO_DIGEST } from "./golden.suite.ts";
import { adapterOfVector, checkAdapter, sideOf } from "./saved-adapter.ts";

const model = loadBaseModel(filesOf(CONFIGS.llama, randomTensors(CONFIGS.llama)));
const LORA = { kind: "lora", rank: 2, alpha: 4, targets: ["q_proj"], layers: "all" } as const;
const REFT = { kind: "loreft", rank: 2, layers: [1], positions: { first: 2, last: 3, tied: false } } as const;
const SETTINGS: readonly AdapterSettings[] = [
  LORA,
  { ...LORA, kind: "ffa-lora", scale: "rslora", dropout: 0.1 },
  { ...LORA, kind: "tri-lora", basis: "personal" },
  { ...REFT, rotation: "frozen" },
  { kind: "nodireft", rank: 2, layers: "all", positions: "all" },
  { kind: "combination", lora: LORA, reft: REFT },
];
const saved = (settings: AdapterSettings) => {
  const values = adapterMethod(settings).start(settings, model.shape, 9);
  return adapterOfVector(model, { settings, seed: 9, digest: NO_DIGEST, values: values.map((x, i) => x + i / 8) });
};
const fails = (code: string, text: string) => expect.objectContaining({ code, message: expect.stringContaining(text) });

describe("adapter directories", () => {
  it.each(SETTINGS)("keep everything of %o", (settings) => {
    const adapter = saved(settings);
    const files = writeAdapterDirectory(adapter);
    expect([...files.keys()]).toEqual([ADAPTER_TENSORS, ADAPTER_JSON]);
    expect(readAdapterDirectory(files, "a")).toEqual(adapter);
  });

  const files = writeAdapterDirectory(saved(LORA));
  const json = JSON.parse(new TextDecoder().decode(files.get(ADAPTER_JSON)!));
  const changed = (fields: object): FileSet =>
    new Map([...files, [ADAPTER_JSON, new TextEncoder().encode(JSON.stringify({ ...json, ...fields }))]]);
  /** The text of the description, changed where JSON.stringify could not. */
  const written = (change: (text: string) => string): FileSet => {
    const text = change(JSON.stringify(json));
    expect(text).not.toBe(JSON.stringify(json));
    return new Map([...files, [ADAPTER_JSON, new TextEncoder().encode(text)]]);
  };
  const other = writeSafetensors([{ name: "x", shape: [1], data: Float32Array.of(1) }]);
  it.each<[string, FileSet, string]>([
    ["no description", new Map([[ADAPTER_TENSORS, files.get(ADAPTER_TENSORS)!]]), "no adapter.json"],
    ["no tensors", new Map([[ADAPTER_JSON, files.get(ADAPTER_JSON)!]]), "no adapter.safetensors"],
    ["an unknown field", changed({ extra: 1 }), "extra"],
    ["another version", changed({ schema: "weft-adapter/2" }), "schema"],
    ["settings that are none", changed({ adapter: { ...LORA, rank: 0 } }), "adapter.rank"],
    ["other values", new Map([...files, [ADAPTER_TENSORS, other]]), "checksum"],
    ["a tensor that is not there", changed({ tensors: [{ name: "y", shape: [1] }] }), "no tensor y [1]"],
    ["fewer tensors than stored", changed({ tensors: json.tensors.slice(1) }), "does not name"],
    ["no JSON", new Map([...files, [ADAPTER_JSON, new Uint8Array(3)]]), "not JSON"],
    ["a field that stands twice", written((text) => text.replace('"rank":2', '"rank":4,"rank":2')), '"rank" twice'],
    ["a field of every object", written((text) => text.replace('"rank":2', '"__proto__":{},"rank":2')), "__proto__"],
    ["a number beyond all", written((text) => text.replace('"alpha":4', '"alpha":1e400')), "adapter.alpha"],
  ])("are refused with %s", (_, bad, text) => {
    expect(() => readAdapterDirectory(bad, "a")).toThrow(fails("ADAPTER_FILE", text));
  });

  it("are refused with values that are not finite", () => {
    const adapter = saved(LORA);
    adapter.values[3] = Number.NaN;
    expect(() => readAdapterDirectory(writeAdapterDirectory(adapter), "a")).toThrow(
      fails("ADAPTER_FILE", "not finite"),
    );
  });

  it("belong to one model and its layers", () => {
    const adapter = saved(LORA);
    checkAdapter(adapter, model, NO_DIGEST, "a");
    const elsewhere = { ...NO_DIGEST, weights: "1".repeat(64) };
    expect(() => checkAdapter(adapter, model, elsewhere, "a")).toThrow(fails("MODEL_MISMATCH", "its weights"));
    const renamed = { ...adapter, tensors: adapter.tensors.toReversed() };
    expect(() => checkAdapter(renamed, model, NO_DIGEST, "a")).toThrow(
      fails("ADAPTER_SHAPE", "layers.0.self_attn.q_proj.A"),
    );
    const short = { settings: LORA, seed: 0, digest: NO_DIGEST, values: new Float32Array(5) };
    expect(() => adapterOfVector(model, short)).toThrow(fails("ADAPTER_SHAPE", "5 values"));
  });

  it("of a combination have two sides", () => {
    const whole = saved({ kind: "combination", lora: LORA, reft: REFT });
    const [lora, reft] = [sideOf(whole, model, "lora"), sideOf(whole, model, "reft")];
    expect([lora.settings, reft.settings]).toEqual([LORA, REFT]);
    expect([...lora.values, ...reft.values]).toEqual([...whole.values]);
    expect(sideOf(lora, model, "lora")).toBe(lora);
    expect(() => sideOf(lora, model, "reft")).toThrow(fails("ADAPTER_FORMAT", "no reft part"));
  });
});

import { join } from "node:path";
import { expect, it } from "vitest";
import { readModelFiles } from "../../system/files/model-files.ts";
import { inBaseForm } from "../base/base-form.ts";
import { outOfBlocks } from "../base/blocks.ts";
import { loadBaseModel, type ModelFiles } from "../huggingface.ts";
import { readSafetensors, safetensorsHeader } from "../safetensors.ts";
import { memoryFile } from "../weight-file.ts";

// That the values are those of the packing, golden.test.ts shows: by logits and gradients of PyTorch.
const filesOf = (name: string): ModelFiles => {
  const { cache: _, ...files } = readModelFiles(join(import.meta.dirname, "../../golden", name));
  return files;
};

/** The scales and integers of a narrow file are those of the checkpoint, not rounded again. */
it.each([
  ["llama-gptq", "q4", true],
  ["llama-gptq", "q8", true],
  ["llama-gptq-128", "q4", true],
  ["llama-awq-symmetric", "q4", true],
  ["qwen3-awq", "q8", true],
  ["qwen3-awq", "q4", false],
  ["qwen2-gptq-in-order", "q8", false],
] as const)("of %s, %s is exactly what the files hold: %s", (name, form, isExact) => {
  const files = filesOf(name);
  const model = loadBaseModel(files);
  const { path, outputs, inputs } = model.shape.linears[0]!;
  const weight = { name: `${path}.weight`, shape: [outputs, inputs] };
  const { tensors } = readSafetensors(inBaseForm(model, files, form).externalData[0]!.data, { name: "narrow" });
  const [scales, integers] = [tensors.get(`${weight.name}.scales`)!, tensors.get(weight.name)!].map(
    ({ bytes }) => bytes,
  );
  const blocks = { scales: new Float32Array(scales!.slice().buffer), integers: integers! };
  const stored = model.values(weight);
  const found = outOfBlocks(blocks, inputs, form === "q4" ? 4 : 8);
  expect(found.every((value, i) => value === stored[i])).toBe(isExact);
});

type Changed = Readonly<Record<string, Float32Array | Int32Array | undefined>>;

/** llama-gptq with other settings or tensors. */
function changed(settings: object, tensors: Changed = {}): ModelFiles {
  const files = filesOf("llama-gptq");
  const config = files.config as { readonly quantization_config: object };
  const shard = files.shards[0]!;
  const all = [...readSafetensors(shard.data, { name: "m" }).tensors].flatMap(([name, entry]) => {
    if (!(name in tensors)) return [{ ...entry, name }];
    const data = tensors[name];
    return data ? [{ ...entry, name, bytes: new Uint8Array(data.buffer) }] : [];
  });
  const { shards: _, ...rest } = files;
  const quantization_config = { ...config.quantization_config, ...settings };
  return { ...rest, config: { ...config, quantization_config }, shards: [memoryFile("m", fileOf(all))] };
}

function fileOf(
  tensors: readonly (Parameters<typeof safetensorsHeader>[0][number] & { bytes: Uint8Array })[],
): Uint8Array {
  const parts = [safetensorsHeader(tensors), ...tensors.map(({ bytes }) => bytes)];
  return new Uint8Array(Buffer.concat(parts));
}

const PATH = "model.layers.0.self_attn.q_proj";

it.each<readonly [string, ModelFiles, RegExp]>([
  ["3 bits", changed({ bits: 3 }), /quantization_config\.bits = 3 is not supported \(weft reads 2, 4 or 8 bits/],
  ["another layout", changed({ checkpoint_format: "marlin" }), /checkpoint_format = "marlin" is not supported/],
  ["layers of several packings", changed({ dynamic: { "-:lm_head": {} } }), /dynamic = .* is not supported/],
  ["an unknown field", changed({ rotation: "hadamard" }), /rotation = "hadamard" is not supported/],
  ["AWQ in another layout", changed({ quant_method: "awq", version: "gemv" }), /version = "gemv" is not supported/],
  ["another method", changed({ quant_method: "hqq" }), /quantization_config = .* is not supported \(quantised weights/],
  ["no zero points", changed({}, { [`${PATH}.qzeros`]: undefined }), /q_proj\.qzeros is missing/],
  [
    "another group size",
    changed({ group_size: 64 }),
    /q_proj\.scales is F16 \[2,64\], and config.json asks for .* \[1,64\]/,
  ],
  [
    "a group that is not there",
    changed({}, { [`${PATH}.g_idx`]: new Int32Array(64).fill(2) }),
    /names a group that is not there/,
  ],
  [
    "zero points of 16",
    changed({}, { [`${PATH}.qzeros`]: new Int32Array(16).fill(-1) }),
    /that programs read in two ways/,
  ],
  [
    "a scale that is infinite",
    changed({}, { [`${PATH}.scales`]: new Int32Array(64).fill(0x7c007c00) as Int32Array }),
    /not a finite number/,
  ],
])("refuses %s by name", (_, files, text) => {
  expect(() => loadBaseModel(files)).toThrow(
    expect.objectContaining({ code: "MODEL_CONFIG", message: expect.stringMatching(text) }),
  );
});

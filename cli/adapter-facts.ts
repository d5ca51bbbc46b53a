/** What an adapter's folder holds, read without the model that it belongs to. */
import { type AdapterFormat, type FolderFiles, modelDoor } from "../node/index.ts";
import { formatAdapter } from "./adapter-argument.ts";

const {
  formatOf,
  PEFT_CONFIG,
  parseJson,
  readAdapterDirectory,
  readPeftConfig,
  readSafetensors,
  readTorchFile,
  slotsOf,
} = await modelDoor();

/** One tensor of an adapter. */
export interface TensorFacts {
  readonly name: string;
  readonly shape: readonly number[];
  /** Square root of the sum of squares. */
  readonly norm?: number;
}

/** What the files of an adapter say. */
export interface AdapterFacts {
  readonly format: AdapterFormat;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly tensors: readonly TensorFacts[];
}

/** The form and the contents of an adapter's folder.  Throws: ADAPTER_FILE when it holds none, or it is damaged. */
export function adapterFacts(files: FolderFiles, folder: string): AdapterFacts {
  const format = formatOf(files, folder);
  switch (format) {
    case "weft": {
      const adapter = readAdapterDirectory(files, folder);
      const { settings, seed, model } = adapter;
      const tensors = slotsOf(adapter).map(({ name, shape, offset, length }) => ({
        name,
        shape,
        norm: norm(adapter.values.subarray(offset, offset + length)),
      }));
      const facts = { adapter: formatAdapter(settings), seed, family: model.family, weights: model.digest.weights };
      return { format, facts, tensors };
    }
    case "peft": {
      const config = readPeftConfig(parseJson(files.get(PEFT_CONFIG)!, `${folder}/${PEFT_CONFIG}`), folder);
      const { r, lora_alpha, use_rslora, targets } = config;
      const bytes = files.get("adapter_model.safetensors");
      const tensors = bytes
        ? [...readSafetensors(bytes, { name: folder }).tensors].map(([name, { shape }]) => ({ name, shape }))
        : torchTensors(files, folder);
      return { format, facts: { r, lora_alpha, use_rslora, target_modules: targets ?? "a pattern" }, tensors };
    }
    case "pyreft":
      return { format, facts: {}, tensors: torchTensors(files, folder) };
  }
}

function torchTensors(files: FolderFiles, folder: string): readonly TensorFacts[] {
  return [...files]
    .filter(([name]) => name.endsWith(".bin"))
    .flatMap(([file, bytes]) =>
      readTorchFile(bytes, `${folder}/${file}`).map(({ name, shape, data }) => ({
        name: `${file.replace(/\.bin$/, "")}: ${name}`,
        shape,
        norm: norm(data),
      })),
    );
}

const norm = (values: Float32Array): number => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));

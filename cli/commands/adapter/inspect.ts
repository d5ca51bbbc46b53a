/** `weft adapter inspect`: what an adapter's folder holds, without the model it belongs to. */
import { resolve } from "node:path";
import { parseJson, readAdapterDirectory } from "../../../node/interchange/adapter-directory.ts";
import { readPeftConfig } from "../../../node/interchange/peft-config.ts";
import { PEFT_CONFIG } from "../../../node/interchange/peft-export.ts";
import { slotsOf } from "../../../node/interchange/saved-adapter.ts";
import { readTorchFile } from "../../../node/interchange/torch-file.ts";
import { type AdapterFormat, formatOf } from "../../../node/local/stored-adapter.ts";
import { readSafetensors } from "../../../node/model/safetensors.ts";
import { type FolderFiles, readAdapterFolder } from "../../../node/system/files/adapter-files.ts";
import { textTable } from "../../../testnet/text-table.ts";
import { formatAdapter } from "../../adapter-argument.ts";
import { jsonText } from "../../json.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";

interface TensorFacts {
  readonly name: string;
  readonly shape: readonly number[];
  /** Square root of the sum of squares. */
  readonly norm?: number;
}

interface Facts {
  readonly format: AdapterFormat;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly tensors: readonly TensorFacts[];
}

export async function run(
  options: { readonly json?: boolean },
  terminal: Terminal,
  argument: string | undefined,
): Promise<number> {
  const folder = resolve(argument ?? ".");
  const files = await readAdapterFolder(folder);
  const found = inspect(files, folder);
  const parameters = found.tensors.reduce((sum, { shape }) => sum + shape.reduce((n, d) => n * d, 1), 0);
  if (options.json) {
    terminal.out(jsonText({ folder, parameters, ...found }));
    return EXIT_OK;
  }
  const facts = { format: found.format, ...found.facts, parameters };
  const width = Math.max(...Object.keys(facts).map((key) => key.length));
  const lines = Object.entries(facts).map(([key, value]) => `${key.padEnd(width)}  ${shown(value)}`);
  const columns = [
    { heading: "tensor", numeric: false },
    { heading: "shape", numeric: false },
    { heading: "norm", numeric: true },
  ];
  const rows = found.tensors.map(({ name, shape, norm }) => [name, shape.join(" x "), norm?.toPrecision(4) ?? ""]);
  terminal.out(`${[...lines, "", ...textTable(columns, rows)].join("\n")}\n`);
  return EXIT_OK;
}

function inspect(files: FolderFiles, folder: string): Facts {
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

const shown = (value: unknown): string => (Array.isArray(value) ? value.join(", ") : String(value));

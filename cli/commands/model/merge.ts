/** `weft model merge`: a model with a LoRA adapter in its weights, as a Hugging Face directory or with an ONNX file. */
import { join, resolve } from "node:path";
import { NodeError } from "../../../node/errors.ts";
import { textGraph } from "../../../node/generation/inference-graph.ts";
import { jsonBytes } from "../../../node/interchange/adapter-directory.ts";
import { mergedModel } from "../../../node/interchange/merged-model.ts";
import { sideOf } from "../../../node/interchange/saved-adapter.ts";
import { loadAdapter, openModel } from "../../../node/local/stored-adapter.ts";
import { encodeModel } from "../../../node/onnx/codec.ts";
import {
  copyCompanions,
  prepareOutputFolder,
  writeFolder,
  writePieces,
} from "../../../node/system/files/adapter-files.ts";
import { formatBytes } from "../../../testnet/text-table.ts";
import { jsonText } from "../../json.ts";
import { modelDirectory } from "../../model-directory.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";

export type ModelMergeOptions = {
  readonly adapter?: string;
  readonly model?: string;
  readonly part?: "lora";
  readonly format?: "huggingface" | "onnx";
  readonly batch?: number;
  readonly tokens?: number;
  readonly out?: string;
  readonly json?: boolean;
};

export async function run(options: ModelMergeOptions, terminal: Terminal): Promise<number> {
  if (options.adapter === undefined)
    throw new NodeError("CONFIG_INVALID", "give --adapter FOLDER, what is to be merged");
  const folder = resolve(options.out ?? "merged");
  const directory = modelDirectory(options.model);
  const opened = openModel(directory);
  const { adapter, notes } = await loadAdapter(resolve(options.adapter), opened);
  for (const note of notes) terminal.err(`${note}\n`);
  const chosen = options.part === undefined ? adapter : sideOf(adapter, opened.model, options.part);
  for (const note of opened.model.notes) terminal.err(`${note}\n`);
  const merged = mergedModel(chosen, opened.model, opened.files.config);
  await prepareOutputFolder(folder);
  await writePieces(join(folder, "model.safetensors"), merged.pieces());
  const companions = await copyCompanions(directory, folder);
  await writeFolder(folder, new Map([["config.json", jsonBytes(merged.config)]]));
  const files = ["model.safetensors", ...companions, "config.json"];
  if (options.format === "onnx") {
    await writeOnnx(folder, options);
    files.push("model.onnx");
  }
  terminal.err(`merged ${merged.changed} linear layers; ${formatBytes(merged.fileBytes)} written to ${folder}\n`);
  const summary = { out: folder, files, changed: merged.changed, bytes: merged.fileBytes };
  terminal.out(options.json ? jsonText(summary) : `${files.join("\n")}\n`);
  return EXIT_OK;
}

/** model.onnx beside the merged weights, which it refers to in model.safetensors, so that they are there once. */
async function writeOnnx(folder: string, { batch = 1, tokens }: ModelMergeOptions): Promise<void> {
  const { model } = openModel(folder);
  const length = tokens ?? Math.min(128, model.shape.contextTokens);
  if (length > model.shape.contextTokens) {
    const text = `--tokens ${length} is more than the model's context of ${model.shape.contextTokens}`;
    throw new NodeError("CONFIG_INVALID", text);
  }
  const graph = textGraph({ model }, { examples: batch, tokens: length });
  await writeFolder(folder, new Map([["model.onnx", encodeModel(graph)]]));
}

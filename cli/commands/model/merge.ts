/** `weft model merge`: a model with a LoRA adapter in its weights, as a Hugging Face directory or with an ONNX file. */

import { join, resolve } from "node:path";
import { counted, modelDoor, NodeError, workDoor } from "../../../node/index.ts";
import { formatBytes } from "../../../testnet/words/text-table.ts";
import type { CommandRow } from "../../command-row.ts";
import { jsonText } from "../../json.ts";
import { modelDirectory } from "../../model-directory.ts";
import { choice, integer } from "../../option-value.ts";
import { ADAPTER, JSON_OUTPUT, MODEL, NEW_FOLDER } from "../../shared-options.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";

/** The row of `weft model merge`, and what it runs. */
export const mergeModelCommand: CommandRow = {
  name: ["model", "merge"],
  text: "Merge a LoRA adapter into the weights: a Hugging Face directory in float32, and an ONNX file on request.",
  options: [
    ADAPTER,
    MODEL,
    { flags: "--part <side>", text: "one side of a combination: lora", parse: choice(["lora"]) },
    {
      flags: "--format <name>",
      text: "huggingface, or onnx, which adds model.onnx",
      parse: choice(["huggingface", "onnx"]),
      otherwise: "huggingface",
    },
    {
      flags: "--batch <count>",
      text: "number of texts that model.onnx reads at once",
      parse: integer(1, 4096),
      otherwise: "1",
    },
    {
      flags: "--tokens <count>",
      text: "length of the texts that model.onnx reads",
      parse: integer(1, 1_048_576),
      otherwise: "128, or the model's context",
    },
    { flags: "--out <folder>", text: `folder for the model: ${NEW_FOLDER}`, otherwise: "merged" },
    JSON_OUTPUT,
  ],
  takesLong: true,
  example: "weft model merge --adapter alice-lora --out alice-model",
  json: {
    out: "the folder",
    files: "names of the files in it",
    changed: "number of layers that are changed",
    bytes: "size of the weights",
  },
  run,
};

type ModelMergeOptions = {
  readonly adapter?: string;
  readonly model?: string;
  readonly part?: "lora";
  readonly format?: "huggingface" | "onnx";
  readonly batch?: number;
  readonly tokens?: number;
  readonly out?: string;
  readonly json?: boolean;
};

async function run(options: ModelMergeOptions, terminal: Terminal): Promise<number> {
  const {
    jsonBytes,
    mergedModel,
    sideOf,
    keptTrainedData,
    templateFiles,
    loadAdapter,
    openModel,
    copyCompanions,
    prepareOutputFolder,
    writeFolder,
    writePieces,
  } = await modelDoor();
  if (options.adapter === undefined)
    throw new NodeError("CONFIG_INVALID", "give --adapter FOLDER, the adapter to merge");
  const folder = resolve(options.out ?? "merged");
  const directory = modelDirectory(options.model);
  const opened = openModel(directory);
  const { adapter, notes } = await loadAdapter(resolve(options.adapter), opened);
  for (const note of notes) terminal.err(`${note}\n`);
  const chosen = options.part === undefined ? adapter : sideOf(adapter, opened.model, options.part);
  for (const note of opened.model.notes) terminal.err(`${note}\n`);
  const merged = mergedModel(chosen, opened.model, opened.files.config);
  await prepareOutputFolder(folder);
  const companions = await copyCompanions(directory, folder);
  await writePieces(join(folder, "model.safetensors"), await countedPieces(merged.pieces(), merged.fileBytes));
  const template = templateFiles(await keptTrainedData(resolve(options.adapter)));
  await writeFolder(folder, new Map([...template, ["config.json", jsonBytes(merged.config)]]));
  const own = [...template.keys(), "config.json"];
  const files = ["model.safetensors", ...companions.filter((name) => !own.includes(name)), ...own];
  if (options.format === "onnx") {
    await writeOnnx(folder, options);
    files.push("model.onnx");
  }
  terminal.err(
    `merged ${counted(merged.changed, "linear layer")}; ${formatBytes(merged.fileBytes)} written to ${folder}\n`,
  );
  const summary = { out: folder, files, changed: merged.changed, bytes: merged.fileBytes };
  terminal.out(options.json ? jsonText(summary) : `${files.join("\n")}\n`);
  return EXIT_OK;
}

/** The same pieces, which tell how far they are when they are taken. */
async function countedPieces(pieces: Iterable<Uint8Array>, total: number): Promise<Iterable<Uint8Array>> {
  const { WorkCount } = await workDoor();
  const count = new WorkCount({ what: "merging", total, unit: "bytes", fewest: 0 });
  return (function* () {
    for (const piece of pieces) {
      count.add(piece.length);
      yield piece;
    }
    count.end();
  })();
}

/** model.onnx beside the merged weights, which it refers to in model.safetensors, so that they are there once. */
async function writeOnnx(folder: string, { batch = 1, tokens }: ModelMergeOptions): Promise<void> {
  const { textGraph, encodeModel, openModel, writeFolder } = await modelDoor();
  const { model } = openModel(folder);
  const length = tokens ?? Math.min(128, model.shape.contextTokens);
  if (length > model.shape.contextTokens) {
    const text = `--tokens ${length} is more than the model's context of ${model.shape.contextTokens}`;
    throw new NodeError("CONFIG_INVALID", text);
  }
  const graph = textGraph({ model }, { examples: batch, tokens: length });
  await writeFolder(folder, new Map([["model.onnx", encodeModel(graph)]]));
}

/** `weft adapter export`: an adapter, or that of a peer, in the form that another program reads. */

import { resolve } from "node:path";
import {
  ADAPTER_FORMATS,
  type AdapterFormat,
  type FolderFiles,
  modelDoor,
  networkOf,
  type OpenedModel,
  type SavedAdapter,
} from "../../../node/index.ts";
import { formatAdapter } from "../../adapter-argument.ts";
import type { CommandRow } from "../../command-row.ts";
import { dataDirectory } from "../../data-directory.ts";
import { jsonText } from "../../json.ts";
import { modelDirectory } from "../../model-directory.ts";
import { choice } from "../../option-value.ts";
import { ADAPTER, DATA_DIR, JSON_OUTPUT, MODEL, NEW_FOLDER } from "../../shared-options.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";

/** The row of `weft adapter export`, and what it runs. */
export const exportAdapterCommand: CommandRow = {
  name: ["adapter", "export"],
  text: "Write an adapter, or a peer's newest one, in the form that another program reads.",
  options: [
    { ...ADAPTER, otherwise: "the newest of the peer in --data-dir" },
    DATA_DIR,
    { flags: "--network <file>", text: "the peer's network", otherwise: "network.json in the data directory" },
    MODEL,
    {
      flags: "--format <name>",
      text: `form of the files: ${ADAPTER_FORMATS.join(", ")}`,
      parse: choice(ADAPTER_FORMATS),
      otherwise: "weft",
    },
    { flags: "--part <side>", text: "one side of a combination: lora or reft", parse: choice(["lora", "reft"]) },
    {
      flags: "--base-model <name>",
      text: "name by which PEFT loads the base model",
      otherwise: "the path of the model directory",
    },
    { flags: "--out <folder>", text: `folder for it: ${NEW_FOLDER}`, otherwise: "adapter-FORMAT" },
    JSON_OUTPUT,
  ],
  takesLong: true,
  example: "weft adapter export --adapter alice-lora --format peft --out alice-peft",
  json: {
    adapter: "settings of the adapter",
    parameters: "number of its values",
    format: "form of the files",
    out: "the folder",
    files: "names of the files in it",
  },
  run,
};

type AdapterExportOptions = {
  readonly adapter?: string;
  readonly dataDir?: string;
  readonly network?: string;
  readonly model?: string;
  readonly format?: AdapterFormat;
  readonly part?: "lora" | "reft";
  readonly baseModel?: string;
  readonly out?: string;
  readonly json?: boolean;
};

async function run(options: AdapterExportOptions, terminal: Terminal): Promise<number> {
  const { keptTrainedData, withTrainedData, sideOf, openModel, prepareOutputFolder, writeFolder } = await modelDoor();
  const format = options.format ?? "weft";
  const folder = resolve(options.out ?? `adapter-${format}`);
  const directory = modelDirectory(options.model);
  const opened = openModel(directory);
  const whole = await source(options, opened, terminal);
  const adapter = options.part === undefined ? whole : sideOf(whole, opened.model, options.part);
  const files = await written(adapter, opened, { format, baseModel: options.baseModel ?? directory });
  await prepareOutputFolder(folder);
  const place = options.adapter === undefined ? dataDirectory(options.dataDir, terminal.environment) : options.adapter;
  const trained = await keptTrainedData(resolve(place));
  const all = withTrainedData(files, trained);
  await writeFolder(folder, all);
  const positions = "positions" in adapter.settings ? adapter.settings.positions : undefined;
  if (format === "pyreft" && positions !== undefined && positions !== "all") {
    const { first, last, tied } = positions;
    const share = tied ? ", share_weights=True" : "";
    terminal.err(`pyreft does not keep positions; give its data set position="f${first}+l${last}"${share}\n`);
  }
  terminal.err(`${formatAdapter(adapter.settings)} written to ${folder}\n`);
  const parameters = adapter.values.length;
  const summary = { adapter: adapter.settings, parameters, format, out: folder, files: [...all.keys()] };
  terminal.out(options.json ? jsonText(summary) : `${[...all.keys()].join("\n")}\n`);
  return EXIT_OK;
}

async function source(options: AdapterExportOptions, opened: OpenedModel, terminal: Terminal): Promise<SavedAdapter> {
  const { adapterOfPeer, loadAdapter } = await modelDoor();
  if (options.adapter !== undefined) {
    const { adapter, notes } = await loadAdapter(resolve(options.adapter), opened);
    for (const note of notes) terminal.err(`${note}\n`);
    return adapter;
  }
  const peer = dataDirectory(options.dataDir, terminal.environment);
  return adapterOfPeer(peer, (await networkOf(options.network, peer)).manifest, opened);
}

async function written(
  adapter: SavedAdapter,
  { model }: OpenedModel,
  { format, baseModel }: { readonly format: AdapterFormat; readonly baseModel: string },
): Promise<FolderFiles> {
  const { toPeft, toPyreft, writeAdapterDirectory } = await modelDoor();
  switch (format) {
    case "weft":
      return writeAdapterDirectory(adapter);
    case "peft":
      return toPeft(adapter, model, { baseModel });
    case "pyreft":
      return toPyreft(adapter, model);
  }
}

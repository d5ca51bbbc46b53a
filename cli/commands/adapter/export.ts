/** `weft adapter export`: an adapter, or that of a peer, in the form that another program reads. */
import { resolve } from "node:path";
import { networkOf } from "../../../node/index.ts";
import { writeAdapterDirectory } from "../../../node/interchange/adapter-directory.ts";
import { toPeft } from "../../../node/interchange/peft-export.ts";
import { toPyreft } from "../../../node/interchange/pyreft-export.ts";
import { type SavedAdapter, sideOf } from "../../../node/interchange/saved-adapter.ts";
import {
  type AdapterFormat,
  adapterOfPeer,
  loadAdapter,
  type OpenedModel,
  openModel,
} from "../../../node/local/stored-adapter.ts";
import { keptTrainedData, withTrainedData } from "../../../node/local/trained-data.ts";
import { type FolderFiles, prepareOutputFolder, writeFolder } from "../../../node/system/files/adapter-files.ts";
import { formatAdapter } from "../../adapter-argument.ts";
import { dataDirectory } from "../../data-directory.ts";
import { jsonText } from "../../json.ts";
import { modelDirectory } from "../../model-directory.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";

export type AdapterExportOptions = {
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

export async function run(options: AdapterExportOptions, terminal: Terminal): Promise<number> {
  const format = options.format ?? "weft";
  const folder = resolve(options.out ?? `adapter-${format}`);
  const directory = modelDirectory(options.model);
  const opened = openModel(directory);
  const whole = await source(options, opened, terminal);
  const adapter = options.part === undefined ? whole : sideOf(whole, opened.model, options.part);
  const files = written(adapter, opened, { format, baseModel: options.baseModel ?? directory });
  await prepareOutputFolder(folder);
  const trained = options.adapter === undefined ? undefined : await keptTrainedData(resolve(options.adapter));
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
  if (options.adapter !== undefined) {
    const { adapter, notes } = await loadAdapter(resolve(options.adapter), opened);
    for (const note of notes) terminal.err(`${note}\n`);
    return adapter;
  }
  const peer = dataDirectory(options.dataDir, terminal.environment);
  return adapterOfPeer(peer, (await networkOf(options.network, peer)).manifest, opened);
}

function written(
  adapter: SavedAdapter,
  { model }: OpenedModel,
  { format, baseModel }: { readonly format: AdapterFormat; readonly baseModel: string },
): FolderFiles {
  switch (format) {
    case "weft":
      return writeAdapterDirectory(adapter);
    case "peft":
      return toPeft(adapter, model, { baseModel });
    case "pyreft":
      return toPyreft(adapter, model);
  }
}

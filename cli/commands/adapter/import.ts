/** `weft adapter import`: an adapter of PEFT or pyreft as one of weft's own. */
import { resolve } from "node:path";
import { writeAdapterDirectory } from "../../../node/interchange/adapter-directory.ts";
import { type ImportPositions, loadAdapter, openModel } from "../../../node/local/stored-adapter.ts";
import { keptTrainedData, withTrainedData } from "../../../node/local/trained-data.ts";
import { prepareOutputFolder, writeFolder } from "../../../node/system/files/adapter-files.ts";
import { formatAdapter } from "../../adapter-argument.ts";
import { jsonText } from "../../json.ts";
import { modelDirectory } from "../../model-directory.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";

export type AdapterImportOptions = {
  readonly model?: string;
  readonly positions?: ImportPositions;
  readonly out?: string;
  readonly json?: boolean;
};

export async function run(
  options: AdapterImportOptions,
  terminal: Terminal,
  argument: string | undefined,
): Promise<number> {
  const folder = resolve(options.out ?? "adapter");
  const opened = openModel(modelDirectory(options.model));
  const { adapter, notes } = await loadAdapter(resolve(argument ?? "."), opened, { positions: options.positions });
  await prepareOutputFolder(folder);
  const trained = await keptTrainedData(resolve(argument ?? "."));
  await writeFolder(folder, withTrainedData(writeAdapterDirectory(adapter), trained));
  for (const note of notes) terminal.err(`${note}\n`);
  terminal.err(`adapter written to ${folder}\n`);
  const word = formatAdapter(adapter.settings);
  const parameters = adapter.values.length;
  const summary = { adapter: adapter.settings, parameters, notes, out: folder };
  terminal.out(options.json ? jsonText(summary) : `${word}, ${parameters} parameters\n`);
  return EXIT_OK;
}

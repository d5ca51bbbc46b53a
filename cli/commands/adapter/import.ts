/** `weft adapter import`: an adapter of PEFT or pyreft as one of weft's own. */

import { resolve } from "node:path";
import { counted, type ImportPositions, modelDoor } from "../../../node/index.ts";
import { formatAdapter } from "../../adapter-argument.ts";
import type { CommandRow } from "../../command-row.ts";
import { jsonText } from "../../json.ts";
import { modelDirectory } from "../../model-directory.ts";
import { JSON_OUTPUT, MODEL, NEW_FOLDER, POSITIONS } from "../../shared-options.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";

/** The row of `weft adapter import`, and what it runs. */
export const importAdapterCommand: CommandRow = {
  name: ["adapter", "import"],
  text: "Read an adapter of PEFT or pyreft and write it as one of weft's own.",
  argument: { name: "folder", text: "a directory of PEFT or pyreft" },
  options: [
    MODEL,
    POSITIONS,
    { flags: "--out <folder>", text: `folder for the adapter: ${NEW_FOLDER}`, otherwise: "adapter" },
    JSON_OUTPUT,
  ],
  takesLong: true,
  example: "weft adapter import alice-peft --out alice",
  json: {
    adapter: "settings of the adapter",
    parameters: "number of its values",
    notes: "what is not as the other program has it",
    out: "the folder",
  },
  run,
};

type AdapterImportOptions = {
  readonly model?: string;
  readonly positions?: ImportPositions;
  readonly out?: string;
  readonly json?: boolean;
};

async function run(options: AdapterImportOptions, terminal: Terminal, argument: string | undefined): Promise<number> {
  const {
    keptTrainedData,
    withTrainedData,
    writeAdapterDirectory,
    loadAdapter,
    openModel,
    prepareOutputFolder,
    writeFolder,
  } = await modelDoor();
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
  terminal.out(options.json ? jsonText(summary) : `${word}, ${counted(parameters, "parameter")}\n`);
  return EXIT_OK;
}

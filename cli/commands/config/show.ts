/** `weft config show`: every flag of `weft run`, what it would be now, and who says so. */
import { textTable } from "../../../testnet/words/text-table.ts";
import { type CommandRow, longName } from "../../command-row.ts";
import { configurableOptions } from "../../config-file.ts";
import { jsonText } from "../../json.ts";
import { givenSettings, type Setting } from "../../setting-sources.ts";
import { CONFIG, DATA_DIR, JSON_OUTPUT } from "../../shared-options.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";
import { runCommand } from "../peer/run.ts";

/** The row of `weft config show`, and what it runs. */
export const showConfigCommand: CommandRow = {
  name: ["config", "show"],
  text: "Show what every flag of `weft run` would be here, and who says so: the environment, the configuration file or nobody.",
  options: [DATA_DIR, CONFIG, JSON_OUTPUT],
  example: "weft config show --data-dir alice",
  json: {
    "*": "for each flag of weft run: value (null where nobody gives one), source (environment, file or default) and from",
  },
  run,
};

interface ShowConfigOptions {
  readonly dataDir?: string;
  readonly config?: string;
  readonly json?: boolean;
}

async function run({ dataDir, config, json }: ShowConfigOptions, terminal: Terminal): Promise<number> {
  const typed: Readonly<Record<string, string | undefined>> = { "data-dir": dataDir, config };
  const settings = await givenSettings(runCommand, terminal, (option) => typed[longName(option)]);
  const rows = configurableOptions(runCommand).map((option) => {
    const given = settings.find((one) => one.option === option);
    return { name: longName(option), otherwise: option.otherwise, given };
  });
  if (json) terminal.out(jsonText(Object.fromEntries(rows.map(({ name, given }) => [name, jsonOf(given)]))));
  else terminal.out(`${textTable(HEADER, rows.map(cellsOf)).join("\n")}\n`);
  return EXIT_OK;
}

const HEADER = ["flag", "value", "given by"].map((heading) => ({ heading, numeric: false }));

function cellsOf({
  name,
  otherwise,
  given,
}: {
  name: string;
  otherwise?: string | undefined;
  given?: Setting | undefined;
}) {
  return given ? [`--${name}`, given.text, given.from] : [`--${name}`, otherwise ?? "off", "nobody"];
}

const jsonOf = (given: Setting | undefined) =>
  given ? { value: given.text, source: given.source, from: given.from } : { value: null, source: "default" };

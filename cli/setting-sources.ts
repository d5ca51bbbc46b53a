/** Where the value of a flag comes from: the command line before the environment before the configuration file. */
import type { Command } from "commander";
import { type CommandRow, camelCase, longName, type OptionRow } from "./command-row.ts";
import { configValues, readConfigFile } from "./config-file.ts";
import { dataDirectory } from "./data-directory.ts";
import { environmentName, environmentValues } from "./environment.ts";
import type { Terminal } from "./terminal.ts";

/** A flag's value, and who gave it. */
export interface Setting {
  readonly option: OptionRow;
  readonly value: unknown;
  /** As it was written. */
  readonly text: string;
  readonly source: "environment" | "file";
  /** The name of the variable, or the path of the file. */
  readonly from: string;
}

/**
 * Give a parsed command what its environment and its configuration file say and its command line does not.
 * Throws: NodeError CONFIG_INVALID for a value that the flag would not take, DATA_DIRECTORY.
 */
export async function applySettings(command: Command, row: CommandRow, terminal: Terminal): Promise<void> {
  const settings = await givenSettings(row, terminal, (option) => {
    const name = camelCase(longName(option));
    return command.getOptionValueSource(name) === undefined ? undefined : command.getOptionValue(name);
  });
  for (const { option, value, source } of settings) {
    command.setOptionValueWithSource(camelCase(longName(option)), value, source);
  }
}

/**
 * What the environment and the configuration file give to the flags of a command, the environment first.
 * typed: the value on the command line.  Throws: as `applySettings`.
 */
export async function givenSettings(
  row: CommandRow,
  { environment }: Terminal,
  typed: (option: OptionRow) => unknown,
): Promise<Setting[]> {
  const variables = environmentValues(row, environment);
  const early = (name: string): string | undefined => {
    const option = row.options.find((one) => longName(one) === name);
    return option && ((typed(option) ?? variables.get(name)?.value) as string | undefined);
  };
  const file = row.configurable
    ? await readConfigFile(early("config"), dataDirectory(early("data-dir"), environment))
    : undefined;
  const kept = file && configValues(file, row);
  return row.options.flatMap((option): Setting[] => {
    const name = longName(option);
    if (typed(option) !== undefined) return [];
    const variable = variables.get(name);
    if (variable) return [{ option, ...variable, source: "environment", from: environmentName(option) }];
    const value = kept?.get(name);
    return file && value ? [{ option, ...value, source: "file", from: file.path }] : [];
  });
}

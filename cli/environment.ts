/**
 * Flags from the environment: `WEFT_PORT=9000` stands for `--port 9000` where the command line does not give it. A flag that
 * takes no value is on by `1` or `true` and off by `0` or `false`; several values are parted by commas; an empty text is
 * as if the variable were not there.
 */
import { InvalidArgumentError } from "commander";
import { NodeError } from "../node/index.ts";
import { closestName } from "../protocol/closest-name.ts";
import { type CommandRow, longName, type OptionRow, type ReadValue, takesValue } from "./command-row.ts";
import { parserOf } from "./option-value.ts";
import type { Terminal } from "./terminal.ts";

/** Flags that confirm one act; nobody may have them set for all acts. */
const NOT_TAKEN = new Set(["without-quorum"]);

/** `WEFT_LOG_LEVEL` for `--log-level`. */
export function environmentName(option: OptionRow): string {
  return `WEFT_${longName(option).toUpperCase().replaceAll("-", "_")}`;
}

/** The flags of a command that the environment may give. */
export function environmentOptions(row: CommandRow): OptionRow[] {
  return row.options.filter((option) => !NOT_TAKEN.has(longName(option)));
}

/**
 * The values that the environment gives to flags of a command, as their parsers return them, by long name.
 * Throws: NodeError CONFIG_INVALID for a value that the flag would not take.
 */
export function environmentValues(row: CommandRow, environment: Terminal["environment"]): Map<string, ReadValue> {
  const values = new Map<string, ReadValue>();
  for (const option of environmentOptions(row)) {
    const text = environment[environmentName(option)];
    if (text !== undefined && text !== "") values.set(longName(option), { value: optionValue(option, text), text });
  }
  return values;
}

/** Variables that begin as ours do and are nearly, but not, those of a flag; each with the one that may be meant. */
export function misspelt(rows: readonly CommandRow[], environment: Terminal["environment"]): [string, string][] {
  const names = [...new Set(["WEFT_CACHE", ...rows.flatMap(environmentOptions).map(environmentName)])];
  return Object.keys(environment).flatMap((name): [string, string][] => {
    if (!name.startsWith("WEFT_") || names.includes(name)) return [];
    const near = closestName(name, names);
    return near === undefined ? [] : [[name, near]];
  });
}

const WORDS: Readonly<Record<string, boolean>> = { 1: true, true: true, yes: true, 0: false, false: false, no: false };

function optionValue(option: OptionRow, text: string): unknown {
  const name = environmentName(option);
  if (!takesValue(option)) {
    const value = WORDS[text.toLowerCase()];
    if (value !== undefined) return value;
    throw refusal(name, text, "expected 1 or 0");
  }
  const one = (item: string): unknown => {
    try {
      return parserOf(option)(item);
    } catch (cause) {
      if (!(cause instanceof InvalidArgumentError)) throw cause;
      throw refusal(name, item, cause.message);
    }
  };
  return option.repeatable ? text.split(",").map((item) => one(item.trim())) : one(text);
}

function refusal(name: string, text: string, todo: string): NodeError {
  return new NodeError("CONFIG_INVALID", `${name} is "${text}" in the environment: ${todo}`, { name });
}

/** config.json in a data directory: flags of `weft run` by their long names, for those that the command line leaves out. */
import { readFile } from "node:fs/promises";
import { type Command, InvalidArgumentError } from "commander";
import { dataDirectoryLayout, NodeError, writeFileAtomic } from "../node/index.ts";
import { closestName } from "../protocol/closest-name.ts";
import { jsonFlaw } from "../protocol/json-names.ts";
import { type CommandRow, longName, type OptionRow } from "./command-row.ts";
import { dataDirectory } from "./data-directory.ts";
import type { Terminal } from "./terminal.ts";

/** Larger than any file of flags. */
const CONFIG_CHARACTERS_MAX = 1_000_000;

/** Flags about where the file is and how one run talks; they cannot stand in it. */
const NOT_KEPT = new Set(["data-dir", "json", "events", "hold"]);

/** The flags of a command that config.json may hold. */
export function configurableOptions(row: CommandRow): OptionRow[] {
  return row.options.filter((option) => !NOT_KEPT.has(longName(option)));
}

/**
 * Give a parsed command the values of its data directory's config.json, where there is one.
 * Throws: NodeError CONFIG_INVALID (not JSON, an unknown key, a value that the flag would not take).
 */
export async function applyConfigFile(command: Command, row: CommandRow, terminal: Terminal): Promise<void> {
  const folder = dataDirectory(command.getOptionValue("dataDir") as string | undefined, terminal.environment);
  const path = dataDirectoryLayout(folder).config;
  const options = configurableOptions(row);
  for (const [key, value] of Object.entries(await readConfig(path))) {
    const option = options.find((candidate) => longName(candidate) === key);
    if (!option && row.configurable === "partly") continue;
    if (!option) {
      const near = closestName(key, options.map(longName));
      throw refusal(path, `unknown key "${key}"`, near ? `did you mean "${near}"?` : "see weft run --help");
    }
    const name = camelCase(key);
    if (command.getOptionValueSource(name) === "cli") continue;
    command.setOptionValueWithSource(name, optionValue(option, value, path), "config");
  }
}

/** Keep flags for later runs; those of value undefined are left out. Returns the file's path. */
export async function writeConfig(folder: string, values: Readonly<Record<string, unknown>>): Promise<string> {
  const path = dataDirectoryLayout(folder).config;
  await writeFileAtomic(path, new TextEncoder().encode(`${JSON.stringify(values, null, 2)}\n`));
  return path;
}

async function readConfig(path: string): Promise<object> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    // No such file: nothing is configured. What else is wrong with the folder, the peer itself will say.
    if (code === "ENOENT" || code === "ENOTDIR") return {};
    throw refusal(path, `cannot be read (${code ?? "unknown error"})`, "repair its permissions or remove it");
  }
  if (text.length > CONFIG_CHARACTERS_MAX) throw refusal(path, "is too large", "it holds flags of weft run only");
  try {
    const value: unknown = JSON.parse(text);
    const flaw = jsonFlaw(text);
    if (flaw?.kind === "twice")
      throw refusal(path, `names ${JSON.stringify(flaw.name)} twice`, "remove one of the two");
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  } catch (cause) {
    if (cause instanceof NodeError) throw cause;
    throw refusal(path, `is not JSON (${(cause as Error).message})`, "repair or remove it");
  }
  throw refusal(path, "is not an object", 'write {"port": 9000} and so on');
}

/** The value of a key as the flag's parser sees it. */
function optionValue(option: OptionRow, value: unknown, path: string): unknown {
  const name = longName(option);
  const takesValue = option.flags.includes("<");
  if (!takesValue) {
    if (typeof value === "boolean") return value;
    throw refusal(path, `"${name}" is not true or false`, "correct it");
  }
  const one = (item: unknown): unknown => {
    if (typeof item !== "string" && typeof item !== "number") {
      throw refusal(path, `"${name}" is neither text nor a number`, "correct it");
    }
    try {
      return option.parse ? option.parse(String(item)) : String(item);
    } catch (cause) {
      if (!(cause instanceof InvalidArgumentError)) throw cause;
      throw refusal(path, `"${name}" is "${item}"`, cause.message);
    }
  };
  if (!option.repeatable) return one(value);
  return (Array.isArray(value) ? value : [value]).map(one);
}

const camelCase = (name: string): string => name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());

function refusal(path: string, what: string, todo: string): NodeError {
  return new NodeError("CONFIG_INVALID", `${path}: ${what}; ${todo}`, { path });
}

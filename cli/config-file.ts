/**
 * The configuration file: flags of `weft run` by their long names, for those that neither the command line nor the
 * environment gives. It is config.toml in the data directory, or config.json, or the file that `--config` names.
 */
import { InvalidArgumentError } from "commander";
import { parse as parseToml, stringify as stringifyToml, TomlError } from "smol-toml";
import { dataDirectoryLayout, NodeError, readShortText, writeFileAtomic } from "../node/index.ts";
import { closestName } from "../protocol/closest-name.ts";
import { jsonFlaw } from "../protocol/json-names.ts";
import { type CommandRow, longName, type OptionRow, type ReadValue, takesValue } from "./command-row.ts";
import { parserOf } from "./option-value.ts";
import { PEER_OPTIONS } from "./shared-options.ts";

/** Larger than any file of flags. */
const CONFIG_BYTES_MAX = 1_000_000;

/** Flags about where the file is and how one run talks; they cannot stand in it. */
const NOT_KEPT = new Set(["data-dir", "config", "json", "events", "format", "quiet", "hold"]);

/** What a file says, by long names as they stand in it. */
export interface ConfigFile {
  readonly path: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** The flags of a command that the file may hold. */
export function configurableOptions(row: CommandRow): OptionRow[] {
  return row.options.filter((option) => !NOT_KEPT.has(longName(option)));
}

/**
 * The file named, else the one of the data directory; undefined where there is none.
 * Throws: NodeError CONFIG_INVALID (unreadable, two files, not TOML or JSON, a name twice).
 */
export async function readConfigFile(named: string | undefined, folder: string): Promise<ConfigFile | undefined> {
  if (named !== undefined) {
    const found = await readOne(named);
    if (found !== undefined) return found;
    throw refusal(named, "is not there", "name a file of flags of weft run");
  }
  const { config, configJson } = dataDirectoryLayout(folder);
  const [toml, json] = [await readOne(config), await readOne(configJson)];
  if (toml && json)
    throw refusal(config, `stands beside ${configJson}`, "move what you need into one and remove the other");
  return toml ?? json;
}

/**
 * The values that a file gives to flags of a command, as their parsers return them, by long name.
 * Throws: NodeError CONFIG_INVALID (a key that is no flag, a value that the flag would not take).
 */
export function configValues(file: ConfigFile, row: CommandRow): Map<string, ReadValue> {
  const options = configurableOptions(row);
  const values = new Map<string, ReadValue>();
  for (const [key, value] of Object.entries(file.values)) {
    const option = options.find((candidate) => longName(candidate) === key);
    if (option) {
      const read = optionValue(option, value, file.path);
      values.set(key, { value: read, text: Array.isArray(value) ? value.join(", ") : String(value) });
    }
    if (option || row.configurable === "partly") continue;
    const near = closestName(key, options.map(longName));
    throw refusal(file.path, `unknown key "${key}"`, near ? `did you mean "${near}"?` : "see weft run --help");
  }
  return values;
}

/**
 * Keep flags for later runs, in the file that is there, else in config.toml. Other flags that stand there stay.
 * Returns the file's path.  Throws: NodeError CONFIG_INVALID where the file that is there cannot be read; DISK_FULL, DATA_DIRECTORY.
 */
export async function writeConfig(folder: string, given: Readonly<Record<string, unknown>>): Promise<string> {
  const { config, configJson } = dataDirectoryLayout(folder);
  const there = await readConfigFile(undefined, folder);
  const values = { ...there?.values, ...given };
  const isJson = there?.path === configJson;
  const text = isJson ? JSON.stringify(values, null, 2) : commentedToml(values);
  const path = isJson ? configJson : config;
  await writeFileAtomic(path, new TextEncoder().encode(`${text}\n`));
  return path;
}

/** TOML with what each flag says above it. */
function commentedToml(values: Readonly<Record<string, unknown>>): string {
  const lines = Object.entries(values).flatMap(([name, value]) => {
    const row = PEER_OPTIONS.find((one) => longName(one) === name);
    return [...(row ? [`# ${row.text}`] : []), stringifyToml({ [name]: value }).trimEnd()];
  });
  return [CONFIG_HEAD, ...lines].join("\n");
}

/** What whoever opens the file wants to know first. */
const CONFIG_HEAD =
  "# Flags of weft run by their long names; docs/CLI.md has them all. weft config show says which value holds.";

async function readOne(path: string): Promise<ConfigFile | undefined> {
  let text: string | undefined;
  try {
    text = await readShortText(path, CONFIG_BYTES_MAX);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    // No such file: nothing is configured. What else is wrong with the folder, the peer itself will say.
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw refusal(path, `cannot be read (${code ?? "unknown error"})`, "repair its permissions or remove it");
  }
  if (text === undefined) throw refusal(path, "is too large", "it holds flags of weft run only");
  return { path, values: path.endsWith(".json") ? jsonValues(text, path) : tomlValues(text, path) };
}

function tomlValues(text: string, path: string): Record<string, unknown> {
  try {
    return parseToml(text);
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    const [what = ""] = cause.message.replace(/^Invalid TOML document: /, "").split("\n");
    throw refusal(`${path}:${cause.line}`, `is not TOML (${what})`, 'write port = 9000, data = "my.jsonl" and so on');
  }
}

function jsonValues(text: string, path: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw refusal(path, `is not JSON (${(cause as Error).message})`, "repair or remove it");
  }
  const flaw = jsonFlaw(text);
  if (flaw?.kind === "twice") throw refusal(path, `names ${JSON.stringify(flaw.name)} twice`, "remove one of the two");
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw refusal(path, "is not an object", 'write {"port": 9000} and so on');
}

/** The value of a key as the flag's parser sees it. */
function optionValue(option: OptionRow, value: unknown, path: string): unknown {
  const name = longName(option);
  if (!takesValue(option)) {
    if (typeof value === "boolean") return value;
    throw refusal(path, `"${name}" is not true or false`, "correct it");
  }
  const one = (item: unknown): unknown => {
    if (typeof item !== "string" && typeof item !== "number") {
      throw refusal(path, `"${name}" is neither text nor a number`, "correct it");
    }
    try {
      return parserOf(option)(String(item));
    } catch (cause) {
      if (!(cause instanceof InvalidArgumentError)) throw cause;
      throw refusal(path, `"${name}" is "${item}"`, cause.message);
    }
  };
  if (!option.repeatable) return one(value);
  return (Array.isArray(value) ? value : [value]).map(one);
}

function refusal(path: string, what: string, todo: string): NodeError {
  return new NodeError("CONFIG_INVALID", `${path}: ${what}; ${todo}`, { path });
}

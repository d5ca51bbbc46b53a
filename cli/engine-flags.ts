/** The flags by which a peer says how its training engine computes; `ENGINE_OPTIONS` describes them. */
import { ENGINE_OPTIONS, type EngineOptions } from "../node/index.ts";
import { kebabCase } from "../protocol/settings/field-words.ts";
import type { OptionRow } from "./command-row.ts";
import { fieldFlag } from "./field-flag.ts";

type EngineOptionName = keyof EngineOptions;
const NAMES = Object.keys(ENGINE_OPTIONS) as readonly EngineOptionName[];

/** Where nothing is trained, or not by this project's own graphs, these are all there is to choose. */
export const RUNTIME_OPTIONS = ["threads", "device"] as const satisfies readonly EngineOptionName[];

/** Values of those flags. */
export type RuntimeOptions = Pick<EngineOptions, (typeof RUNTIME_OPTIONS)[number]>;

/** Where a base model is used, and not trained on. */
export const USE_OPTIONS = [...RUNTIME_OPTIONS, "base"] as const satisfies readonly EngineOptionName[];

/** Values of those flags. */
export type UseOptions = Pick<EngineOptions, (typeof USE_OPTIONS)[number]>;

/** What happens to the threads where the flag is absent, on a machine that one command has to itself. */
const ALL_PROCESSORS = "all processors";

/** What another command has to say about a flag. */
const NOTES: Readonly<Partial<Record<EngineOptionName, string>>> = {
  device: "see weft doctor",
  precision: "weft doctor names the devices for fp16",
};

/** The flags, all of them or those with these names. */
export function engineFlags({
  threads = ALL_PROCESSORS,
  only = NAMES,
}: {
  /** What holds where --threads is absent, for help. */
  readonly threads?: string;
  readonly only?: readonly EngineOptionName[];
} = {}): readonly OptionRow[] {
  return only.map((name) => {
    const plain = fieldFlag(name, ENGINE_OPTIONS[name]);
    const row = name in NOTES ? { ...plain, text: `${plain.text}; ${NOTES[name]}` } : plain;
    return name === "threads" ? { ...row, otherwise: threads } : row;
  });
}

/** What a command's flags say of the engine, over what holds where they say nothing. */
export function engineOf(options: EngineOptions, otherwise: EngineOptions): EngineOptions {
  return { ...otherwise, ...given(options) };
}

/** What config.json of a peer keeps of them, by the flags' long names. */
export function engineConfig(options: EngineOptions): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(given(options)).map(([name, value]) => [kebabCase(name), value]));
}

function given(options: EngineOptions): EngineOptions {
  return Object.fromEntries(NAMES.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]));
}

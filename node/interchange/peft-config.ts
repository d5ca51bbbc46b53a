/**
 * adapter_config.json as peft 0.21 writes and reads it, for LoRA and DoRA. A setting that changes the function and that weft
 * does not know is refused by name.
 * Source: https://huggingface.co/docs/peft/package_reference/lora, LoraConfig; peft/tuners/lora/config.py at 0.21.
 */
import { z } from "zod";
import { NodeError } from "../errors.ts";
import { fitsEnd, fitsWhole, isReadable } from "./module-pattern.ts";
import { REBASED_STARTS, type RebasedStart } from "./rebased-start.ts";

/** The settings of a LoRA that are read from the file. */
export interface PeftConfig {
  readonly r: number;
  readonly lora_alpha: number;
  readonly lora_dropout: number;
  readonly use_rslora: boolean;
  readonly use_dora: boolean;
  /** Biases behind lora_B. */
  readonly lora_bias: boolean;
  /** A start that changed the base weights, and that follows from them. */
  readonly rebased?: RebasedStart;
  /** By module: an expression for a path, or for what a path ends with. */
  readonly rank_pattern: Readonly<Record<string, number>>;
  readonly alpha_pattern: Readonly<Record<string, number>>;
  /** Names, or one expression for whole paths; absent where the file leaves them to peft, or weft does not read them. */
  readonly targets?: readonly string[] | string;
  /** Modules that the targets do not mean. */
  readonly excluded: readonly string[] | string;
  /** Of which layers; all when absent. */
  readonly layers?: readonly number[];
  /** The base model, as the file names it. */
  readonly baseModel?: string;
  readonly modules_to_save: readonly string[];
}

const pattern = z.record(z.string(), z.number().positive()).nullish();

const NAMES = z.union([z.string(), z.array(z.string()).max(100_000)]).nullish();

const LORA = z.object({
  peft_type: z.literal("LORA"),
  // What a short file does not say is as LoraConfig has it.
  r: z.number().int().min(1).max(65_536).default(8),
  lora_alpha: z.number().positive().default(8),
  lora_dropout: z.number().min(0).max(1).default(0),
  use_rslora: z.boolean().default(false),
  use_dora: z.boolean().default(false),
  lora_bias: z.boolean().default(false),
  rank_pattern: pattern,
  alpha_pattern: pattern,
  target_modules: NAMES,
  exclude_modules: NAMES,
  layers_to_transform: z.union([z.number().int(), z.array(z.number().int()).max(1000)]).nullish(),
  base_model_name_or_path: z.string().nullish(),
  modules_to_save: z.array(z.string()).max(64).nullish(),
  bias: z.string().default("none"),
  init_lora_weights: z.unknown().optional(),
});

/** Fields with which an adapter is not the function B A x, and what they stand for. */
const REFUSED: Readonly<Record<string, string>> = {
  trainable_token_indices: "trained embeddings",
  target_parameters: "LoRA on bare parameters, as of expert layers",
  layer_replication: "layers that are used several times",
  use_qalora: "QALoRA, which pools the input",
  use_bdlora: "block-diagonal LoRA",
  alora_invocation_tokens: "activated LoRA, which begins at a token",
  arrow_config: "routing among several adapters",
  kasa_config: "KaSA, which cuts the base weights",
  monteclora_config: "MonteCLoRA, which samples its weights",
  megatron_config: "Megatron's parallel layers",
};

/** Fields that say how an adapter came to be, where it may go, or nothing while there is no other field. */
const NEUTRAL = new Set([
  ...["peft_type", "auto_mapping", "base_model_name_or_path", "revision", "inference_mode", "task_type"],
  ...["peft_version", "exclude_modules", "layers_to_transform", "layers_pattern", "fan_in_fan_out", "runtime_config"],
  ...["loftq_config", "eva_config", "corda_config", "lora_ga_config", "velora_config", "megatron_core"],
  ...["qalora_group_size", "ensure_weight_tying", ...Object.keys(LORA.shape)],
]);

/** Starts that change the base weights as well: the adapter belongs to those and not to the model as published. */
const CHANGES_BASE = /^(pissa|olora|corda|loftq|lora_ga)/;

/** value: the parsed JSON; file: for error lines.  Throws: ADAPTER_FORMAT naming the field. */
export function readPeftConfig(value: unknown, file: string): PeftConfig {
  const fail = (what: string): NodeError => new NodeError("ADAPTER_FORMAT", `${file}: ${what}`, { file });
  const parsed = LORA.safeParse(value);
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!;
    const type = (value as { peft_type?: unknown } | null)?.peft_type;
    if (path[0] === "peft_type" && typeof type === "string") throw fail(otherType(type));
    throw fail(`${path.join(".") || "the document"}: ${message}`);
  }
  const fields = parsed.data;
  for (const [field, setting] of Object.entries(value as object)) {
    if (isOff(setting) || NEUTRAL.has(field)) continue;
    const meaning = Object.hasOwn(REFUSED, field) ? REFUSED[field] : "a field that this version does not know";
    // What begins at a token is not the same function merged.
    const todo = field === "alora_invocation_tokens" ? "Train a LoRA instead" : "Merge it with peft instead";
    throw fail(`${field} = ${shown(setting)}: ${meaning}; weft reads LoRA and DoRA. ${todo}`);
  }
  if (fields.bias !== "none")
    throw fail(
      `bias = ${shown(fields.bias)}: trained biases of the base model, which weft does not read. Merge it with peft instead`,
    );
  const { init_lora_weights: start, target_modules: targets, layers_to_transform: layers } = fields;
  const rebased = REBASED_STARTS.find((one) => one === start);
  if (rebased === undefined && typeof start === "string" && CHANGES_BASE.test(start)) {
    const why = "its start changed the base weights by more than these tell";
    const way = "save it with path_initial_model_for_weight_conversion, which makes a plain LoRA of it";
    throw fail(`init_lora_weights = ${shown(start)}: ${why}; ${way}`);
  }
  refuseTogether({ ...fields, rebased }, fail);
  return {
    ...fields,
    rank_pattern: readablePattern(fields.rank_pattern, "rank_pattern", fail),
    alpha_pattern: readablePattern(fields.alpha_pattern, "alpha_pattern", fail),
    ...(Array.isArray(targets) || (typeof targets === "string" && isReadable(targets)) ? { targets } : {}),
    excluded: excludedOf(fields.exclude_modules, fail),
    ...(layers === undefined || layers === null ? {} : { layers: Array.isArray(layers) ? layers : [layers] }),
    ...(rebased && { rebased }),
    ...(fields.base_model_name_or_path ? { baseModel: fields.base_model_name_or_path } : {}),
    modules_to_save: fields.modules_to_save ?? [],
  };
}

/** Methods that change no weights, so that no merged model says the same. */
const UNMERGEABLE = /PROMPT|PREFIX|P_TUNING|XLORA|CARTRIDGE|ADAPTION_PROMPT|CPT/u;

function otherType(type: string): string {
  const what = `peft_type is ${shown(type)}; weft reads LORA`;
  if (UNMERGEABLE.test(type))
    return `${what}, and this method changes no weights that could be merged; train a LoRA instead`;
  return `${what}. Merge it with peft (merge_and_unload) and give the merged model`;
}

/** What weft has no kind for, nor peft in part.  Throws: ADAPTER_FORMAT. */
function refuseTogether(
  {
    use_dora,
    lora_bias,
    rebased,
  }: Pick<PeftConfig, "use_dora" | "lora_bias"> & { readonly rebased?: string | undefined },
  fail: Fail,
): void {
  const both = [use_dora && "use_dora", lora_bias && "lora_bias", rebased && `init_lora_weights = "${rebased}"`].filter(
    (one) => typeof one === "string",
  );
  if (both.length > 1)
    throw fail(`${both.join(" together with ")}; weft reads each by itself. Merge it with peft instead`);
}

/** The value that a pattern gives a module: the first key that fits counts. */
export function patternValue(patterns: Readonly<Record<string, number>>, path: string, otherwise: number): number {
  for (const [key, value] of Object.entries(patterns)) if (fitsEnd(key, path)) return value;
  return otherwise;
}

/**
 * The linear layers, by their paths, that a file means to adapt; undefined where it does not say it in a form that weft reads.
 * linears: all that an adapter may be attached to, the output matrix not among them, as peft's `all-linear` has it.
 */
export function targetedPaths(
  { targets, excluded, layers }: Pick<PeftConfig, "targets" | "excluded" | "layers">,
  linears: readonly { readonly path: string; readonly layer: number }[],
): ReadonlySet<string> | undefined {
  if (targets === undefined) return undefined;
  const all = targets === "all-linear" || (targets.length === 1 && targets[0] === "all-linear");
  const isAmong = (names: readonly string[] | string, path: string): boolean =>
    typeof names === "string"
      ? names !== "" && fitsWhole(names, path)
      : names.some((name) => path === name || path.endsWith(`.${name}`));
  // Layers are asked for only beside a list of names.
  const inLayer = (layer: number): boolean =>
    typeof targets === "string" || layers === undefined || layers.length === 0 || layers.includes(layer);
  const chosen = linears.filter(
    ({ path, layer }) => (all || isAmong(targets, path)) && inLayer(layer) && !isAmong(excluded, path),
  );
  return new Set(chosen.map(({ path }) => path));
}

function excludedOf(names: readonly string[] | string | null | undefined, fail: Fail): readonly string[] | string {
  if (typeof names !== "string" || isReadable(names)) return names ?? [];
  throw fail(`exclude_modules = ${shown(names)}: a regular expression that weft does not read; name the modules`);
}

type Fail = (what: string) => NodeError;

/** Keys are regular expressions; those that may take long are refused. */
function readablePattern(
  patterns: Readonly<Record<string, number>> | null | undefined,
  field: string,
  fail: Fail,
): Readonly<Record<string, number>> {
  const unread = Object.keys(patterns ?? {}).find((key) => !isReadable(key));
  if (unread === undefined) return patterns ?? {};
  const what = `the key ${shown(unread)} is a regular expression that weft does not read`;
  throw fail(`${field}: ${what}; write the modules out by name`);
}

/** The settings that `writePeftConfig` is given; the rest is as LoraConfig has it by default. */
export interface PeftSettings {
  readonly r: number;
  readonly lora_alpha: number;
  readonly lora_dropout: number;
  readonly use_rslora: boolean;
  readonly use_dora: boolean;
  readonly lora_bias?: boolean;
  readonly fan_in_fan_out: boolean;
  readonly target_modules: readonly string[];
  readonly layers_to_transform: readonly number[] | null;
  readonly modules_to_save: readonly string[] | null;
  readonly task_type: "CAUSAL_LM" | "SEQ_CLS" | "TOKEN_CLS" | null;
  readonly base_model_name_or_path: string | null;
}

/** The document, with its fields in the order in which peft sorts them. */
export function writePeftConfig(settings: PeftSettings): Readonly<Record<string, unknown>> {
  const fields: Record<string, unknown> = {
    peft_type: "LORA",
    auto_mapping: null,
    revision: null,
    inference_mode: true,
    bias: "none",
    init_lora_weights: true,
    layers_pattern: null,
    rank_pattern: {},
    alpha_pattern: {},
    exclude_modules: null,
    ...settings,
  };
  return Object.fromEntries(Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function isOff(value: unknown): boolean {
  if (value === null || value === undefined || value === false || value === "") return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}

function shown(value: unknown): string {
  const text = (JSON.stringify(value) ?? String(value)).replace(/[^ -~]/g, "?");
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

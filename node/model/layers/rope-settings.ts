/**
 * How a config says where tokens stand: `rope_theta` beside `rope_scaling` (transformers 4), or both in
 * `rope_parameters` (transformers 5), there for each kind of layer by itself where a model has several.
 */
import { z } from "zod";
import { NodeError } from "../../errors.ts";
import { unsupported } from "../config.ts";

/** How positions are turned into angles. */
export interface RopeSettings {
  readonly theta: number;
  readonly scaling: RopeScaling;
  /** The first part of every head that is turned, a share of it; all of it when absent. */
  readonly share?: number;
  /** Whether pairs are neighbours instead of halves apart. */
  readonly neighbours?: boolean;
  /** The longest text, where it is not the config's `max_position_embeddings`. */
  readonly contextTokens?: number;
}

/** How frequencies are changed for contexts longer than those of the pre-training. */
export type RopeScaling =
  | { readonly kind: "default" }
  | { readonly kind: "linear"; readonly factor: number }
  /** Frequencies of the whole head, of which the pairs behind the first ones, a share of all, do not turn. */
  | { readonly kind: "proportional"; readonly factor: number; readonly share: number }
  | {
      readonly kind: "dynamic";
      readonly factor: number;
      /** Texts up to this length have the angles of the pre-training; of longer ones they follow the length. */
      readonly originalContextTokens: number;
    }
  | {
      readonly kind: "llama3";
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      /** Context of the pre-training, before it was extended. */
      readonly originalContextTokens: number;
    }
  | {
      readonly kind: "yarn";
      readonly factor: number;
      readonly betaFast: number;
      readonly betaSlow: number;
      /** Whether the bounds of the ramp are whole numbers. */
      readonly truncate: boolean;
      readonly originalContextTokens: number;
      /** What cosines and sines are multiplied with. */
      readonly attentionFactor: number;
    }
  | {
      readonly kind: "longrope";
      /** By which each frequency is divided. */
      readonly factors: readonly number[];
      /** The same for texts longer than this. */
      readonly longer: { readonly than: number; readonly factors: readonly number[] };
      readonly attentionFactor: number;
    };

/** The default of most families of the Llama layout. */
const THETA = 10_000;

const record = z.record(z.string(), z.unknown());

/** The fields of config.json that `ropeSettings` reads. */
export const ROPE_FIELDS = {
  rope_theta: z.number().positive().optional(),
  rope_scaling: record.nullish(),
  rope_parameters: record.nullish(),
};

type Parameters = Readonly<Record<string, unknown>>;

/** The fields of a config that speak of positions. */
export interface RopeFields {
  readonly rope_theta?: number | undefined;
  readonly rope_scaling?: Parameters | null | undefined;
  readonly rope_parameters?: Parameters | null | undefined;
  readonly partial_rotary_factor?: number | undefined;
  readonly max_position_embeddings: number;
  readonly original_max_position_embeddings?: number | undefined;
}

/** What families add to the fields. */
export interface RopeOptions {
  /** Where the config names none; default 10,000. */
  readonly theta?: number;
  /** Whether the family may turn a part of every head only. */
  readonly partial?: boolean;
}

/**
 * The settings of all layers. Where the config has both forms they must say the same.
 * Throws: MODEL_CONFIG naming the field, a kind of scaling that weft does not do among them.
 */
export function ropeSettings(config: RopeFields, options: RopeOptions = {}): RopeSettings {
  const { rope_parameters: parameters, rope_scaling: scaling } = config;
  if (!parameters || !scaling) {
    const place = parameters ? "rope_parameters" : "rope_scaling";
    return settingsOf(parameters ?? scaling ?? {}, { place, config, options });
  }
  const newer = settingsOf(parameters, { place: "rope_parameters", config, options });
  const older = settingsOf({ rope_theta: newer.theta, ...scaling }, { place: "rope_scaling", config, options });
  if (JSON.stringify(newer) === JSON.stringify(older)) return newer;
  const text = "config.json has rope_parameters and rope_scaling, which differ; keep the one that is right";
  throw new NodeError("MODEL_CONFIG", text, { field: "rope_parameters" });
}

/**
 * The settings of one kind of layer, such as `full_attention`, of a config that may name several kinds.
 * old: what the fields of transformers 4 say of this kind, where `rope_parameters` is absent or does not.
 * Throws: as `ropeSettings`.
 */
export function ropeSettingsOfKind(
  config: RopeFields,
  { kind, old, theta }: { readonly kind: string; readonly old: Parameters; readonly theta: number },
): RopeSettings {
  const { rope_parameters: all, rope_scaling: scaling } = config;
  if (all && scaling) {
    const text = "config.json has rope_parameters and rope_scaling; keep the one that is right";
    throw new NodeError("MODEL_CONFIG", text, { field: "rope_parameters" });
  }
  const other = Object.keys(all ?? {}).find((name) => !name.endsWith("_attention"));
  if (other !== undefined) {
    throw unsupported(`rope_parameters.${other}`, all?.[other], "this family names them by kind of layer");
  }
  const nested = all?.[kind];
  const parameters = nested ?? old;
  const place = nested ? `rope_parameters.${kind}` : "rope_scaling";
  if (typeof parameters !== "object" || parameters === null)
    throw unsupported(place, parameters, "an object is needed");
  const others = { rope_theta: undefined, max_position_embeddings: config.max_position_embeddings };
  return settingsOf(parameters as Parameters, { place, config: others, options: { theta } });
}

interface Context {
  readonly place: string;
  readonly config: RopeFields;
  readonly options: RopeOptions;
}

function settingsOf(fields: Parameters, { place, config, options }: Context): RopeSettings {
  const kind = kindOf(fields.rope_type ?? fields.type ?? "default", place);
  const share = fields.partial_rotary_factor ?? config.partial_rotary_factor ?? 1;
  const isScaling = kind === "proportional";
  if (typeof share !== "number" || !(share > 0 && share <= 1) || (share < 1 && !options.partial && !isScaling)) {
    throw unsupported(`${place}.partial_rotary_factor`, share, "this family turns whole heads");
  }
  const known = ["rope_type", "type", "rope_theta", "partial_rotary_factor", ...FIELDS[kind]];
  for (const [name, value] of Object.entries(fields)) {
    if (known.includes(name) || value === null) continue;
    throw unsupported(`${place}.${name}`, value, `it has no meaning for rope_type ${kind}`);
  }
  const numbers = new Numbers(fields, place);
  const theta =
    fields.rope_theta === undefined || fields.rope_theta === null
      ? (config.rope_theta ?? options.theta ?? THETA)
      : numbers.get("rope_theta");
  return { theta, ...scalingOf(kind, numbers, { config, share }), ...(share < 1 && !isScaling ? { share } : {}) };
}

type Kind = keyof typeof FIELDS;

/** What `rope_parameters` may say of each kind. */
const FIELDS = {
  default: [],
  linear: ["factor"],
  proportional: ["factor"],
  dynamic: ["factor"],
  llama3: ["factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"],
  yarn: [
    ...["factor", "original_max_position_embeddings", "attention_factor", "beta_fast", "beta_slow"],
    ...["mscale", "mscale_all_dim", "truncate"],
  ],
  longrope: ["factor", "original_max_position_embeddings", "attention_factor", "short_factor", "long_factor"],
} as const;

function kindOf(value: unknown, place: string): Kind {
  // Phi-3 was published with the name "su".
  const name = value === "su" ? "longrope" : value;
  if (typeof name === "string" && Object.hasOwn(FIELDS, name)) return name as Kind;
  throw unsupported(`${place}.rope_type`, value, `weft computes ${Object.keys(FIELDS).join(", ")}`);
}

/** Positive numbers among fields. */
class Numbers {
  readonly #fields: Parameters;
  readonly place: string;

  constructor(fields: Parameters, place: string) {
    this.#fields = fields;
    this.place = place;
  }

  /** Throws: MODEL_CONFIG when it is absent or no positive number. */
  get(name: string): number {
    const value = this.#fields[name];
    if (typeof value === "number" && value > 0 && Number.isFinite(value)) return value;
    throw unsupported(`${this.place}.${name}`, value, "a positive number is needed");
  }

  /** The same, where it may be absent. */
  find(name: string): number | undefined {
    const value = this.#fields[name];
    return value === undefined || value === null ? undefined : this.get(name);
  }

  list(name: string): readonly number[] {
    const value = this.#fields[name];
    if (Array.isArray(value) && value.every((x) => typeof x === "number" && x > 0 && Number.isFinite(x))) return value;
    throw unsupported(`${this.place}.${name}`, value, "a list of positive numbers is needed");
  }

  flag(name: string, otherwise: boolean): boolean {
    const value = this.#fields[name] ?? otherwise;
    if (typeof value === "boolean") return value;
    throw unsupported(`${this.place}.${name}`, value, "true or false is needed");
  }
}

function scalingOf(
  kind: Kind,
  numbers: Numbers,
  { config, share }: { readonly config: RopeFields; readonly share: number },
): Pick<RopeSettings, "scaling" | "contextTokens"> {
  switch (kind) {
    case "default":
      return { scaling: { kind } };
    case "linear":
      return { scaling: { kind, factor: numbers.get("factor") } };
    case "proportional":
      return { scaling: { kind, factor: numbers.find("factor") ?? 1, share } };
    case "dynamic":
      return dynamic(numbers.get("factor"), config);
    case "llama3":
      return { scaling: llama3(numbers) };
    case "yarn":
      return { scaling: yarn(numbers, config) };
    case "longrope":
      return { scaling: longrope(numbers, config) };
  }
}

/** Frequencies that follow the text's length beyond the context of the pre-training, up to `factor` times that. */
function dynamic(factor: number, { max_position_embeddings }: RopeFields) {
  return {
    scaling: { kind: "dynamic" as const, factor, originalContextTokens: max_position_embeddings },
    contextTokens: Math.floor(Math.max(1, factor) * max_position_embeddings),
  };
}

function llama3(numbers: Numbers): RopeScaling {
  const factor = numbers.get("factor");
  const [lowFrequencyFactor, highFrequencyFactor] = [numbers.get("low_freq_factor"), numbers.get("high_freq_factor")];
  if (lowFrequencyFactor >= highFrequencyFactor) {
    throw new NodeError(
      "MODEL_CONFIG",
      `config.json: low_freq_factor ${lowFrequencyFactor} must be less than high_freq_factor ${highFrequencyFactor}`,
      { field: "low_freq_factor" },
    );
  }
  const originalContextTokens = numbers.get("original_max_position_embeddings");
  return { kind: "llama3", factor, lowFrequencyFactor, highFrequencyFactor, originalContextTokens };
}

/** Peng et al. 2023, arXiv:2309.00071; defaults and the factor of attention as transformers 5 has them. */
function yarn(numbers: Numbers, config: RopeFields): RopeScaling {
  const factor = numbers.get("factor");
  const [scale, scaleAll] = [numbers.find("mscale"), numbers.find("mscale_all_dim")];
  const growth = (by: number): number => (factor <= 1 ? 1 : 0.1 * by * Math.log(factor) + 1);
  const ratio = scale !== undefined && scaleAll !== undefined ? growth(scale) / growth(scaleAll) : growth(1);
  return {
    kind: "yarn",
    factor,
    betaFast: numbers.find("beta_fast") ?? 32,
    betaSlow: numbers.find("beta_slow") ?? 1,
    truncate: numbers.flag("truncate", true),
    originalContextTokens: originalContext(numbers, config),
    attentionFactor: numbers.find("attention_factor") ?? ratio,
  };
}

/** Ding et al. 2024, arXiv:2402.13753: texts of the original context have short factors, longer ones others. */
function longrope(numbers: Numbers, config: RopeFields): RopeScaling {
  const factors = numbers.list("short_factor");
  const longer = { than: originalContext(numbers, config), factors: numbers.list("long_factor") };
  const factor = numbers.find("factor") ?? config.max_position_embeddings / originalContext(numbers, config);
  const grown = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(originalContext(numbers, config)));
  const attentionFactor = numbers.find("attention_factor") ?? grown;
  return { kind: "longrope", factors, longer, attentionFactor };
}

/** Some families write it beside the parameters, and then that counts. */
const originalContext = (numbers: Numbers, config: RopeFields): number =>
  config.original_max_position_embeddings ??
  numbers.find("original_max_position_embeddings") ??
  config.max_position_embeddings;

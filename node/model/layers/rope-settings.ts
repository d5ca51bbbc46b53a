/**
 * How a config says where tokens stand: `rope_theta` beside `rope_scaling` (transformers 4), or both in
 * `rope_parameters` (transformers 5).
 */
import { z } from "zod";
import { NodeError } from "../../errors.ts";
import { unsupported } from "../config.ts";

/** How positions are turned into angles. */
export interface RopeSettings {
  readonly theta: number;
  readonly scaling: RopeScaling;
}

/** How frequencies are changed for contexts longer than those of the pre-training. */
export type RopeScaling =
  | { readonly kind: "default" }
  | { readonly kind: "linear"; readonly factor: number }
  | {
      readonly kind: "llama3";
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      /** Context of the pre-training, before it was extended. */
      readonly originalContextTokens: number;
    };

/** The default of all families of the Llama layout. */
const THETA = 10_000;

const record = z.record(z.string(), z.unknown());

/** The fields of config.json that `ropeSettings` reads. */
export const ROPE_FIELDS = {
  rope_theta: z.number().positive().optional(),
  rope_scaling: record.nullish(),
  rope_parameters: record.nullish(),
};

/** The fields of a config that speak of positions. */
export interface RopeFields {
  readonly rope_theta?: number | undefined;
  readonly rope_scaling?: Readonly<Record<string, unknown>> | null | undefined;
  readonly rope_parameters?: Readonly<Record<string, unknown>> | null | undefined;
}

/** Throws: MODEL_CONFIG naming the field, a kind of scaling that weft does not do among them. */
export function ropeSettings(config: RopeFields): RopeSettings {
  const place = config.rope_parameters ? "rope_parameters" : "rope_scaling";
  if (config.rope_parameters && config.rope_scaling) {
    throw new NodeError("MODEL_CONFIG", "config.json has both rope_parameters and rope_scaling; keep one of them", {
      field: place,
    });
  }
  const fields = config[place] ?? {};
  const kind = fields.rope_type ?? fields.type ?? "default";
  if (kind !== "default" && kind !== "linear" && kind !== "llama3") {
    throw unsupported(`${place}.rope_type`, kind, "weft computes default, linear and llama3");
  }
  const known = ["rope_type", "type", "rope_theta", ...NUMBERS[kind]];
  for (const [name, value] of Object.entries(fields)) {
    if (known.includes(name) || value === null || (name === "partial_rotary_factor" && value === 1)) continue;
    throw unsupported(`${place}.${name}`, value, `it has no meaning for rope_type ${kind}`);
  }
  const number = (name: string): number => {
    const value = fields[name];
    if (typeof value === "number" && value > 0 && Number.isFinite(value)) return value;
    throw unsupported(`${place}.${name}`, value, "a positive number is needed");
  };
  const theta = fields.rope_theta === undefined ? (config.rope_theta ?? THETA) : number("rope_theta");
  return { theta, scaling: scalingOf(kind, number) };
}

const NUMBERS = {
  default: [],
  linear: ["factor"],
  llama3: ["factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"],
} as const;

function scalingOf(kind: keyof typeof NUMBERS, number: (name: string) => number): RopeScaling {
  if (kind === "default") return { kind };
  const factor = number("factor");
  if (kind === "linear") return { kind, factor };
  const [lowFrequencyFactor, highFrequencyFactor] = [number("low_freq_factor"), number("high_freq_factor")];
  if (lowFrequencyFactor >= highFrequencyFactor) {
    throw new NodeError(
      "MODEL_CONFIG",
      `config.json: low_freq_factor ${lowFrequencyFactor} must be less than high_freq_factor ${highFrequencyFactor}`,
      { field: "low_freq_factor" },
    );
  }
  const originalContextTokens = number("original_max_position_embeddings");
  return { kind, factor, lowFrequencyFactor, highFrequencyFactor, originalContextTokens };
}

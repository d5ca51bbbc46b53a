/**
 * The text model inside a directory of several parts, such as one that sees images: for a text without images these
 * compute what their text model computes alone. Its fields stand in `text_config`, its weights under names of their own.
 * Source: transformers 5, conversion of `language_model` names; only families of which that was compared are taken.
 */
import { NodeError } from "../errors.ts";
import { unsupported } from "./config.ts";
import { isObject } from "./fields.ts";

/** `model_type`s whose text path is their text model and nothing else, and whether they tie output and embedding by default. */
const PARTED: ReadonlyMap<unknown, boolean> = new Map([
  ["gemma3", true],
  ["gemma4", true],
  ["llava", false],
  ["mistral3", true],
]);

/** The part of a config that says what is computed for a text. */
export interface TextConfig {
  /** The fields by which the text model is built. */
  readonly config: unknown;
  /** The text model's own name of a stored tensor; undefined for those of other parts. */
  readonly nameOf: (stored: string) => string | undefined;
  /** Of the whole, where it has several parts. */
  readonly parted?: string;
}

/**
 * config: parsed config.json.
 * Throws: MODEL_CONFIG for quantised weights of the whole, and for a whole whose text path is not its text model alone.
 */
export function textConfig(config: unknown): TextConfig {
  if (!isObject(config) || !isObject(config.text_config)) return { config, nameOf: (stored) => stored };
  const { model_type: type, text_config: text } = config;
  if (typeof type !== "string" || !PARTED.has(type)) {
    // Known families name the field itself; what is not known is refused by its type.
    return { config, nameOf: (stored) => stored };
  }
  for (const [field, value] of Object.entries(config)) {
    const isOff = value === null || value === false || (isObject(value) && Object.keys(value).length === 0);
    if (/quant|compression/.test(field) && !isOff) {
      throw unsupported(field, value, "quantised weights; take the F32, F16 or BF16 model");
    }
  }
  if (typeof text.model_type !== "string") {
    throw new NodeError("MODEL_CONFIG", "config.json: text_config names no model_type; take the file of the model", {
      field: "text_config",
    });
  }
  const shared = ["dtype", "torch_dtype", "eos_token_id", "bos_token_id"];
  const outer = Object.fromEntries(Object.entries(config).filter(([field]) => shared.includes(field)));
  // The whole's word counts, for the whole has the output matrix.
  const tie_word_embeddings = config.tie_word_embeddings ?? text.tie_word_embeddings ?? PARTED.get(type);
  return { config: { ...outer, ...text, tie_word_embeddings }, nameOf: innerName, parted: type };
}

/** `model.language_model.layers…`, or `language_model.model.layers…` as transformers 4 wrote it. */
export function innerName(stored: string): string | undefined {
  if (stored === "lm_head.weight" || stored === "language_model.lm_head.weight") return "lm_head.weight";
  const [, rest] = /^(?:model\.language_model|language_model\.model)\.(.+)$/.exec(stored) ?? [];
  return rest === undefined ? undefined : `model.${rest}`;
}

/** generation_config.json: which tokens end a text, and how the model's makers draw the next one. */
import { NodeError } from "../errors.ts";
import { isObject } from "./fields.ts";

/** What a directory says of how its model is used. */
export interface GenerationSettings {
  /** Tokens that end a text: of generation_config.json, else of config.json. */
  readonly endIds: readonly number[];
  /** Absent where the model says nothing, or says that the likeliest token is taken. */
  readonly sampling?: { readonly temperature: number; readonly topP: number; readonly topK?: number };
  /** Settings that change what is drawn and that weft does not have, as they stand in the file. */
  readonly ignored: readonly string[];
}

/** Settings of others, and the values with which they change nothing. */
const UNKNOWN: Readonly<Record<string, readonly unknown[]>> = {
  repetition_penalty: [1],
  encoder_repetition_penalty: [1],
  no_repeat_ngram_size: [0],
  min_p: [0],
  typical_p: [1],
  epsilon_cutoff: [0],
  eta_cutoff: [0],
  num_beams: [1],
  penalty_alpha: [0],
  guidance_scale: [1],
  bad_words_ids: [],
  suppress_tokens: [],
  begin_suppress_tokens: [],
  forced_bos_token_id: [],
  forced_eos_token_id: [],
  sequence_bias: [],
  min_new_tokens: [0],
  min_length: [0],
};

/**
 * What a directory says, from its two parsed files.
 * Throws: MODEL_CONFIG for an end token that is no id, and for a temperature or share that is none.
 */
export function generationSettings({
  directory,
  config,
  generationConfig,
}: {
  readonly directory: string;
  readonly config: unknown;
  readonly generationConfig?: unknown;
}): GenerationSettings {
  const place = `${directory}/generation_config.json`;
  if (generationConfig !== undefined && !isObject(generationConfig)) {
    throw new NodeError("MODEL_CONFIG", `${place} is not a JSON object; take it from the model again`);
  }
  const fields = generationConfig ?? {};
  const own = endIds(fields.eos_token_id, place);
  const { eos_token_id: named, text_config: text } = isObject(config) ? config : {};
  const inner = isObject(text) ? text.eos_token_id : undefined;
  const ids = own ?? endIds(named ?? inner, `${directory}/config.json`) ?? [];
  const ignored = Object.entries(fields)
    .filter(([name, value]) => {
      const neutral = Object.hasOwn(UNKNOWN, name) ? UNKNOWN[name] : undefined;
      return neutral !== undefined && value !== null && value !== false && !neutral.includes(value);
    })
    .map(([name, value]) => `${name} = ${JSON.stringify(value)}`);
  return { endIds: ids, ignored, ...(fields.do_sample === true ? { sampling: samplingOf(fields, place) } : {}) };
}

/** Defaults are those of transformers 5: temperature 1, all tokens by top-p, of them the 50 likeliest. */
function samplingOf(fields: Readonly<Record<string, unknown>>, place: string) {
  const number = (name: string, otherwise: number, fits: (value: number) => boolean): number => {
    const value = fields[name] ?? otherwise;
    if (typeof value === "number" && Number.isFinite(value) && fits(value)) return value;
    throw new NodeError("MODEL_CONFIG", `${place}: ${name} = ${JSON.stringify(value)} cannot be used; correct it`);
  };
  const topK = number("top_k", 50, (value) => Number.isInteger(value) && value >= 0);
  return {
    temperature: number("temperature", 1, (value) => value >= 0),
    topP: number("top_p", 1, (value) => value > 0 && value <= 1),
    ...(topK > 0 ? { topK } : {}),
  };
}

/** One id or a list; undefined where the field is absent or null. */
function endIds(value: unknown, place: string): readonly number[] | undefined {
  if (value === undefined || value === null) return undefined;
  const ids = Array.isArray(value) ? value : [value];
  if (ids.every((id): id is number => Number.isSafeInteger(id))) return ids.filter((id) => id >= 0);
  throw new NodeError("MODEL_CONFIG", `${place}: eos_token_id = ${JSON.stringify(value)} is no token id; correct it`);
}

/**
 * Reading config.json: every field that decides the computation is checked, and a setting that weft does not compute is
 * refused by name. Fields that only describe the model are passed over, such as its author or its initialisation. So are
 * dropout rates, because a frozen model has no dropout here.
 */
import { z } from "zod";
import { NodeError } from "../errors.ts";

/** Bounds of a size: large enough for any model, small enough that nothing is built from a mistyped one. */
export const COUNT = z.number().int().positive().max(1_000_000_000);
/** The deepest published transformers have about 120 layers. */
export const LAYERS = z.number().int().positive().max(1000);

/** How weights were stored, which the files say themselves; some programs write PyTorch's own name of it. */
const DTYPE = z
  .string()
  .regex(/^(?:auto|(?:torch\.)?b?float(?:16|32|64))$/, "weft reads float64, float32, float16 and bfloat16");

/** Fields that every family has; `architectures` is each family's own list. */
export const COMMON_FIELDS = { torch_dtype: DTYPE.nullish(), dtype: DTYPE.nullish() };

/** `architectures`: the classes of transformers by which a family's models are saved, of those that weft computes. */
export const architectureNames = <const Name extends string>(...names: readonly [Name, ...Name[]]) =>
  z.array(z.enum(names, { error: `of this family weft takes ${names.join(", ")}` })).nullish();

/**
 * A config by its family's schema; fields outside of the schema must not change what is computed.
 * Throws: MODEL_CONFIG naming the field and its value.
 */
export function readConfig<Schema extends z.ZodObject>(schema: Schema, config: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(config);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    const value = issue.path.reduce<unknown>(
      (at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key],
      config,
    );
    const field = issue.path.join(".");
    throw unsupported(field, value, issue.message);
  }
  for (const [field, value] of Object.entries(config as Readonly<Record<string, unknown>>)) {
    if (Object.hasOwn(schema.shape, field)) continue;
    if (isUnusedWindow(field, config as Readonly<Record<string, unknown>>)) continue;
    const meaning = meaningOf(field, value);
    if (meaning !== undefined) throw unsupported(field, value, meaning);
  }
  return parsed.data;
}

/** The refusal of one field, or of a config that lacks it. */
export function unsupported(field: string, value: unknown, why: string): NodeError {
  if (value === undefined) {
    const text = `config.json has no ${field}, which this model needs; add it as the model's makers have it`;
    return new NodeError("MODEL_CONFIG", text, { field });
  }
  const shown = JSON.stringify(value);
  const short = shown.length > 80 ? `${shown.slice(0, 80)}…` : shown;
  return new NodeError("MODEL_CONFIG", `config.json: ${field} = ${short} is not supported (${why})`, { field });
}

interface Meaning {
  readonly names: RegExp;
  readonly what: string;
  /** Values besides null, false, "", [] and {} with which the field changes nothing. */
  readonly neutral?: readonly unknown[];
}

/**
 * Names that say that a field changes what is computed. They are patterns, because the next architecture's name for
 * its logit scale is not known yet: a field that sounds like one and does not say "off" is refused.
 */
const MEANINGS: readonly Meaning[] = [
  { names: /quant|compression/, what: "quantised weights; take the F32, F16 or BF16 model" },
  { names: /expert|moe_|_moe|router/, what: "a mixture of experts", neutral: [0] },
  { names: /softcap/, what: "capped attention scores or logits", neutral: [0] },
  { names: /multiplier|scal(e|es|ing)(_|$)|^scale/, what: "scaled activations", neutral: [1] },
  { names: /rotary|rope|alibi|pos(ition)?_emb|relative_/, what: "positions of another kind", neutral: [1] },
  { names: /window|chunk|sparse/, what: "attention to a part of the tokens", neutral: [0] },
  { names: /(^|_)norm|norm(s|ed|_type|alize.*)?$|^clip_/, what: "normalisations of another kind" },
  { names: /(^|_)act(_fn|ivation)?($|_)|activation/, what: "another activation" },
  { names: /bias$|^no_bias/, what: "biases that this family does not have" },
  { names: /attention|attn|residual|causal|^is_(encoder_)?decoder$/, what: "another form of attention or residual" },
  { names: /logit|embedding_size|embd?_proj/, what: "another embedding or output" },
  { names: /^(text|vision|audio|speech|encoder|decoder)_config$/, what: "a model of several parts" },
  { names: /^pruned_heads$/, what: "removed attention heads" },
  { names: /^auto_map$/, what: "a model with code of its own" },
  { names: /kv_shared|shared_layers|skip_layers|layer_types|layers_block_type/, what: "layers of different kinds" },
];

/** Names that a pattern above would catch although they change nothing here. */
const DESCRIPTIVE: readonly RegExp[] = [
  /^_/,
  /dropout|pdrop|drop_?path|jitter/,
  /^initializer|^init_|initializer_range$/,
  /eps(ilon)?$/,
  /^(output|summary|pooler)_/,
  /attn_implementation|flash_att/,
  /^(num_)?logits_to_keep$/,
  /^(chunk_size_feed_forward|reorder_and_upcast_attn|router_aux_loss_coef|max_window_layers|transformers\.js_config)$/,
];

/** The effect of a field outside of the schema; undefined when it changes nothing. */
function meaningOf(field: string, value: unknown): string | undefined {
  if (isOff(value) || DESCRIPTIVE.some((names) => names.test(field))) return undefined;
  const meaning = MEANINGS.find(({ names }) => names.test(field));
  return meaning?.neutral?.includes(value) ? undefined : meaning?.what;
}

/** A window that the config itself switches off. */
const isUnusedWindow = (field: string, config: Readonly<Record<string, unknown>>): boolean =>
  field === "sliding_window" && config.use_sliding_window === false;

function isOff(value: unknown): boolean {
  if (value === null || value === undefined || value === false || value === "") return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}

/**
 * The settings of a GGUF file as a config.json, and the names of its tensors. What an architecture's file does not say, its
 * program knows: those rules stand here with their source.
 * Source: llama.cpp, src/llama-model.cpp (`load_hparams`) and gguf-py/gguf/constants.py; Hugging Face transformers.
 */
import { NodeError } from "../../errors.ts";
import type { GgufHeader, GgufValue } from "./gguf-header.ts";
import type { TensorRole } from "./gguf-tensors.ts";

/** What is read of a file, by its `general.architecture`. */
interface Architecture {
  readonly modelType: string;
  /** Whether halves of heads stand interleaved. */
  readonly interleaved?: true;
  /** Norms stand with the 1 that is added to them, and also behind attention and MLP. */
  readonly gemma?: true;
  /** More fields of config.json. */
  readonly more: (settings: GgufSettings) => Readonly<Record<string, unknown>>;
}

const ARCHITECTURES: Readonly<Record<string, Architecture>> = {
  llama: {
    modelType: "llama",
    interleaved: true,
    more: (s) => ({ head_dim: s.headSize, attention_bias: s.has("blk.0.attn_q.bias") }),
  },
  qwen2: { modelType: "qwen2", more: () => ({}) },
  qwen3: { modelType: "qwen3", more: (s) => ({ head_dim: s.headSize }) },
  gemma2: { modelType: "gemma2", gemma: true, more: gemma2 },
  gemma3: { modelType: "gemma3_text", gemma: true, more: gemma3 },
};

/** A model file as the parts of a model directory. */
export interface GgufModel {
  readonly config: Readonly<Record<string, unknown>>;
  readonly roleOf: (name: string) => TensorRole | undefined;
}

/** The values of one architecture's settings. */
class GgufSettings {
  readonly #name: string;
  readonly #architecture: string;
  readonly #header: GgufHeader;
  readonly #tensors: ReadonlySet<string>;

  constructor(name: string, architecture: string, header: GgufHeader) {
    this.#name = name;
    this.#architecture = architecture;
    this.#header = header;
    this.#tensors = new Set(header.tensors.map((tensor) => tensor.name));
  }

  /** What the file says of this architecture, by the names without its own. */
  get all(): readonly (readonly [key: string, value: GgufValue])[] {
    const begin = `${this.#architecture}.`;
    return [...this.#header.settings].flatMap(([key, value]) =>
      key.startsWith(begin) ? [[key.slice(begin.length), value] as const] : [],
    );
  }

  has = (tensor: string): boolean => this.#tensors.has(tensor);

  find(key: string): GgufValue | undefined {
    return this.#header.settings.get(`${this.#architecture}.${key}`);
  }

  number(key: string): number | undefined {
    const value = this.find(key);
    if (value === undefined || typeof value === "number") return value;
    throw this.refusal(key, "no number");
  }

  needed(key: string): number {
    const value = this.number(key);
    if (value !== undefined) return value;
    throw this.refusal(key, "missing");
  }

  get headSize(): number {
    return this.number("attention.key_length") ?? this.needed("embedding_length") / this.needed("attention.head_count");
  }

  refusal(key: string, what: string): NodeError {
    return new NodeError("MODEL_CONFIG", `${this.#name}: ${this.#architecture}.${key} is ${what}`);
  }
}

/**
 * name: of the file, for error lines; ropeFactors: the values of `rope_freqs.weight`, where there is such a tensor.
 * Throws: MODEL_CONFIG naming the architecture or the setting that weft does not read.
 */
export function ggufModel(name: string, header: GgufHeader, ropeFactors: Float32Array | undefined): GgufModel {
  const given = header.settings.get("general.architecture");
  const architecture =
    typeof given === "string" && Object.hasOwn(ARCHITECTURES, given) ? ARCHITECTURES[given] : undefined;
  if (!architecture || typeof given !== "string") {
    const known = Object.keys(ARCHITECTURES).join(", ");
    const text = `${name}: general.architecture ${JSON.stringify(given)?.slice(0, 60)} is not read from GGUF; weft reads ${known}: take the model's directory with config.json and safetensors`;
    throw new NodeError("MODEL_CONFIG", text);
  }
  refuseParts(name, header);
  const settings = new GgufSettings(name, given, header);
  refuseOthers(settings);
  refuseUnread(settings, architecture);
  const embedding = header.tensors.find((tensor) => tensor.name === "token_embd.weight");
  const heads = settings.needed("attention.head_count");
  const groups = settings.number("attention.head_count_kv") ?? heads;
  const hidden = settings.needed("embedding_length");
  const rope = ropeOf(settings, ropeFactors);
  const config = {
    model_type: architecture.modelType,
    hidden_size: hidden,
    num_hidden_layers: settings.needed("block_count"),
    intermediate_size: settings.needed("feed_forward_length"),
    num_attention_heads: heads,
    num_key_value_heads: groups,
    max_position_embeddings: settings.needed("context_length"),
    rms_norm_eps: single(settings.needed("attention.layer_norm_rms_epsilon")),
    ...(architecture.gemma ? {} : { hidden_act: "silu" }),
    ...(embedding && { vocab_size: embedding.shape[0] }),
    tie_word_embeddings: !settings.has("output.weight"),
    ...rope,
    ...architecture.more(settings),
  };
  return { config, roleOf: (tensor) => roleOf(tensor, architecture, { heads, groups }) };
}

/** A number that was written as f32 and meant as the decimal number: 1e-5 stands as 9.99999974e-6. */
const single = (value: number): number => Number(value.toPrecision(7));

function refuseOthers(settings: GgufSettings): void {
  if ((settings.number("expert_count") ?? 0) > 0)
    throw settings.refusal("expert_count", "that of a mixture of experts, which weft does not compute");
  const size = settings.headSize;
  const others = ["attention.value_length", "rope.dimension_count"].find(
    (key) => (settings.number(key) ?? size) !== size,
  );
  if (others !== undefined)
    throw settings.refusal(others, `not the size of a head, ${size}; weft does not compute that from GGUF`);
}

/** Files that are no whole model. */
function refuseParts(name: string, { settings }: GgufHeader): void {
  const type = settings.get("general.type");
  if (type !== undefined && type !== "model")
    throw new NodeError("MODEL_CONFIG", `${name} holds no model but, by its general.type, ${JSON.stringify(type)}`);
  const parts = settings.get("split.count");
  if (typeof parts === "number" && parts > 1) {
    const text = `${name} is one of ${parts} parts of a model; join them first (llama-gguf-split --merge FIRST-PART WHOLE)`;
    throw new NodeError("MODEL_CONFIG", text);
  }
}

/** Settings that say that something else is computed. What only describes, or names a kernel's layout, is passed over. */
const COMPUTED =
  /softcapping|clamp|scale|causal|window|parallel_residual|alibi|lora_rank|expert|shared_kv|pattern|_swa$|sections|yarn|attn_factor|alpha|swin_norm|_every_|_latent_|temperature|^(?:ssm|altup|shortconv|kda|wkv)\./;
/** Values that say that it is not. */
const NEUTRAL: readonly unknown[] = [0, 1, false, "none"];
/** What the gemmas' files say, and with which values they compute what weft does; any where there are none. */
const OF_GEMMA: Readonly<Record<string, readonly unknown[] | undefined>> = {
  "attention.sliding_window": undefined,
  attn_logit_softcapping: undefined,
  final_logit_softcapping: undefined,
  "attention.sliding_window_pattern": [6],
  "rope.freq_base_swa": [10_000],
};

/** Settings that would change what is computed and that nothing here reads. */
function refuseUnread(settings: GgufSettings, { gemma, modelType }: Architecture): void {
  for (const [key, value] of settings.all) {
    const isNeutral = key === "attention.causal" ? value === true : NEUTRAL.includes(value);
    if (!COMPUTED.test(key) || isNeutral) continue;
    if (key === "expert_used_count") continue;
    const isRead = gemma && Object.hasOwn(OF_GEMMA, key) && (modelType === "gemma2" || !key.startsWith("attn_"));
    if (isRead && (OF_GEMMA[key]?.includes(value) ?? true)) continue;
    throw settings.refusal(
      key,
      `${JSON.stringify(value)}, which weft does not compute from GGUF: take the model's directory`,
    );
  }
}

function ropeOf(settings: GgufSettings, factors: Float32Array | undefined): Readonly<Record<string, unknown>> {
  const theta = settings.number("rope.freq_base") ?? 10_000;
  const type = settings.find("rope.scaling.type");
  if (factors) {
    // Llama 3 in GGUF: each angle's factor; longrope with one list for all lengths computes exactly that.
    const context = settings.needed("context_length");
    const list = [...factors];
    const rope_scaling = {
      rope_type: "longrope",
      short_factor: list,
      long_factor: list,
      attention_factor: 1,
      original_max_position_embeddings: context,
    };
    return { rope_theta: theta, rope_scaling };
  }
  if (type === undefined || type === "none") return { rope_theta: theta };
  const factor = settings.needed("rope.scaling.factor");
  if (type === "linear") return { rope_theta: theta, rope_scaling: { rope_type: "linear", factor } };
  throw settings.refusal(
    "rope.scaling.type",
    `${JSON.stringify(type)}; weft reads none and linear from GGUF: take the model's directory`,
  );
}

/** The largest Gemmas scale scores by the width of the stream for each head.  Source: llama-model.cpp, f_attention_scale. */
function gemmaScale(s: GgufSettings, largest: number): number {
  return s.needed("block_count") === largest
    ? s.needed("embedding_length") / s.needed("attention.head_count")
    : s.headSize;
}

function gemma2(s: GgufSettings): Readonly<Record<string, unknown>> {
  return {
    head_dim: s.headSize,
    query_pre_attn_scalar: gemmaScale(s, 46),
    sliding_window: s.needed("attention.sliding_window"),
    attn_logit_softcapping: s.number("attn_logit_softcapping") ?? 50,
    final_logit_softcapping: s.number("final_logit_softcapping") ?? 30,
  };
}

function gemma3(s: GgufSettings): Readonly<Record<string, unknown>> {
  return {
    head_dim: s.headSize,
    query_pre_attn_scalar: gemmaScale(s, 62),
    sliding_window: s.needed("attention.sliding_window"),
    rope_theta: s.number("rope.freq_base") ?? 1_000_000,
    rope_local_base_freq: 10_000,
  };
}

/** Names of the parts of a block; Gemma has norms before and behind, so `ffn_norm` is another one there. */
const BLOCK: Readonly<Record<string, string>> = {
  attn_q: "self_attn.q_proj",
  attn_k: "self_attn.k_proj",
  attn_v: "self_attn.v_proj",
  attn_output: "self_attn.o_proj",
  attn_q_norm: "self_attn.q_norm",
  attn_k_norm: "self_attn.k_norm",
  attn_norm: "input_layernorm",
  ffn_norm: "post_attention_layernorm",
  ffn_gate: "mlp.gate_proj",
  ffn_up: "mlp.up_proj",
  ffn_down: "mlp.down_proj",
};
const GEMMA_BLOCK: Readonly<Record<string, string>> = {
  ...BLOCK,
  post_attention_norm: "post_attention_layernorm",
  ffn_norm: "pre_feedforward_layernorm",
  post_ffw_norm: "post_feedforward_layernorm",
};
const WHOLE: Readonly<Record<string, string>> = {
  "token_embd.weight": "model.embed_tokens.weight",
  "output_norm.weight": "model.norm.weight",
  "output.weight": "lm_head.weight",
};

function roleOf(
  tensor: string,
  { gemma, interleaved }: Architecture,
  { heads, groups }: { readonly heads: number; readonly groups: number },
): TensorRole | undefined {
  const plusOne = gemma !== undefined && tensor.endsWith("norm.weight");
  const whole = Object.hasOwn(WHOLE, tensor) ? WHOLE[tensor] : undefined;
  if (whole !== undefined) return { name: whole, plusOne };
  const [, layer, part, kind] = /^blk\.(\d+)\.([a-z_]+)\.(weight|bias)$/.exec(tensor) ?? [];
  const names = gemma ? GEMMA_BLOCK : BLOCK;
  if (part === undefined || !Object.hasOwn(names, part)) {
    // A tensor of a block that is not known is told as one that nothing reads.
    return layer === undefined ? undefined : { name: `model.layers.${layer}.${tensor}` };
  }
  const interleavedHeads = !interleaved
    ? undefined
    : part === "attn_q"
      ? heads
      : part === "attn_k"
        ? groups
        : undefined;
  return {
    name: `model.layers.${layer}.${names[part]}.${kind}`,
    plusOne,
    ...(interleavedHeads !== undefined && { interleavedHeads }),
  };
}

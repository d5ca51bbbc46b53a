/**
 * The slow oracle of every model family: the forward pass in float64, one token, one head, one number at a time, read
 * off config.json by itself. It shares no code with the families; it is held to PyTorch's golden values in its test.
 */

/** Rows of numbers: [tokens][width]. */
type Matrix = number[][];

export type ReferenceConfig = Readonly<Record<string, unknown>>;

/** Values of a stored tensor by name, row-major. */
export type ReferenceWeights = (name: string) => ArrayLike<number>;

/**
 * Logits of one text: a row for every token, or for classifiers of texts one row.
 * ids: with padding on the right, if any; length: tokens of the text itself.
 */
export function referenceForward(
  config: ReferenceConfig,
  weights: ReferenceWeights,
  { ids, length }: { readonly ids: readonly number[]; readonly length: number },
): Matrix {
  switch (config.model_type) {
    case "gpt2":
      return gpt2(config, weights, ids);
    case "bert":
    case "roberta":
      return encoderClassifier(config, weights, { ids, length });
    default:
      return llamaLayout(config, weights, ids);
  }
}

const TYPES: readonly unknown[] = ["gpt2", "bert", "roberta", "llama", "mistral", "qwen2", "qwen3"];
const ROPES: readonly unknown[] = [undefined, "default", "linear", "llama3"];

/** Whether the oracle computes a model; other families and kinds, and packed weights, are held to PyTorch alone. */
export function hasReference(config: ReferenceConfig): boolean {
  const rope = (config.rope_parameters ?? config.rope_scaling ?? {}) as ReferenceConfig;
  const types = config.layer_types as readonly string[] | null | undefined;
  return (
    TYPES.includes(config.model_type) &&
    config.quantization_config === undefined &&
    ROPES.includes(rope.rope_type ?? rope.type) &&
    !types?.includes("sliding_attention")
  );
}

/** llama, mistral, qwen2, qwen3. */
function llamaLayout(config: ReferenceConfig, weights: ReferenceWeights, ids: readonly number[]): Matrix {
  const type = config.model_type;
  const hidden = number(config.hidden_size);
  const heads = number(config.num_attention_heads);
  const keyHeads = number(config.num_key_value_heads ?? heads);
  const size = number(config.head_dim ?? (type === "qwen3" ? 128 : hidden / heads));
  const epsilon = number(config.rms_norm_eps);
  const inner = number(config.intermediate_size);
  const biased = (part: string): boolean => {
    if (/gate|up|down/.test(part)) return config.mlp_bias === true;
    if (type === "qwen2") return part !== "o_proj";
    return config.attention_bias === true;
  };
  const frequencies = ropeFrequencies(config, size);
  const window =
    type === "mistral" && config.sliding_window !== null ? number(config.sliding_window ?? 4096) : Infinity;
  let h = embed(weights("model.embed_tokens.weight"), ids, hidden);
  for (let layer = 0; layer < number(config.num_hidden_layers); layer++) {
    const path = `model.layers.${layer}`;
    const apply = (x: Matrix, module: string, outputs: number): Matrix =>
      linear(x, weights(`${path}.${module}.weight`), outputs, {
        bias: biased(module.split(".")[1]!) ? weights(`${path}.${module}.bias`) : undefined,
      });
    const norm = (x: Matrix, name: string): Matrix =>
      x.map((row) => rmsNorm(row, weights(`${path}.${name}.weight`), epsilon));
    const x = norm(h, "input_layernorm");
    const turned = (module: string, count: number): Matrix[] =>
      splitHeads(apply(x, `self_attn.${module}_proj`, count * size), count).map((head) => {
        const normed = type === "qwen3" ? norm(head, `self_attn.${module}_norm`) : head;
        return normed.map((row, t) => rotateHalves(row, t, frequencies));
      });
    const queries = turned("q", heads);
    const keys = turned("k", keyHeads);
    const values = splitHeads(apply(x, "self_attn.v_proj", keyHeads * size), keyHeads);
    const mixed = queries.map((query, head) => {
      const shared = Math.floor(head / (heads / keyHeads));
      return attendHead(query, keys[shared]!, values[shared]!, (t, s) => s <= t && s > t - window);
    });
    h = sum(h, apply(joinHeads(mixed), "self_attn.o_proj", hidden));
    const y = norm(h, "post_attention_layernorm");
    const gate = apply(y, "mlp.gate_proj", inner);
    const up = apply(y, "mlp.up_proj", inner);
    const product = gate.map((row, t) => row.map((g, i) => ACTIVATION[String(config.hidden_act)]!(g) * up[t]![i]!));
    h = sum(h, apply(product, "mlp.down_proj", hidden));
  }
  const last = h.map((row) => rmsNorm(row, weights("model.norm.weight"), epsilon));
  const output = config.tie_word_embeddings === true ? "model.embed_tokens.weight" : "lm_head.weight";
  return linear(last, weights(output), number(config.vocab_size));
}

/** GPT-2; its matrices are stored as [inputs, outputs]. */
function gpt2(config: ReferenceConfig, weights: ReferenceWeights, ids: readonly number[]): Matrix {
  const hidden = number(config.n_embd);
  const heads = number(config.n_head);
  const epsilon = number(config.layer_norm_epsilon);
  const at = (name: string): ArrayLike<number> => weights(`transformer.${name}`);
  const norm = (x: Matrix, name: string): Matrix =>
    x.map((row) => layerNorm(row, at(`${name}.weight`), at(`${name}.bias`), epsilon));
  const apply = (x: Matrix, name: string, outputs: number): Matrix =>
    linear(x, at(`${name}.weight`), outputs, { bias: at(`${name}.bias`), transposed: true });
  const places = ids.map((_, t) => t);
  let h = sum(embed(at("wte.weight"), ids, hidden), embed(at("wpe.weight"), places, hidden));
  for (let layer = 0; layer < number(config.n_layer); layer++) {
    const all = apply(norm(h, `h.${layer}.ln_1`), `h.${layer}.attn.c_attn`, 3 * hidden);
    const [q, k, v] = splitHeads(all, 3).map((part) => splitHeads(part, heads)) as [Matrix[], Matrix[], Matrix[]];
    const mixed = q.map((query, head) => attendHead(query, k[head]!, v[head]!, (t, s) => s <= t));
    h = sum(h, apply(joinHeads(mixed), `h.${layer}.attn.c_proj`, hidden));
    const inner = apply(norm(h, `h.${layer}.ln_2`), `h.${layer}.mlp.c_fc`, number(config.n_inner ?? 4 * hidden));
    const active = inner.map((row) => row.map(ACTIVATION[String(config.activation_function)]!));
    h = sum(h, apply(active, `h.${layer}.mlp.c_proj`, hidden));
  }
  return linear(norm(h, "ln_f"), at("wte.weight"), number(config.vocab_size));
}

/** BERT and RoBERTa with their classification heads: one row of logits. */
function encoderClassifier(
  config: ReferenceConfig,
  weights: ReferenceWeights,
  { ids, length }: { readonly ids: readonly number[]; readonly length: number },
): Matrix {
  const prefix = String(config.model_type);
  const hidden = number(config.hidden_size);
  const heads = number(config.num_attention_heads);
  const epsilon = number(config.layer_norm_eps);
  const norm = (x: Matrix, path: string): Matrix =>
    x.map((row) => layerNorm(row, weights(`${path}.LayerNorm.weight`), weights(`${path}.LayerNorm.bias`), epsilon));
  const apply = (x: Matrix, path: string, outputs: number): Matrix =>
    linear(x, weights(`${path}.weight`), outputs, { bias: weights(`${path}.bias`) });
  const table = (name: string): ArrayLike<number> => weights(`${prefix}.embeddings.${name}_embeddings.weight`);
  const first = prefix === "roberta" ? number(config.pad_token_id) + 1 : 0;
  const words = embed(table("word"), ids, hidden);
  const positions = ids.map((_, t) => first + t);
  const places = embed(table("position"), positions, hidden);
  const types = embed(table("token_type"), new Array<number>(ids.length).fill(0), hidden);
  let h = norm(sum(sum(words, types), places), `${prefix}.embeddings`);
  for (let layer = 0; layer < number(config.num_hidden_layers); layer++) {
    const path = `${prefix}.encoder.layer.${layer}`;
    const [q, k, v] = ["query", "key", "value"].map((name) =>
      splitHeads(apply(h, `${path}.attention.self.${name}`, hidden), heads),
    ) as [Matrix[], Matrix[], Matrix[]];
    const mixed = q.map((query, head) => attendHead(query, k[head]!, v[head]!, (_, s) => s < length));
    h = norm(sum(apply(joinHeads(mixed), `${path}.attention.output.dense`, hidden), h), `${path}.attention.output`);
    const inner = apply(h, `${path}.intermediate.dense`, number(config.intermediate_size));
    const active = inner.map((row) => row.map(ACTIVATION[String(config.hidden_act)]!));
    h = norm(sum(apply(active, `${path}.output.dense`, hidden), h), `${path}.output`);
  }
  const classes = Object.keys(config.id2label as object).length;
  if (String(config.architectures).endsWith("ForTokenClassification")) return apply(h, "classifier", classes);
  const [dense, output] =
    prefix === "bert" ? ["bert.pooler.dense", "classifier"] : ["classifier.dense", "classifier.out_proj"];
  const pooled = apply(h.slice(0, 1), dense!, hidden).map((row) => row.map(Math.tanh));
  return apply(pooled, output!, classes);
}

/** Turns per token of every pair, as transformers' modeling_rope_utils computes them. */
function ropeFrequencies(config: ReferenceConfig, size: number): number[] {
  const parameters = (config.rope_parameters ?? config.rope_scaling ?? {}) as ReferenceConfig;
  const theta = number(parameters.rope_theta ?? config.rope_theta ?? 10000);
  const type = parameters.rope_type ?? parameters.type ?? "default";
  const factor = Number(parameters.factor);
  const frequencies: number[] = [];
  for (let i = 0; i < size; i += 2) {
    const plain = 1 / theta ** (i / size);
    if (type === "default") frequencies.push(plain);
    else if (type === "linear") frequencies.push(plain / factor);
    else frequencies.push(llama3Frequency(plain, parameters));
  }
  return frequencies;
}

/** By wavelength: short waves stay, long ones are stretched, those between are smoothed. */
function llama3Frequency(plain: number, parameters: ReferenceConfig): number {
  const factor = number(parameters.factor);
  const low = number(parameters.low_freq_factor);
  const high = number(parameters.high_freq_factor);
  const context = number(parameters.original_max_position_embeddings);
  const wavelength = (2 * Math.PI) / plain;
  if (wavelength < context / high) return plain;
  if (wavelength > context / low) return plain / factor;
  const smooth = (context / wavelength - low) / (high - low);
  return ((1 - smooth) * plain) / factor + smooth * plain;
}

function rotateHalves(row: readonly number[], position: number, frequencies: readonly number[]): number[] {
  const half = row.length / 2;
  const out = new Array<number>(row.length);
  for (let i = 0; i < half; i++) {
    const angle = position * frequencies[i]!;
    out[i] = row[i]! * Math.cos(angle) - row[i + half]! * Math.sin(angle);
    out[i + half] = row[i + half]! * Math.cos(angle) + row[i]! * Math.sin(angle);
  }
  return out;
}

/** One head; sees(t, s) says whether the query at t may look at the key at s. */
function attendHead(q: Matrix, k: Matrix, v: Matrix, sees: (t: number, s: number) => boolean): Matrix {
  return q.map((query, t) => {
    const visible = k.map((_, s) => s).filter((s) => sees(t, s));
    const scores = visible.map((s) => dot(query, k[s]!) / Math.sqrt(query.length));
    const largest = Math.max(...scores);
    const shares = scores.map((score) => Math.exp(score - largest));
    const total = shares.reduce((a, b) => a + b, 0);
    const out = new Array<number>(v[0]!.length).fill(0);
    for (const [i, s] of visible.entries()) {
      for (let j = 0; j < out.length; j++) out[j]! += (shares[i]! / total) * v[s]![j]!;
    }
    return out;
  });
}

function rmsNorm(row: readonly number[], weight: ArrayLike<number>, epsilon: number): number[] {
  const meanSquare = dot(row, row) / row.length;
  return row.map((x, i) => (x / Math.sqrt(meanSquare + epsilon)) * weight[i]!);
}

function layerNorm(
  row: readonly number[],
  weight: ArrayLike<number>,
  bias: ArrayLike<number>,
  epsilon: number,
): number[] {
  const mean = row.reduce((a, b) => a + b, 0) / row.length;
  const variance = row.reduce((a, b) => a + (b - mean) ** 2, 0) / row.length;
  return row.map((x, i) => ((x - mean) / Math.sqrt(variance + epsilon)) * weight[i]! + bias[i]!);
}

/** y = x W^T + b; transposed: the matrix is stored as [inputs, outputs]. */
function linear(
  x: Matrix,
  matrix: ArrayLike<number>,
  outputs: number,
  { bias, transposed = false }: { bias?: ArrayLike<number> | undefined; transposed?: boolean } = {},
): Matrix {
  return x.map((row) =>
    Array.from({ length: outputs }, (_, o) => {
      let y = bias ? bias[o]! : 0;
      for (let i = 0; i < row.length; i++) y += row[i]! * matrix[transposed ? i * outputs + o : o * row.length + i]!;
      return y;
    }),
  );
}

const ACTIVATION: Readonly<Record<string, (x: number) => number>> = {
  silu: (x) => x / (1 + Math.exp(-x)),
  relu: (x) => Math.max(0, x),
  gelu: (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
  gelu_new: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
};

/** 2/sqrt(pi) e^(-x^2) sum_n 2^n x^(2n+1) / (2n+1)!!, whose terms all have one sign. */
function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let [term, total] = [x, x];
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(total); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    total += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * total;
}

function embed(table: ArrayLike<number>, ids: readonly number[], width: number): Matrix {
  return ids.map((id) => Array.from({ length: width }, (_, i) => table[id * width + i]!));
}

/** [tokens][count * size] -> count times [tokens][size]. */
function splitHeads(x: Matrix, count: number): Matrix[] {
  const size = x[0]!.length / count;
  return Array.from({ length: count }, (_, head) => x.map((row) => row.slice(head * size, (head + 1) * size)));
}

const joinHeads = (heads: readonly Matrix[]): Matrix => heads[0]!.map((_, t) => heads.flatMap((head) => head[t]!));
const sum = (a: Matrix, b: Matrix): Matrix => a.map((row, t) => row.map((x, i) => x + b[t]![i]!));
const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((total, x, i) => total + x * b[i]!, 0);

function number(value: unknown): number {
  if (typeof value === "number") return value;
  throw new Error(`${String(value)} is not a number`);
}

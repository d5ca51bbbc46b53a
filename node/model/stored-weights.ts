/** The tensors of a directory under the names that its family gives them, and what the files hold beside them. */
import { NodeError } from "../errors.ts";
import type { ModelFamily, WeightShape } from "./base-model.ts";
import { packedTensor } from "./packed/grouped-matrix.ts";
import { packedWords } from "./packed/packed-words.ts";
import type { WordPacking } from "./packed/quantization-config.ts";
import type { Located, StoredTensor } from "./weight-file.ts";

/** The tensors of a family. */
export interface StoredWeights {
  find(weight: WeightShape): StoredTensor | undefined;
  /** Throws: MODEL_MISSING. */
  get(weight: WeightShape): StoredTensor;
}

/** Where a family's tensors are looked for. */
export interface WeightPlace {
  readonly located: Located;
  /** What the names of the bare model's weights begin with. */
  readonly prefix: string;
  /** For error lines. */
  readonly directory: string;
  /** How matrices are packed, where config.json says so. */
  readonly packing?: WordPacking | undefined;
}

/** The output matrix of language models. */
const OUTPUT = "lm_head.weight";
/** The same, and its name in files of GPT-NeoX. */
const OUTPUTS: readonly string[] = [OUTPUT, "embed_out.weight"];
/** Embeddings that the output matrix may be. */
const EMBEDDINGS: readonly string[] = [
  "model.embed_tokens.weight",
  "transformer.wte.weight",
  "gpt_neox.embed_in.weight",
  "model.decoder.embed_tokens.weight",
];

/** Values of which a product can be computed. */
const FLOATS: readonly string[] = ["F64", "F32", "F16", "BF16"];

/** Tensors that say of the matrix beside them that it is to be unpacked: of GPTQ, AWQ, bitsandbytes, FP8, MLX and others. */
const PACKED =
  /^(.+)\.(qweight|q_weight|codebooks|centroids\.weight|W_q|qzeros|scales?|biases|g_idx|SCB|(?:weight|input|output)_(?:scale|packed|zero|shape|global)\w*|weight\.[\w.]+)$/;

/**
 * Find a family's tensors.
 * Throws: MODEL_CONFIG for a tensor of another shape, and for one that holds quantised values.
 */
export function storedWeights(family: Pick<ModelFamily, "weights" | "classifier">, place: WeightPlace): StoredWeights {
  const { located, directory } = place;
  const tied = isTied(family);
  const quantised = (name: string, what: string): NodeError => {
    const text = `tensor ${name} ${what}: quantised weights, which weft does not read; take the model in F32, F16 or BF16`;
    return new NodeError("MODEL_CONFIG", `${directory}: ${text}`);
  };
  const known = new Map<string, StoredTensor | undefined>();
  const packedOf = (weight: WeightShape): StoredTensor | undefined => {
    if (!place.packing || known.has(weight.name)) return known.get(weight.name);
    const found = packedWords(located, weight, place.packing);
    const tensor = found && { ...found.stored, packed: packedTensor(found.matrix) };
    known.set(weight.name, tensor);
    return tensor;
  };
  const packed = new Map<string, string>(
    [...located.keys()].flatMap((name) => {
      const path = PACKED.exec(name)?.[1];
      return path === undefined ? [] : [[`${path}.weight`, name] as const];
    }),
  );
  const find = (weight: WeightShape): StoredTensor | undefined => {
    const names = storedNames(weight.name, { prefix: place.prefix, isTied: tied });
    const matrix = names.map((name) => packedOf({ name, shape: weight.shape })).find((one) => one !== undefined);
    if (matrix) return matrix;
    const beside = names.find((candidate) => packed.has(candidate));
    if (beside !== undefined) throw quantised(packed.get(beside)!, "stands beside a packed matrix");
    const name = names.find((candidate) => located.has(candidate));
    const again = names.find(
      (candidate) => candidate !== name && located.has(candidate) && !OUTPUTS.includes(candidate),
    );
    if (name !== undefined && again !== undefined && !OUTPUTS.includes(name)) {
      const text = `the weights hold ${name} and ${again}, which are one tensor by two names; leave one model's tensors there`;
      throw new NodeError("MODEL_CONFIG", `${directory}: ${text}`);
    }
    const tensor = name === undefined ? undefined : located.get(name)!;
    if (tensor && !tensor.packed && !FLOATS.includes(tensor.dtype))
      throw quantised(tensor.name, `holds ${tensor.dtype} values`);
    if (!tensor || tensor.shape.join() === weight.shape.join()) return tensor;
    const text = `tensor ${weight.name} has shape [${tensor.shape}], config.json asks for [${weight.shape}]`;
    throw new NodeError("MODEL_CONFIG", `${directory}: ${text}`);
  };
  return {
    find,
    get: (weight) => {
      const tensor = find(weight);
      if (tensor) return tensor;
      throw missingTensor(weight, family, place);
    },
  };
}

/** Why a tensor is not there: by its kind, and by what the files hold instead. */
function missingTensor(
  { name }: WeightShape,
  { weights, classifier }: Pick<ModelFamily, "weights" | "classifier">,
  { located, prefix, directory }: WeightPlace,
): NodeError {
  const isHead = (one: string): boolean => classifier?.head.some((weight) => weight.name === one) ?? false;
  const longer = [...located.keys()].find((stored) => stored.endsWith(`.${name}`));
  if (longer !== undefined) {
    const text = `the weights call ${name} ${longer}, as a wrapper does that was saved with its model; save the model in it by save_pretrained`;
    return new NodeError("MODEL_MISSING", `${directory}: ${text}`);
  }
  const isThere = (one: string): boolean =>
    storedNames(one, { prefix, isTied: false }).some((stored) => located.has(stored));
  if (isHead(name) && weights.every((weight) => isHead(weight.name) || isThere(weight.name))) {
    const other = [...located.keys()].find((stored) => /^(?:classifier|score|qa_outputs)\.weight$/.test(stored));
    const also = other === undefined ? "" : `; what it has is ${other}, of another kind of classifier`;
    const text = `the encoder has no head with ${name} yet${also}`;
    return new NodeError("MODEL_MISSING", `${directory}: ${text}`, { problem: "head-untrained" });
  }
  if (name === OUTPUT && EMBEDDINGS.some(isThere)) {
    const text = `the weights hold no tensor ${name}, and config.json does not tie output and embedding; where the model does, set tie_word_embeddings to true there`;
    return new NodeError("MODEL_CONFIG", `${directory}: ${text}`);
  }
  return new NodeError("MODEL_MISSING", `${directory}: the weights hold no tensor ${name}; is a shard missing?`);
}

/**
 * Names under which checkpoints store a weight: its own; the other one of tied embeddings; without the prefix, where
 * the bare model was saved; with the LayerNorm names of the first BERT checkpoints.
 */
function storedNames(
  name: string,
  { prefix, isTied }: { readonly prefix: string; readonly isTied: boolean },
): readonly string[] {
  const isOutput = name === OUTPUT || (isTied && EMBEDDINGS.includes(name));
  const names = [name, ...(isOutput ? OUTPUTS.filter((other) => other !== name) : [])];
  const old = name.replace(/LayerNorm\.weight$/, "LayerNorm.gamma").replace(/LayerNorm\.bias$/, "LayerNorm.beta");
  if (old !== name) names.push(old);
  return [...names, ...names.filter((n) => n.startsWith(prefix)).map((n) => n.slice(prefix.length))];
}

/** Whether a language model's output matrix is its embedding. */
export const isTied = ({ weights }: Pick<ModelFamily, "weights">): boolean =>
  !weights.some(({ name }) => name === OUTPUT);

/** Bytes compared at a time. */
const COMPARED_BYTES = 1 << 22;

/**
 * Whether the files hold an output matrix beside another embedding. Where a config ties the two, transformers computes
 * with both all the same.  Source: transformers 5, `tie_weights`, which leaves them where both were stored and differ.
 */
export function hasOwnOutput({ located, prefix }: Omit<WeightPlace, "directory">): boolean {
  const stored = (names: readonly string[]): StoredTensor | undefined =>
    names.map((name) => located.get(name)).find((tensor) => tensor !== undefined);
  const output = stored(OUTPUTS);
  const embedding = stored(EMBEDDINGS.flatMap((name) => storedNames(name, { prefix, isTied: false })));
  if (!output || !embedding) return false;
  if (output.dtype !== embedding.dtype || output.shape.join() !== embedding.shape.join()) return true;
  const bytes = output.end - output.begin;
  for (let at = 0; at < bytes; at += COMPARED_BYTES) {
    const length = Math.min(COMPARED_BYTES, bytes - at);
    const [a, b] = [output, embedding].map(({ file, offset }) => file.read(offset + at, length)) as [
      Uint8Array,
      Uint8Array,
    ];
    if (a.some((byte, i) => byte !== b[i])) return true;
  }
  return false;
}

/** The tensors of a matrix of GPTQ or AWQ. */
const PACKED_PART = /\.(qweight|qzeros|scales|g_idx)$/;

/** Buffers that old checkpoints hold and every family computes by itself. */
const BUFFERS = /(\.rotary_emb\.inv_freq|\.(attn|attention)\.(masked_)?bias|\.position_ids)$/;

/** What the layers' tensors are that no part of the family reads, in one line; undefined where there are none. */
export function unreadNote(
  family: Pick<ModelFamily, "weights">,
  { located, prefix, packing }: WeightPlace,
): string | undefined {
  const tied = isTied(family);
  const read = new Set(family.weights.flatMap(({ name }) => storedNames(name, { prefix, isTied: tied })));
  // Of a packed matrix several tensors are read.
  const isRead = (name: string): boolean =>
    read.has(name) || (packing !== undefined && read.has(name.replace(PACKED_PART, ".weight")));
  const unread = [...located.keys()].filter(
    (name) => /(^|\.)(layers?|h|block)\.\d+\./.test(name) && !isRead(name) && !BUFFERS.test(name),
  );
  if (unread.length === 0) return undefined;
  return `${unread.length} tensors of layers are in the files and config.json does not ask for them, ${unread[0]} for one; they are not used`;
}

/** Attention and rotary embedding of operator set 23, spelled out.  Source: https://onnx.ai/onnx/operators. */
import { int64 } from "../../tensor.ts";
import { floatAttribute, intAttribute } from "../attributes.ts";
import { apply, constantValue } from "../graph.ts";
import {
  add,
  concat,
  expand,
  gather,
  ints,
  matMul,
  mul,
  reshape,
  scalar,
  softmax,
  split,
  sub,
  transpose,
  where,
} from "../operators.ts";
import type { OnnxValue } from "../value.ts";
import { type ImportedNode, type Lowering, required, sizesOf } from "./lowering.ts";

/** The value of a masked score: its exponential is 0 beside any other, and a wholly masked row stays finite. */
const MASKED = -1e30;

/** [B, T, heads x d] -> [B, heads, T, d]; four axes are there already. */
function byHead(x: OnnxValue, heads: number): OnnxValue {
  if (x.shape.length === 4) return x;
  const [batch, tokens, width] = sizesOf(x, 3);
  if (!(heads >= 1) || width % heads !== 0) {
    throw new RangeError(`${heads} heads in the shape [${x.shape}]`);
  }
  return transpose(reshape(x, [batch, tokens, heads, width / heads]), [0, 2, 1, 3]);
}

/** Every key head serves several query heads: [B, k, S, d] -> [B, h, S, d]. */
function repeated(x: OnnxValue, heads: number): OnnxValue {
  const [batch, own, tokens, width] = sizesOf(x, 4);
  if (own === heads) return x;
  const times = heads / own;
  const spread = expand(reshape(x, [batch, own, 1, tokens, width]), [batch, own, times, tokens, width]);
  return reshape(spread, [batch, heads, tokens, width]);
}

const counted = (n: number): OnnxValue =>
  apply(
    "Range",
    [0, n, 1].map((x) => constantValue(int64([], [x]))),
  );

/** softmax(scale Q K^T + mask) V; a query sees the keys up to its own place, counted from the end of the past. */
const attention: Lowering = (node) => {
  const { attributes } = node;
  if (floatAttribute(attributes, "softcap", 0) !== 0) throw new RangeError("softcap is not supported");
  if (node.inputs[6]) throw new RangeError("nonpad_kv_seqlen is not supported");
  const q = byHead(required(node, 0), intAttribute(attributes, "q_num_heads", 0));
  const past = node.inputs[4]?.shape[2] ?? 0;
  const [k, v] = [1, 2].map((i) => {
    const own = byHead(required(node, i), intAttribute(attributes, "kv_num_heads", 0));
    const before = node.inputs[i + 3];
    return before ? concat([before, own], 2) : own;
  }) as [OnnxValue, OnnxValue];
  const [batch, heads, tokens, width] = sizesOf(q, 4);
  const scale = floatAttribute(attributes, "scale", 1 / Math.sqrt(width));
  const keys = transpose(repeated(k, heads), [0, 1, 3, 2]);
  let scores = mul(matMul(q, keys), scalar(scale, q.dtype));
  const hidden = scalar(MASKED, q.dtype);
  const mask = node.inputs[3];
  if (mask) scores = mask.dtype === "bool" ? where(mask, scores, hidden) : add(scores, mask);
  if (intAttribute(attributes, "is_causal", 0) === 1) {
    const place = reshape(add(counted(tokens), constantValue(int64([], [past]))), [tokens, 1]);
    scores = where(apply("GreaterOrEqual", [place, counted(k.shape[2]!)]), scores, hidden);
  }
  const y = matMul(softmax(scores), repeated(v, heads));
  const flat = required(node, 0).shape.length === 3;
  const output = flat ? reshape(transpose(y, [0, 2, 1, 3]), [batch, tokens, heads * v.shape[3]!]) : y;
  return [output, k, v, undefined];
};

/** The halves (or, interleaved, the pairs) of the rotated part turned by the angle of their place. */
const rotary: Lowering = (node) => {
  const given = required(node, 0);
  const x = byHead(given, intAttribute(node.attributes, "num_heads", 0));
  const [batch, heads, tokens, width] = sizesOf(x, 4);
  const turned = intAttribute(node.attributes, "rotary_embedding_dim", 0) || width;
  const half = turned / 2;
  const [rotated, rest] = turned < width ? split(x, [turned, width - turned], 3) : [x, undefined];
  const [cos, sin] = [1, 2].map((i) => angles(node, i, { batch, tokens, half })) as [OnnxValue, OnnxValue];
  const interleaved = intAttribute(node.attributes, "interleaved", 0) === 1;
  const pairs = reshape(rotated!, [batch, heads, tokens, ...(interleaved ? [half, 2] : [2, half])]);
  const axis = interleaved ? 4 : 3;
  const [a, b] = split(pairs, [1, 1], axis).map((part) => reshape(part, [batch, heads, tokens, half]));
  const parts = [sub(mul(a!, cos), mul(b!, sin)), add(mul(a!, sin), mul(b!, cos))];
  const back = concat(
    parts.map((part) => apply("Unsqueeze", [part, ints([axis])])),
    axis,
  );
  const whole = reshape(back, [batch, heads, tokens, turned]);
  const y = rest ? concat([whole, rest], 3) : whole;
  return [given.shape.length === 3 ? reshape(transpose(y, [0, 2, 1, 3]), given.shape) : y];
};

/** Rows of a cache [positions, half] by place, or [B, T, half] as it is -> [B, 1, T, half]. */
function angles(node: ImportedNode, index: number, size: { batch: number; tokens: number; half: number }): OnnxValue {
  const cache = required(node, index);
  const places = node.inputs[3];
  const rows = places ? gather(cache, places) : cache;
  return reshape(rows, [rows.shape[0] === 1 ? 1 : size.batch, 1, size.tokens, size.half]);
}

/** Lowerings of attention by operator. */
export const ATTENTION: Readonly<Record<string, Lowering>> = { Attention: attention, RotaryEmbedding: rotary };

/** Forms that changed between operator sets 11 and 21: attributes that became inputs, and older defaults. */
import { sizeOf } from "../../tensor.ts";
import { axisIndex, constantInts, intAttribute, intsAttribute } from "../attributes.ts";
import { isFloat } from "../dtype.ts";
import { apply, applyAll, constantValue } from "../graph.ts";
import { cast, concat, div, expand, gather, ints, reshape, scalar, transpose } from "../operators.ts";
import { inferShapes } from "../shape-inference.ts";
import { padWidths } from "../shapes/movement.ts";
import type { Attributes, OnnxValue } from "../value.ts";
import { type ImportedNode, type Lowering, required, sizesOf } from "./lowering.ts";

/** Most places of an axis that a mirrored padding lists one by one. */
const MIRRORED_MAX = 1 << 20;

function without(attributes: Attributes, ...names: readonly string[]): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([name]) => !names.includes(name)));
}

/** Axes as an attribute: an input since set 13 (Squeeze, Unsqueeze, ReduceSum) or 18 (the other reductions). */
const axesBecameInput: Lowering = (node) => {
  const axes = intsAttribute(node.attributes, "axes");
  if (!axes || node.inputs[1]) return undefined;
  const attributes = without(node.attributes, "axes");
  return [apply(node.op, [required(node, 0), ints(axes)], { attributes, label: node.label })];
};

/** Before set 13 the input is seen as a matrix whose rows begin at the axis (default 1). */
const flattenedSoftmax: Lowering = (node) => {
  if (node.version >= 13) return undefined;
  const x = required(node, 0);
  const axis = intAttribute(node.attributes, "axis", 1);
  const at = x.shape.length === axis ? axis : axisIndex(axis, x.shape.length);
  const last = { attributes: { axis: { int: -1 } }, label: node.label };
  if (at === x.shape.length - 1) return [apply(node.op, [x], last)];
  const matrix = reshape(x, [sizeOf(x.shape.slice(0, at)), sizeOf(x.shape.slice(at))]);
  return [reshape(apply(node.op, [matrix], last), x.shape)];
};

/** The sizes written out, whatever form they had. */
const splitWithSizes: Lowering = (node) => {
  if (node.inputs[1]) return undefined;
  const x = required(node, 0);
  const axis = axisIndex(intAttribute(node.attributes, "axis", 0), x.shape.length);
  const sizes = inferShapes({ ...node, outputCount: node.outputs }).map(({ shape }) => shape[axis]!);
  const attributes = { axis: { int: axis } };
  return applyAll("Split", [x, ints(sizes)], { attributes, label: node.label, outputs: sizes.length });
};

/** Inference: the identity, and a mask of trues. */
const dropout: Lowering = (node) => {
  const x = required(node, 0);
  const yes = constantValue({ dtype: "bool", shape: [], data: Uint8Array.of(1) });
  return node.outputs > 1 ? [x, expand(yes, x.shape)] : [x];
};

/** More than two operands: one after the other. */
const pairwise: Lowering = (node) => {
  if (node.inputs.length === 2) return undefined;
  return [node.inputs.map((_, i) => required(node, i)).reduce((a, b) => apply(node.op, [a, b], { label: node.label }))];
};

/** A scalar among vectors is a vector of one. */
const scalarsAmongVectors: Lowering = (node) => {
  const values = node.inputs.map((_, i) => required(node, i));
  if (values.every(({ shape }) => shape.length > 0)) return undefined;
  return [
    concat(
      values.map((value) => (value.shape.length === 0 ? reshape(value, [1]) : value)),
      0,
    ),
  ];
};

const castLike: Lowering = (node) => [cast(required(node, 0), required(node, 1).dtype)];

/** Too large to be folded: one number, expanded. */
const constantOfShape: Lowering = (node) => {
  const shape = constantInts(required(node, 0));
  if (!shape) throw new RangeError("the shape is not known while building");
  const fill = node.attributes.value && "tensor" in node.attributes.value ? node.attributes.value.tensor : undefined;
  const one = fill ? constantValue({ ...fill, shape: [] }) : scalar(0);
  return [apply("Expand", [one, ints(shape)], { label: node.label })];
};

/** Repetition as a broadcast: x[d0, d1] -> [1, d0, 1, d1] -> [r0, d0, r1, d1] -> [r0 d0, r1 d1]. */
const tile: Lowering = (node) => {
  const x = required(node, 0);
  const repeats = constantInts(required(node, 1));
  if (repeats?.length !== x.shape.length) throw new RangeError("the repeats are not known while building");
  const spread = reshape(
    x,
    x.shape.flatMap((n) => [1, n]),
  );
  const repeated = expand(
    spread,
    x.shape.flatMap((n, i) => [repeats[i]!, n]),
  );
  return [
    reshape(
      repeated,
      x.shape.map((n, i) => n * repeats[i]!),
    ),
  ];
};

/** All pads written out; negative ones cut, mirrored and repeated ones read the values that they copy. */
const pad: Lowering = (node) => {
  const x = required(node, 0);
  const widths = padWidths(node.inputs);
  if (!widths) throw new RangeError("the pads are not known while building");
  const mode = node.attributes.mode && "string" in node.attributes.mode ? node.attributes.mode.string : "constant";
  if (mode !== "constant") {
    return [widths.reduce((y, width, axis) => copied(y, { ...width, axis, mode }), x)];
  }
  const starts = widths.map(({ before }) => Math.max(0, -before));
  const ends = widths.map(({ after }, axis) => x.shape[axis]! - Math.max(0, -after));
  const cut = [...starts, ...ends].some((n, i) => n !== [...starts.map(() => 0), ...x.shape][i])
    ? apply("Slice", [x, ints(starts), ints(ends)], { label: node.label })
    : x;
  const pads = [...widths.map(({ before }) => Math.max(0, before)), ...widths.map(({ after }) => Math.max(0, after))];
  const fill = node.inputs[2] ?? (isFloat(x.dtype) ? scalar(0, x.dtype) : undefined);
  return [apply("Pad", fill ? [cut, ints(pads), fill] : [cut, ints(pads)], { label: node.label })];
};

function copied(x: OnnxValue, at: { before: number; after: number; axis: number; mode: string }): OnnxValue {
  if (at.before === 0 && at.after === 0) return x;
  const n = x.shape[at.axis]!;
  const length = n + at.before + at.after;
  if (n === 0 || !(length >= 0 && length <= MIRRORED_MAX))
    throw new RangeError(`an axis padded from ${n} to ${length}`);
  const places = Array.from({ length }, (_, i) => {
    const place = i - at.before;
    if (at.mode === "edge") return Math.min(Math.max(place, 0), n - 1);
    if (at.mode === "wrap") return ((place % n) + n) % n;
    if (at.mode !== "reflect") throw new RangeError(`the padding mode ${at.mode} is not supported`);
    const turn = Math.max(1, 2 * (n - 1));
    const folded = ((place % turn) + turn) % turn;
    return n === 1 ? 0 : folded < n ? folded : turn - folded;
  });
  return gather(x, ints(places), at.axis);
}

/** Blocks of the channels become places, and back; x [N, C, H, W]. */
const depthToSpace: Lowering = (node) => {
  const x = required(node, 0);
  const [n, c, h, w] = sizesOf(x, 4);
  const block = intAttribute(node.attributes, "blocksize", 1);
  const columns = node.attributes.mode && "string" in node.attributes.mode && node.attributes.mode.string === "CRD";
  const depth = c / (block * block);
  const spread = reshape(x, columns ? [n, depth, block, block, h, w] : [n, block, block, depth, h, w]);
  return [
    reshape(transpose(spread, columns ? [0, 1, 4, 2, 5, 3] : [0, 3, 4, 1, 5, 2]), [n, depth, h * block, w * block]),
  ];
};

const spaceToDepth: Lowering = (node) => {
  const x = required(node, 0);
  const [n, c, h, w] = sizesOf(x, 4);
  const block = intAttribute(node.attributes, "blocksize", 1);
  const spread = reshape(x, [n, c, h / block, block, w / block, block]);
  return [reshape(transpose(spread, [0, 3, 5, 1, 2, 4]), [n, c * block * block, h / block, w / block])];
};

const REDUCTIONS = ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceLogSumExp"];

/** A reduction of values computed before, or followed by one computation; the axes stay as the node gives them. */
function reduction(op: string, before: string | undefined, after: string | undefined): Lowering {
  return (node) => {
    const x = required(node, 0);
    const of = before ? apply(before, [x], { label: node.label }) : x;
    const reduce: ImportedNode = { ...node, op, inputs: [of, ...node.inputs.slice(1)] };
    const sum = axesBecameInput(reduce)?.[0] ?? apply(op, reduce.inputs, { attributes: node.attributes });
    return [after ? apply(after, [sum], { label: node.label }) : sum];
  };
}

/** Mean over all spatial axes, or their maximum. */
function globalPool(op: string): Lowering {
  return (node) => {
    const x = required(node, 0);
    const axes = x.shape.map((_, axis) => axis).slice(2);
    return [apply(op, [x, ints(axes)], { attributes: { keepdims: { int: 1 } }, label: node.label })];
  };
}

/** Lowerings of older forms by operator. A form that is current already is left as it is. */
export const OLDER: Readonly<Record<string, Lowering>> = {
  Squeeze: axesBecameInput,
  Unsqueeze: axesBecameInput,
  ReduceSumSquare: axesBecameInput,
  ...Object.fromEntries(REDUCTIONS.map((op) => [op, axesBecameInput])),
  ReduceL1: reduction("ReduceSum", "Abs", undefined),
  ReduceL2: reduction("ReduceSumSquare", undefined, "Sqrt"),
  ReduceLogSum: reduction("ReduceSum", undefined, "Log"),
  Softmax: flattenedSoftmax,
  LogSoftmax: flattenedSoftmax,
  Split: splitWithSizes,
  Dropout: dropout,
  Max: pairwise,
  Min: pairwise,
  Mean: (node) => {
    const values = node.inputs.map((_, i) => required(node, i));
    return [div(apply("Sum", values, { label: node.label }), scalar(values.length, values[0]!.dtype))];
  },
  Identity: (node) => [required(node, 0)],
  CastLike: castLike,
  ConstantOfShape: constantOfShape,
  Tile: tile,
  Pad: pad,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  GlobalAveragePool: globalPool("ReduceMean"),
  GlobalMaxPool: globalPool("ReduceMax"),
  Concat: scalarsAmongVectors,
};

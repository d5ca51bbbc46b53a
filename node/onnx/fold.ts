/**
 * Constants evaluated while a graph is read, so that chains of Shape, Gather and Concat become the numbers that they
 * stand for and every value has a static shape. Only small values: weights are the runtime's to compute with.
 */
import type { Tensor, TensorData } from "../tensor.ts";
import { int64, sizeOf } from "../tensor.ts";
import { axisIndex, constantInts, intAttribute } from "./attributes.ts";
import { allocate, isFloat } from "./dtype.ts";
import { KERNELS } from "./fold-kernels.ts";
import { constantValue } from "./graph.ts";
import type { ImportedNode } from "./lower/lowering.ts";
import { inferShapes } from "./shape-inference.ts";
import type { OnnxValue } from "./value.ts";

/** Most elements of a value that takes part: position tables of long contexts do, masks of T x T need not. */
const FOLDED_ELEMENTS_MAX = 1 << 16;
/** Most elements made for one model: 16 MiB of integers. */
const FOLDED_TOTAL_MAX = 1 << 21;
/** A weight as small as this may take part in shape arithmetic (a scale of a size, say). */
const WEIGHT_ELEMENTS_MAX = 1 << 10;

/** The evaluated outputs of a node. */
export interface Folded {
  readonly tensors: readonly Tensor[];
  /** The numbers come from a named weight: a node must stay, for the weight may be trained. */
  readonly fromWeight: boolean;
}

/** Evaluates the nodes of one graph and remembers the values that it has found. */
export interface Folder {
  /** Values of a node's outputs, or undefined when they are not known or not small.  Throws: ONNX_INVALID, RangeError. */
  fold(node: ImportedNode): Folded | undefined;
  /** Keep in mind what a value is although a node makes it. */
  remember(value: OnnxValue, tensor: Tensor): void;
}

/** A folder for one graph. */
export function createFolder(): Folder {
  const remembered = new Map<OnnxValue, Tensor>();
  let left = FOLDED_TOTAL_MAX;

  const known = (value: OnnxValue): Tensor | undefined => {
    if (value.dtype === "float16" || sizeOf(value.shape) > FOLDED_ELEMENTS_MAX) return undefined;
    if (value.source.kind !== "constant") return remembered.get(value);
    if (isWeight(value) && value.source.data.length > WEIGHT_ELEMENTS_MAX) return undefined;
    return { dtype: value.dtype, shape: value.shape, data: value.source.data };
  };

  return {
    fold: (node) => {
      const fromWeight = node.inputs.some((value) => value && (isWeight(value) || remembered.has(value)));
      const alone = special(node);
      if (alone) {
        left -= alone.data.length;
        return left < 0 ? undefined : { tensors: [alone], fromWeight: false };
      }
      const kernel = Object.hasOwn(KERNELS, node.op) ? KERNELS[node.op] : undefined;
      if (!kernel) return undefined;
      const inputs = node.inputs.map((value) => value && known(value));
      if (inputs.some((tensor, i) => !tensor && node.inputs[i])) return undefined;
      const values = inputs.map((tensor) => tensor && constantValue(tensor));
      const types = inferShapes({ ...node, inputs: values, outputCount: node.outputs });
      if (types.some(({ dtype }) => dtype === "float16")) return undefined;
      const count = [...inputs, ...types].reduce((sum, type) => sum + (type ? sizeOf(type.shape) : 0), 0);
      if (types.some(({ shape }) => sizeOf(shape) > FOLDED_ELEMENTS_MAX) || count > left) return undefined;
      left -= count;
      const data = kernel({ op: node.op, inputs, values, attributes: node.attributes, types });
      return data && { tensors: types.map((type, i) => ({ ...type, data: data[i]! })), fromWeight };
    },
    remember: (value, tensor) => remembered.set(value, tensor),
  };
}

function isWeight(value: OnnxValue): boolean {
  return value.source.kind === "constant" && value.source.name !== undefined && isFloat(value.dtype);
}

/** Operators that need only a shape, or whose own shape is data. */
function special({ op, inputs, attributes }: ImportedNode): Tensor | undefined {
  const [x] = inputs;
  if (op === "Shape" && x) {
    const rank = x.shape.length;
    const end = (name: string, fallback: number): number => {
      const at = intAttribute(attributes, name, fallback);
      return Math.min(Math.max(at < 0 ? at + rank : at, 0), rank);
    };
    const sizes = x.shape.slice(end("start", 0), end("end", rank));
    return int64([sizes.length], sizes);
  }
  if (op === "Size" && x) return int64([], [sizeOf(x.shape)]);
  if (op === "ConstantOfShape") {
    const shape = constantInts(x);
    if (!shape?.every((n) => n >= 0) || sizeOf(shape) > FOLDED_ELEMENTS_MAX) return undefined;
    const fill = attributes.value && "tensor" in attributes.value ? attributes.value.tensor : undefined;
    const dtype = fill?.dtype ?? "float32";
    const data = allocate(dtype, sizeOf(shape));
    if (fill && fill.data.length === 1) (data as Float32Array).fill(fill.data[0] as number);
    return { dtype, shape, data };
  }
  if (op === "NonZero" && x?.source.kind === "constant" && x.source.data.length <= FOLDED_ELEMENTS_MAX) {
    return nonZero(x.shape, x.source.data);
  }
  return undefined;
}

/** Indices of the values that are not zero, one column each, in row-major order. */
function nonZero(shape: readonly number[], data: TensorData): Tensor {
  const places = Array.from(data.keys()).filter((i) => Number(data[i]) !== 0);
  const rows = shape.map((size, axis) => {
    const inner = sizeOf(shape.slice(axis + 1));
    return places.map((place) => (size === 0 ? 0 : axisIndex(Math.floor(place / inner) % size, size)));
  });
  return int64([shape.length, places.length], rows.flat());
}

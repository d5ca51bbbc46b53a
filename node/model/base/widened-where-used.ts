/**
 * The graph pass that reads a base in a narrow form: a weight becomes f32 where it is used, and is let go behind that.
 * The backward pass reads the same bytes as the forward pass, so gradients are exact for the matrix that the blocks stand
 * for.
 *
 * Each use widens the weight anew. Were these nodes merged because they are alike, the f32 matrix of the forward pass would
 * be kept until the backward pass needs it: all of them together are the f32 base. So everything else that is alike is
 * merged here, and the runtime is told to merge nothing (`weightsAsStored` of a session).
 */
import { floatAttribute, intAttribute } from "../../onnx/attributes.ts";
import { apply, applyAll, externalRows, externalValue } from "../../onnx/graph.ts";
import { mergeAlike } from "../../onnx/merge-alike.ts";
import { add, cast, concat, gather, gemm, ints, reshape, transpose } from "../../onnx/operators.ts";
import { type GraphPass, type Replacement, rewrite } from "../../onnx/rewrite.ts";
import type { OnnxNode, OnnxValue } from "../../onnx/value.ts";
import { type Dtype, sizeOf } from "../../tensor.ts";
import type { StoredTensor } from "../weight-file.ts";
import { BLOCK, blocksOf } from "./blocks.ts";
import { type BlockedWeight, type NarrowWeight, scalesName } from "./narrow-file.ts";

/** The weights of a file of `narrowCopy`, by name. */
export interface NarrowTensors {
  readonly weights: ReadonlyMap<string, NarrowWeight>;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/** The pass. Weights in the graph are external values with the names of the model's weights, or rows of those. */
export const widenedWhereUsed =
  (narrow: NarrowTensors, { wideValuesMax = WIDENED_AT_ONCE }: WideningOptions = {}): GraphPass =>
  (graph) => {
    const reader = new NarrowReader(narrow, wideValuesMax);
    return rewrite(mergeAlike(graph).graph, (node, inputs) => reader.replace(node, inputs));
  };

/** How much of a matrix is f32 at a time. */
export interface WideningOptions {
  /** Values; a matrix of more is widened in parts of its rows. */
  readonly wideValuesMax?: number;
}

/** Which rows of which weight a value of the graph is. */
interface Use<Weight = NarrowWeight> {
  readonly weight: Weight;
  readonly from: number;
  readonly rows: number;
}

const isInBlocks = (use: Use): use is Use<BlockedWeight> => use.weight.as === "blocks";
const isTable = (use: Use): use is Use<BlockedWeight> => isInBlocks(use) && use.weight.isTable;

/** Integers of blocks and their scales, as values of a graph. */
interface BlockValues {
  readonly integers: OnnxValue;
  readonly scales: OnnxValue;
}

/** The f32[...rows, columns] that blocks stand for, without what fills up the last block of a row. */
function widened({ integers, scales }: BlockValues, rows: readonly number[], columns: number): OnnxValue {
  const perRow = blocksOf(columns);
  const blocks = sizeOf(rows) * perRow;
  // A scale for each block, and not blocks along an axis: that kernel of the runtime takes five times as long.
  const inputs = [reshape(integers, [blocks, BLOCK]), reshape(scales, [blocks])];
  const wide = apply("DequantizeLinear", inputs, { attributes: { axis: { int: 0 } } });
  const padded = reshape(wide, [...rows, perRow * BLOCK]);
  if (perRow * BLOCK === columns) return padded;
  return apply("Slice", [padded, ints([0]), ints([columns]), ints([rows.length])]);
}

const columnsOf = (value: OnnxValue, from: number, columns: number): OnnxValue =>
  apply("Slice", [value, ints([from]), ints([from + columns]), ints([1])]);

const rowsOf = (value: OnnxValue, from: number, rows: number): OnnxValue =>
  apply("Slice", [value, ints([from]), ints([from + rows]), ints([0])]);

/** x W or x W^T, and perhaps something added to it. */
const isPlain = ({ attributes }: OnnxNode): boolean =>
  intAttribute(attributes, "transA", 0) === 0 &&
  floatAttribute(attributes, "alpha", 1) === 1 &&
  floatAttribute(attributes, "beta", 1) === 1;

/** Values of a matrix that are f32 at a time: 64 MB, where an output matrix of 8B models has 2 GB. */
const WIDENED_AT_ONCE = 1 << 24;

/** A large matrix in parts of its rows, of at most so many values each. */
function partsOf({ weight, from, rows }: Use, valuesMax: number): readonly Use[] {
  const count = Math.ceil((rows * weight.shape[1]!) / valuesMax);
  const size = Math.ceil(rows / count);
  const starts = Array.from({ length: count }, (_, i) => i * size);
  return starts.map((start) => ({ weight, from: from + start, rows: Math.min(size, rows - start) }));
}

/** One graph's reading of a narrow base. */
class NarrowReader {
  readonly #narrow: NarrowTensors;
  readonly #wideValuesMax: number;
  readonly #values = new Map<string, OnnxValue>();

  constructor(narrow: NarrowTensors, wideValuesMax: number) {
    this.#narrow = narrow;
    this.#wideValuesMax = wideValuesMax;
  }

  readonly replace: Replacement = (node, inputs) => {
    const uses = inputs.map((input) => input && this.#useOf(input));
    if (!uses.some((use) => use !== undefined)) return undefined;
    const first = uses[0];
    if (node.op === "Gather" && first?.weight.as === "f16" && intAttribute(node.attributes, "axis", 0) === 0) {
      return [cast(gather(this.#stored(first), inputs[1]!), "float32")];
    }
    if (node.op === "Gather" && first && isTable(first) && intAttribute(node.attributes, "axis", 0) === 0) {
      return [this.#gatheredRows(first, inputs[1]!)];
    }
    const second = uses[1];
    if (node.op === "Gemm" && second && isInBlocks(second) && second.weight.turned) {
      // Blocks stand along the inner dimension, and so the other way round than the model's own files have the matrix.
      const transB = { int: 1 - intAttribute(node.attributes, "transB", 0) };
      const product = [inputs[0], this.#matrix(second), uses[2] ? this.#wide(uses[2]) : inputs[2]];
      return applyAll("Gemm", product, { ...node, attributes: { ...node.attributes, transB }, outputs: 1 });
    }
    if (node.op === "Gemm" && second && !uses[0] && this.#isLarge(second) && isPlain(node)) {
      const isTransposed = intAttribute(node.attributes, "transB", 0) === 1;
      const product = isTransposed ? this.#productInParts(inputs[0]!, second) : this.#sumInParts(inputs[0]!, second);
      const added = uses[2] ? this.#wide(uses[2]) : inputs[2];
      return [added ? add(product, added) : product];
    }
    const wide = inputs.map((input, i) => (uses[i] ? this.#wide(uses[i]) : input));
    return applyAll(node.op, wide, { ...node, outputs: node.outputs.length });
  };

  #useOf({ source, shape }: OnnxValue): Use | undefined {
    if (source.kind !== "external") return undefined;
    const whole = source.rows?.whole.source;
    const name = whole?.kind === "external" ? whole.name : source.name;
    const weight = this.#narrow.weights.get(name);
    return weight && { weight, from: source.rows?.from ?? 0, rows: shape[0]! };
  }

  #isLarge(use: Use): boolean {
    const { weight, rows } = use;
    if (weight.as === "f32" || (isInBlocks(use) && use.weight.turned)) return false;
    return rows * weight.shape[1]! > this.#wideValuesMax;
  }

  /** x W^T in parts of W's rows, so that not all of a large matrix is wide at the same time. */
  #productInParts(x: OnnxValue, use: Use): OnnxValue {
    return concat(
      partsOf(use, this.#wideValuesMax).map((part) => gemm(x, this.#wide(part), { transB: true })),
      1,
    );
  }

  /**
   * x W = sum over parts p of W's rows of x_p W_p, as the backward pass has it. The parts are those of x W^T, which maps each of
   * them by itself: the whole beside them would be a second mapping of the same pages.
   */
  #sumInParts(x: OnnxValue, use: Use): OnnxValue {
    return partsOf(use, this.#wideValuesMax)
      .map((part) => gemm(columnsOf(x, part.from - use.from, part.rows), this.#wide(part)))
      .reduce((sum, product) => add(sum, product));
  }

  /** f32 in the shape that the model gives the weight. */
  #wide(use: Use): OnnxValue {
    if (isInBlocks(use)) return use.weight.turned ? transpose(this.#matrix(use), [1, 0]) : this.#matrix(use);
    return use.weight.as === "f32" ? this.#stored(use) : cast(this.#stored(use), "float32");
  }

  /** A matrix in blocks as f32[outputs, inputs]. */
  #matrix(use: Use<BlockedWeight>): OnnxValue {
    const { name, bits, matrix } = use.weight;
    if (use.weight.isTable) return widened(this.#tableRows(use), [use.rows], matrix[1]);
    const perRow = blocksOf(matrix[1]);
    const rows = use.weight.turned ? matrix[0] : use.rows;
    const range = { from: use.from * perRow, to: (use.from + rows) * perRow };
    const integers = this.#value(name, bits === 4 ? "int4" : "int8", [matrix[0] * perRow, BLOCK], range);
    const scales = this.#value(scalesName(name), "float32", [matrix[0] * perRow], range);
    return widened({ integers, scales }, [rows], matrix[1]);
  }

  /** f32[..., columns]: rows of a table by their numbers i64[...]. */
  #gatheredRows(use: Use<BlockedWeight>, numbers: OnnxValue): OnnxValue {
    const { integers, scales } = this.#tableRows(use);
    const blocks = { integers: gather(integers, numbers), scales: gather(scales, numbers) };
    return widened(blocks, numbers.shape, use.weight.matrix[1]);
  }

  /** The blocks of a table, [rows, ...]; some of its rows are copied out of the whole, as those that are in 16 bits. */
  #tableRows({ weight: { name, matrix }, from, rows }: Use<BlockedWeight>): BlockValues {
    const [height, columns] = matrix;
    const perRow = blocksOf(columns);
    const whole = { from: 0, to: height };
    const parts = {
      integers: this.#value(name, "int8", [height, perRow * BLOCK], whole),
      scales: this.#value(scalesName(name), "float32", [height, perRow], whole),
    };
    if (rows === height) return parts;
    return { integers: rowsOf(parts.integers, from, rows), scales: rowsOf(parts.scales, from, rows) };
  }

  /**
   * The part of a weight that is not in blocks, as it is stored. Rows of a matrix are copied out of the whole: as values of
   * their own they would be a second mapping of the same pages, which count twice in the resident memory of the process.
   */
  #stored({ weight: { name, shape, as }, from, rows }: Use): OnnxValue {
    const whole = this.#value(name, as === "f16" ? "float16" : "float32", shape, { from: 0, to: shape[0]! });
    if (rows === shape[0]) return whole;
    return rowsOf(whole, from, rows);
  }

  /** Rows of a tensor of the file, which is read as of the given type and shape; the same rows give the same value. */
  #value(name: string, dtype: Dtype, shape: readonly number[], range: { readonly from: number; readonly to: number }) {
    const key = `${name} ${range.from} ${range.to}`;
    const known = this.#values.get(key);
    if (known) return known;
    const { file, offset, begin, end } = this.#narrow.tensors.get(name)!;
    const whole = externalValue(name, dtype, shape, { location: file.path, offset, length: end - begin });
    const made = range.to - range.from === shape[0] ? whole : externalRows(whole, range);
    this.#values.set(key, made);
    return made;
  }
}

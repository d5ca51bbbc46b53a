/**
 * Products with frozen weights in integers of 8 bits, forward and backward: y_mn = a_m s_n sum_k x_q,mk W_q,kn. They are
 * several times as fast. W is quantised beforehand, W ~ s W_q with one scale for each column of the product,
 * s_n = max_k |W_kn| / 127, rounded to the nearest. x is quantised in the graph, with one scale for each row,
 * x_q,mk = round(127 x_mk / a_m) with a_m = max_k |x_mk|, once for all products with it; of a softmax, which is at least 0,
 * round(255 x_mk / a_m).
 *
 * The output matrix of a language model is kept in parts of the vocabulary: a part of a softmax is scaled by its own largest
 * value, so that what is unlikely beside a likely token of another part is not rounded to 0.
 * Source of scales by column and row: Dettmers et al. 2022, arXiv:2208.07339, section 2.
 */
import type { BaseModel, WeightShape } from "../../model/base-model.ts";
import {
  type CopiedWeights,
  copiedTensors,
  type WeightsByUse,
  weightName,
  weightsByUse,
} from "../../model/copied-weights.ts";
import type { ModelFiles } from "../../model/huggingface.ts";
import { safetensorsHeader } from "../../model/safetensors.ts";
import { copyKey, storedCopy, type WeightCopy } from "../../model/weight-copy.ts";
import { apply, constantValue, externalValue } from "../../onnx/graph.ts";
import { add, mul, reshape, scalar, sub } from "../../onnx/operators.ts";
import type { GraphPass } from "../../onnx/rewrite.ts";
import type { OnnxValue } from "../../onnx/value.ts";
import { sizeOf } from "../../tensor.ts";
import { inOtherArithmetic, isSoftmax, sizeOfRows } from "./frozen-products.ts";

/** A matrix [K, N] in integers and the scale of each of its columns, f32[N]. */
export interface IntegerMatrix {
  readonly matrix: OnnxValue;
  readonly scale: OnnxValue;
  /** Whether rows before it are given in two terms; default: in one. */
  readonly isFine?: boolean;
}

/** Rows in integers: x_mk = a_m step (q_mk - zero). */
interface IntegerRows {
  /** u8[M,K] */
  readonly integers: OnnxValue;
  /** a f32[M,1] */
  readonly size: OnnxValue;
  readonly step: OnnxValue;
  readonly zero: OnnxValue;
  /** What is left of x, in steps so much smaller; absent where it is let go. */
  readonly rest?: { readonly integers: OnnxValue; readonly step: OnnxValue };
}

/** The pass that gives products with these matrices to integers. */
export function inIntegers(weights: CopiedWeights<IntegerMatrix>): GraphPass {
  const known = { one: new WeakMap<OnnxValue, IntegerRows>(), two: new WeakMap<OnnxValue, IntegerRows>() };
  return inOtherArithmetic(weights, (x, { matrix, scale, isFine = false }, label) => {
    const before = isFine ? known.two : known.one;
    const rows = before.get(x) ?? integerRows(x, { isFine });
    before.set(x, rows);
    const product = ({ integers, step }: Pick<IntegerRows, "integers" | "step">): OnnxValue =>
      apply("MatMulIntegerToFloat", [integers, matrix, step, scale, rows.zero], { domain: "com.microsoft", label });
    const main = product(rows);
    return mul(rows.rest ? add(main, product(rows.rest)) : main, rows.size);
  });
}

/** Constants all of whose values are alike, each made once: graphs have hundreds of products. */
class Constants {
  readonly #known = new Map<string, OnnxValue>();
  readonly #make: (shape: readonly number[], value: number) => OnnxValue;

  constructor(make: (shape: readonly number[], value: number) => OnnxValue) {
    this.#make = make;
  }

  get(shape: readonly number[], value: number): OnnxValue {
    const key = `${value} [${shape}]`;
    const made = this.#known.get(key) ?? this.#make(shape, value);
    this.#known.set(key, made);
    return made;
  }
}

const STEPS = new Constants((_, value) => scalar(value));
const ZEROS = new Constants((shape, value) =>
  constantValue({ dtype: "uint8", shape, data: new Uint8Array(sizeOf(shape)).fill(value) }, "zero"),
);

/** x f32[M,K] in integers, row by row. */
function integerRows(x: OnnxValue, { isFine }: { readonly isFine: boolean }): IntegerRows {
  const [levels, middle] = isSoftmax(x) ? [2 * LARGEST + 1, 0] : [LARGEST, LARGEST + 1];
  const size = sizeOfRows(x);
  const count = x.shape[0]!;
  const zero = ZEROS.get([count], middle);
  const rowwise = { attributes: { axis: { int: 0 } } };
  /** What x is in steps of a / levels, and those steps f32[M]. */
  const quantised = (of: OnnxValue, one: number) => {
    const step = STEPS.get([], one);
    const steps = reshape(mul(size, step), [count]);
    return { integers: apply("QuantizeLinear", [of, steps, zero], rowwise), steps, step };
  };
  const { integers, steps, step } = quantised(x, 1 / levels);
  const rows = { integers, size, step, zero: ZEROS.get([], middle) };
  if (!isFine) return rows;
  const rest = sub(x, apply("DequantizeLinear", [integers, steps, zero], rowwise));
  return { ...rows, rest: quantised(rest, 1 / levels / (2 * LARGEST)) };
}

/** Raised when the file's layout changes, so that older files are not taken for it. */
const LAYOUT = 2;
/** Largest integer: -128 has no counterpart. */
const LARGEST = 127;

/**
 * A model's weights, those of linear layers and the output matrix of a language model in integers. Every matrix is stored
 * twice, as the forward and as the backward pass multiply with it.
 * Throws: DISK_FULL, DATA_DIRECTORY.
 */
export function integerWeights(model: BaseModel, files: ModelFiles): CopiedWeights<IntegerMatrix> {
  const { value, externalData } = copiedTensors(storedCopy(plan(model, files, weightsByUse(model)), files.cache));
  const fine = wideInputs(model);
  return {
    matrix: (weight, transposed) => {
      const name = storedName(partName(weight), transposed);
      const [matrix, scale] = [value(name, "int8"), value(`${name}.scale`, "float32")];
      const isFine = matrix !== undefined && fine.get(weightName(weight)) === matrix.shape[0];
      return matrix && scale ? { matrix, scale, isFine } : undefined;
    },
    copy: (weight) => value(weightName(weight), "float32"),
    externalData,
  };
}

/**
 * Layers that read more values than the stream has, and how many: the last ones of MLPs, before which a few values of a row are
 * much larger than the others.
 */
function wideInputs({ shape: { hidden, linears } }: BaseModel): ReadonlyMap<string, number> {
  const wide = linears.filter(({ inputs, outputs }) => inputs > hidden && inputs !== outputs);
  return new Map(wide.map(({ path, inputs }) => [`${path}.weight`, inputs]));
}

/** Parts of a vocabulary, at most; few enough that graphs stay small. */
const PARTS_MAX = 64;
/** Rows of a part of the output matrix are a multiple of this, so that the kernels' tiles are full. */
const TILE = 64;
/** Fewer rows than that are not worth a product of their own. */
const PART_ROWS_MIN = 1024;

/**
 * Rows of the output matrix in each of its parts, but for the last one; undefined where it stays in f32: that of a classifier, and
 * one with a bias.
 */
export function vocabularyRows(model: BaseModel): number | undefined {
  const output = outputOf(model);
  return output && Math.max(PART_ROWS_MIN, TILE * Math.ceil(output.shape[0]! / PARTS_MAX / TILE));
}

/** The output matrix that is kept in integers. */
function outputOf(model: BaseModel): WeightShape | undefined {
  if (model.classifier || model.outputBias) return undefined;
  // For its name alone.
  const range = { location: "", offset: 0, length: 0 };
  const name = weightName(model.outputMatrix((weight) => externalValue(weight.name, "float32", weight.shape, range)));
  return model.weights.find((weight) => weight.name === name);
}

const storedName = (name: string, transposed: boolean): string => `${name}.${transposed ? "transposed" : "plain"}`;

/** The name of a weight, or of some of its rows. */
function partName(value: OnnxValue): string {
  const { source, shape } = value;
  const rows = source.kind === "external" ? source.rows : undefined;
  return rows ? rowsName(weightName(rows.whole), { from: rows.from, to: rows.from + shape[0]! }) : weightName(value);
}

/** Rows of a weight. */
interface Rows {
  readonly from: number;
  readonly to: number;
}

const rowsName = (name: string, { from, to }: Rows): string => `${name}.rows-${from}-${to}`;

const BOTH = [true, false] as const;

/** A matrix that is stored in integers: of a linear layer, or a part of the output matrix. */
interface Part {
  readonly weight: WeightShape;
  readonly name: string;
  readonly rows: Rows;
}

function plan(model: BaseModel, files: ModelFiles, { linears, others }: WeightsByUse): WeightCopy {
  const parts = [...linears.map(wholeOf), ...partsOfOutput(model)];
  const names = [...parts.map(({ name, weight, rows }) => [name, weight.shape, rows.to - rows.from])];
  const key = copyKey(["integers", LAYOUT], files.shards, [names, others.map(({ name, shape }) => [name, shape])]);
  const forms = parts.flatMap((part) => BOTH.map((transposed) => ({ part, ...formOf(part, transposed) })));
  // Scales behind the copies and integers last, so that every f32 value is aligned.
  const entries = [
    ...others.map(({ name, shape }) => ({ name, shape, dtype: "F32" as const })),
    ...forms.map(({ name, shape }) => ({ name: `${name}.scale`, shape: [shape[1]], dtype: "F32" as const })),
    ...forms.map(({ name, shape }) => ({ name, shape, dtype: "I8" as const })),
  ];
  const header = safetensorsHeader(entries, { "weft.key": key });
  const bytes = entries.reduce((sum, { shape, dtype }) => sum + (dtype === "F32" ? 4 : 1) * sizeOf(shape), 0);
  const valuesOf = ({ weight, rows }: Part): Float32Array => model.values(weight, rows);
  return {
    key,
    header,
    fileBytes: header.length + bytes,
    *pieces() {
      yield header;
      for (const weight of others) yield asBytes(model.values(weight));
      const scales = forms.map((form) => columnScales(valuesOf(form.part), form));
      for (const one of scales) yield asBytes(one);
      for (const [i, form] of forms.entries()) yield asBytes(integersOf(valuesOf(form.part), scales[i]!, form));
    },
  };
}

const wholeOf = (weight: WeightShape): Part => ({
  weight,
  name: weight.name,
  rows: { from: 0, to: weight.shape[0]! },
});

function partsOfOutput(model: BaseModel): readonly Part[] {
  const [weight, size] = [outputOf(model), vocabularyRows(model)];
  if (!weight || size === undefined) return [];
  const count = weight.shape[0]!;
  if (count <= size) return [wholeOf(weight)];
  return Array.from({ length: Math.ceil(count / size) }, (_, i) => {
    const rows = { from: i * size, to: Math.min(count, (i + 1) * size) };
    return { weight, name: rowsName(weight.name, rows), rows };
  });
}

/** A stored matrix [rows, columns] as the matrix [K, N] of a product. */
interface Form {
  readonly name: string;
  readonly shape: readonly [number, number];
  readonly transposed: boolean;
}

function formOf({ name, weight, rows: { from, to } }: Part, transposed: boolean): Form {
  const [rows, columns] = [to - from, weight.shape[1]!];
  return { name: storedName(name, transposed), shape: transposed ? [columns, rows] : [rows, columns], transposed };
}

/** s f32[N] of values f32[rows, columns]; 1 for a column of zeros. */
export function columnScales(
  values: Float32Array,
  { shape: [inner, count], transposed }: Omit<Form, "name">,
): Float32Array {
  const scales = new Float32Array(count);
  for (let k = 0; k < inner; k++) {
    for (let n = 0; n < count; n++) {
      const size = Math.abs(values[transposed ? n * inner + k : k * count + n]!);
      if (size > scales[n]!) scales[n] = size;
    }
  }
  return scales.map((largest) => (largest > 0 ? largest / LARGEST : 1));
}

/** round(W_kn / s_n), i8[K, N]. */
export function integersOf(
  values: Float32Array,
  scales: Float32Array,
  { shape: [inner, count], transposed }: Omit<Form, "name">,
): Int8Array {
  const integers = new Int8Array(inner * count);
  for (let k = 0; k < inner; k++) {
    for (let n = 0; n < count; n++) {
      integers[k * count + n] = Math.round(values[transposed ? n * inner + k : k * count + n]! / scales[n]!);
    }
  }
  return integers;
}

const asBytes = ({ buffer, byteOffset, byteLength }: Float32Array | Int8Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

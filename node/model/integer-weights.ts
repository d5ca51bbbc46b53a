/**
 * Frozen matrices as integers of 8 bits, for products that are several times as fast: W ~ s W_q with one scale for each
 * column of the product, s_n = max_k |W_kn| / 127, rounded to the nearest. Every matrix is stored twice, as the forward
 * and as the backward pass multiply with it; what else a graph reads is copied as it is, so that it refers to one file.
 * The file is made once and found again by its key, as that of widened weights.
 * Source of scales by column: Dettmers et al. 2022, arXiv:2208.07339, section 2.
 */
import type { ExternalData } from "../interface/runtime.ts";
import { externalValue } from "../onnx/graph.ts";
import type { OnnxValue } from "../onnx/value.ts";
import type { BaseModel, WeightShape } from "./base-model.ts";
import type { ModelFiles } from "./huggingface.ts";
import { storedCopy } from "./huggingface.ts";
import { safetensorsHeader } from "./safetensors.ts";
import type { WidenedWeights } from "./widened-weights.ts";
import { copyKey } from "./widened-weights.ts";

/** A matrix [K, N] in integers and the scale of each of its columns, f32[N]. */
export interface IntegerMatrix {
  readonly matrix: OnnxValue;
  readonly scale: OnnxValue;
}

export interface IntegerWeights {
  /** A weight of a linear layer as the right side of a product, transposed or as it is; undefined for other values. */
  matrix(weight: OnnxValue, transposed: boolean): IntegerMatrix | undefined;
  /** The copy of any other weight of the model; undefined for other values. */
  copy(weight: OnnxValue): OnnxValue | undefined;
  /** The one file that these refer to. */
  readonly externalData: readonly ExternalData[];
}

/** Raised when the file's layout changes, so that older files are not taken for it. */
const LAYOUT = 1;
/** Largest integer: -128 has no counterpart. */
const LARGEST = 127;

/** Throws: DISK_FULL, DATA_DIRECTORY. */
export function integerWeights(model: BaseModel, files: ModelFiles): IntegerWeights {
  const paths = new Set(model.shape.linears.map(({ path }) => `${path}.weight`));
  const stored = model.weights.filter((weight) => model.has(weight));
  const linears = stored.filter(({ name }) => paths.has(name));
  const others = stored.filter(({ name }) => !paths.has(name));
  const tensors = storedCopy(plan(model, { files, linears, others }), files);
  const value = (name: string, dtype: "float32" | "int8"): OnnxValue | undefined => {
    const tensor = tensors.get(name);
    if (!tensor) return undefined;
    const { file, offset, begin, end, shape } = tensor;
    return externalValue(name, dtype, shape, { location: file.path, offset, length: end - begin });
  };
  const made = new Map<string, OnnxValue | undefined>();
  const once = (name: string, dtype: "float32" | "int8"): OnnxValue | undefined => {
    if (!made.has(name)) made.set(name, value(name, dtype));
    return made.get(name);
  };
  const nameOf = ({ source }: OnnxValue): string => (source.kind === "external" ? source.name : "");
  return {
    matrix: (weight, transposed) => {
      const name = storedName(nameOf(weight), transposed);
      const [matrix, scale] = [once(name, "int8"), once(`${name}.scale`, "float32")];
      return matrix && scale ? { matrix, scale } : undefined;
    },
    copy: (weight) => (weight.source.kind === "external" ? once(nameOf(weight), "float32") : undefined),
    externalData: [...new Set([...tensors.values()].map(({ file }) => file))],
  };
}

const storedName = (name: string, transposed: boolean): string => `${name}.${transposed ? "transposed" : "plain"}`;

const BOTH = [true, false] as const;

interface Parts {
  readonly files: ModelFiles;
  readonly linears: readonly WeightShape[];
  readonly others: readonly WeightShape[];
}

function plan(model: BaseModel, { files, linears, others }: Parts): WidenedWeights {
  const names = [...linears, ...others].map(({ name, shape }) => [name, shape]);
  const key = copyKey(["integers", LAYOUT], files.shards, names);
  const forms = linears.flatMap((weight) => BOTH.map((transposed) => ({ weight, ...formOf(weight, transposed) })));
  // Scales behind the copies and integers last, so that every f32 value is aligned.
  const entries = [
    ...others.map(({ name, shape }) => ({ name, shape, dtype: "F32" as const })),
    ...forms.map(({ name, shape }) => ({ name: `${name}.scale`, shape: [shape[1]], dtype: "F32" as const })),
    ...forms.map(({ name, shape }) => ({ name, shape, dtype: "I8" as const })),
  ];
  const header = safetensorsHeader(entries, { "weft.key": key });
  const bytes = entries.reduce(
    (sum, { shape, dtype }) => sum + (dtype === "F32" ? 4 : 1) * shape.reduce((a, b) => a * b, 1),
    0,
  );
  return {
    key,
    header,
    fileBytes: header.length + bytes,
    *pieces() {
      yield header;
      for (const weight of others) yield asBytes(model.values(weight));
      const scales = forms.map((form) => columnScales(model.values(form.weight), form));
      for (const one of scales) yield asBytes(one);
      for (const [i, form] of forms.entries()) yield asBytes(integersOf(model.values(form.weight), scales[i]!, form));
    },
  };
}

/** A stored matrix [rows, columns] as the matrix [K, N] of a product. */
interface Form {
  readonly name: string;
  readonly shape: readonly [number, number];
  readonly transposed: boolean;
}

function formOf({ name, shape }: WeightShape, transposed: boolean): Form {
  const [rows, columns] = shape as [number, number];
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

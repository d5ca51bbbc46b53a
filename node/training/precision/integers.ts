/**
 * Products with frozen weights in integers of 8 bits, forward and backward: y_mn = a_m s_n sum_k x_q,mk W_q,kn. They are
 * several times as fast. W is quantised beforehand, W ~ s W_q with one scale for each column of the product,
 * s_n = max_k |W_kn| / 127, rounded to the nearest. x is quantised while the product is computed, by onnxruntime's
 * DynamicQuantizeMatMul.
 *
 * That operator has one scale for all of x, so that the division of rows by their largest value matters. Measured on the
 * embedded model, LoRA on q and v: the gradient is off by 6 % with it, by 20 % without.
 * Source of scales by column: Dettmers et al. 2022, arXiv:2208.07339, section 2.
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
import { apply } from "../../onnx/graph.ts";
import type { GraphPass } from "../../onnx/rewrite.ts";
import type { OnnxValue } from "../../onnx/value.ts";
import { inOtherArithmetic } from "./frozen-products.ts";

/** A matrix [K, N] in integers and the scale of each of its columns, f32[N]. */
export interface IntegerMatrix {
  readonly matrix: OnnxValue;
  readonly scale: OnnxValue;
}

/** The pass that gives products with these matrices to integers. */
export function inIntegers(weights: CopiedWeights<IntegerMatrix>): GraphPass {
  return inOtherArithmetic(weights, (x, { matrix, scale }, label) =>
    apply("DynamicQuantizeMatMul", [x, matrix, scale], { domain: "com.microsoft", label }),
  );
}

/** Raised when the file's layout changes, so that older files are not taken for it. */
const LAYOUT = 1;
/** Largest integer: -128 has no counterpart. */
const LARGEST = 127;

/**
 * A model's weights, those of linear layers in integers. Every matrix is stored twice, as the forward and as the backward
 * pass multiply with it.
 * Throws: DISK_FULL, DATA_DIRECTORY.
 */
export function integerWeights(model: BaseModel, files: ModelFiles): CopiedWeights<IntegerMatrix> {
  const { value, externalData } = copiedTensors(storedCopy(plan(model, files, weightsByUse(model)), files.cache));
  return {
    matrix: (weight, transposed) => {
      const name = storedName(weightName(weight), transposed);
      const [matrix, scale] = [value(name, "int8"), value(`${name}.scale`, "float32")];
      return matrix && scale ? { matrix, scale } : undefined;
    },
    copy: (weight) => value(weightName(weight), "float32"),
    externalData,
  };
}

const storedName = (name: string, transposed: boolean): string => `${name}.${transposed ? "transposed" : "plain"}`;

const BOTH = [true, false] as const;

function plan(model: BaseModel, files: ModelFiles, { linears, others }: WeightsByUse): WeightCopy {
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

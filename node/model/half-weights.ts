/**
 * Frozen matrices as numbers of 16 bits (IEEE 754 binary16), for products in them: half the memory on a device, and
 * faster where the device has such arithmetic. Rounded to the nearest; what is beyond 65504 becomes that. What else a
 * graph reads is copied as it is, so that it refers to one file, which is made once and found again by its key.
 */
import { encodeFloat16 } from "../../protocol/encoding/float16.ts";
import type { ExternalData } from "../interface/runtime.ts";
import { externalValue } from "../onnx/graph.ts";
import type { OnnxValue } from "../onnx/value.ts";
import { sizeOf } from "../tensor.ts";
import type { BaseModel, WeightShape } from "./base-model.ts";
import type { ModelFiles } from "./huggingface.ts";
import { storedCopy } from "./huggingface.ts";
import { safetensorsHeader } from "./safetensors.ts";
import type { WidenedWeights } from "./widened-weights.ts";
import { copyKey } from "./widened-weights.ts";

/** A matrix as it is stored, and whether the product is with its transpose. */
export interface HalfMatrix {
  readonly matrix: OnnxValue;
  readonly transposed: boolean;
}

export interface HalfWeights {
  /** A weight of a linear layer as the right side of a product, f16; undefined for other values. */
  matrix(weight: OnnxValue, transposed: boolean): HalfMatrix | undefined;
  /** The f32 copy of any other weight of the model; undefined for other values. */
  copy(weight: OnnxValue): OnnxValue | undefined;
  /** The one file that these refer to. */
  readonly externalData: readonly ExternalData[];
}

/** Raised when the file's layout changes, so that older files are not taken for it. */
const LAYOUT = 1;

/** Throws: DISK_FULL, DATA_DIRECTORY. */
export function halfWeights(model: BaseModel, files: ModelFiles): HalfWeights {
  const paths = new Set(model.shape.linears.map(({ path }) => `${path}.weight`));
  const stored = model.weights.filter((weight) => model.has(weight));
  const linears = stored.filter(({ name }) => paths.has(name));
  const tensors = storedCopy(
    plan(model, files, { linears, others: stored.filter(({ name }) => !paths.has(name)) }),
    files,
  );
  const made = new Map<string, OnnxValue>();
  const value = (weight: OnnxValue, wanted: "linear" | "other"): OnnxValue | undefined => {
    const name = weight.source.kind === "external" ? weight.source.name : "";
    const tensor = tensors.get(name);
    if (!tensor || paths.has(name) !== (wanted === "linear")) return undefined;
    const range = { location: tensor.file.path, offset: tensor.offset, length: tensor.end - tensor.begin };
    const dtype = wanted === "linear" ? "float16" : "float32";
    const known = made.get(name) ?? externalValue(name, dtype, tensor.shape, range);
    made.set(name, known);
    return known;
  };
  return {
    matrix: (weight, transposed) => {
      const matrix = value(weight, "linear");
      return matrix && { matrix, transposed };
    },
    copy: (weight) => value(weight, "other"),
    externalData: [...new Set([...tensors.values()].map(({ file }) => file))],
  };
}

interface Parts {
  readonly linears: readonly WeightShape[];
  readonly others: readonly WeightShape[];
}

function plan(model: BaseModel, files: ModelFiles, { linears, others }: Parts): WidenedWeights {
  // Numbers of 16 bits last, so that every f32 value is aligned.
  const entries = [
    ...others.map(({ name, shape }) => ({ name, shape, dtype: "F32" as const })),
    ...linears.map(({ name, shape }) => ({ name, shape, dtype: "F16" as const })),
  ];
  const names = entries.map(({ name, shape, dtype }) => [name, dtype, shape]);
  const key = copyKey(["halves", LAYOUT], files.shards, names);
  const header = safetensorsHeader(entries, { "weft.key": key });
  const bytes = entries.reduce((sum, { shape, dtype }) => sum + (dtype === "F32" ? 4 : 2) * sizeOf(shape), 0);
  return {
    key,
    header,
    fileBytes: header.length + bytes,
    *pieces() {
      yield header;
      for (const weight of others) {
        const { buffer, byteOffset, byteLength } = model.values(weight);
        yield new Uint8Array(buffer, byteOffset, byteLength);
      }
      for (const weight of linears) yield encodeFloat16(model.values(weight));
    },
  };
}

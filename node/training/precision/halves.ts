/**
 * Products with frozen weights in numbers of 16 bits (IEEE 754 binary16), forward and backward: y = a f32(f16(x / a) W_16).
 * They take half the memory on a device, and are faster where the device has such arithmetic. Everything else stays in f32:
 * the residual stream, norms, attention, the adapter, the output matrix, the loss and the gradient.
 * Source of what stays in f32: Micikevicius et al. 2017, arXiv:1710.03740, section 3.
 */
import { encodeFloat16 } from "../../../protocol/encoding/float16.ts";
import type { BaseModel } from "../../model/base-model.ts";
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
import { cast, div, gemm, mul } from "../../onnx/operators.ts";
import type { GraphPass } from "../../onnx/rewrite.ts";
import type { OnnxValue } from "../../onnx/value.ts";
import { sizeOf } from "../../tensor.ts";
import { inOtherArithmetic, sizeOfRows } from "./frozen-products.ts";

/** A matrix f16 as it is stored, and whether the product is with its transpose. */
export interface HalfMatrix {
  readonly matrix: OnnxValue;
  readonly transposed: boolean;
}

/** The pass that gives products with these matrices to 16 bits. */
export function inHalves(weights: CopiedWeights<HalfMatrix>): GraphPass {
  return inOtherArithmetic(weights, (x, { matrix, transposed }) => {
    const size = sizeOfRows(x);
    return mul(cast(gemm(cast(div(x, size), "float16"), matrix, { transB: transposed }), "float32"), size);
  });
}

/** Raised when the file's layout changes, so that older files are not taken for it. */
const LAYOUT = 1;

/**
 * A model's weights, those of linear layers rounded to the nearest number of 16 bits. What is beyond 65504 becomes 65504.
 * Throws: DISK_FULL, DATA_DIRECTORY.
 */
export function halfWeights(model: BaseModel, files: ModelFiles): CopiedWeights<HalfMatrix> {
  const weights = weightsByUse(model);
  const linears = new Set(weights.linears.map(({ name }) => name));
  const { value, externalData } = copiedTensors(storedCopy(plan(model, files, weights), files.cache));
  return {
    matrix: (weight, transposed) => {
      const name = weightName(weight);
      const matrix = linears.has(name) ? value(name, "float16") : undefined;
      return matrix && { matrix, transposed };
    },
    copy: (weight) => {
      const name = weightName(weight);
      return linears.has(name) ? undefined : value(name, "float32");
    },
    externalData,
  };
}

function plan(model: BaseModel, files: ModelFiles, { linears, others }: WeightsByUse): WeightCopy {
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

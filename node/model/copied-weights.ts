/**
 * Copies of a model's weights for products in another arithmetic than f32. The weights of linear layers are stored in that
 * arithmetic, every other weight as it is, so that a graph refers to one file. The file is made once and found again by its
 * key.
 */
import type { ExternalData } from "../interface/runtime.ts";
import { externalValue } from "../onnx/graph.ts";
import type { OnnxValue } from "../onnx/value.ts";
import type { BaseModel, WeightShape } from "./base-model.ts";
import type { StoredTensor } from "./weight-file.ts";

/** What a graph reads in place of a model's weights. `Matrix` is the form in which a product takes its right side. */
export interface CopiedWeights<Matrix> {
  /** A weight of a linear layer as the right side of a product, transposed or as it is; undefined for other values. */
  matrix(weight: OnnxValue, transposed: boolean): Matrix | undefined;
  /** The f32 copy of any other weight of the model; undefined for other values. */
  copy(weight: OnnxValue): OnnxValue | undefined;
  /** The one file that these refer to. */
  readonly externalData: readonly ExternalData[];
}

/** The weights that a model's files hold: those of linear layers, and all others. */
export interface WeightsByUse {
  readonly linears: readonly WeightShape[];
  readonly others: readonly WeightShape[];
}

/** Divide a model's stored weights by what multiplies with them. */
export function weightsByUse(model: BaseModel): WeightsByUse {
  const paths = new Set(model.shape.linears.map(({ path }) => `${path}.weight`));
  const stored = model.weights.filter((weight) => model.has(weight));
  return {
    linears: stored.filter(({ name }) => paths.has(name)),
    others: stored.filter(({ name }) => !paths.has(name)),
  };
}

/** Data types in which a copied file holds values for a graph. */
export type CopiedDtype = "float32" | "float16" | "int8";

/** Values of a graph that lie in a copied file, by the names of their tensors. The same name gives the same value. */
export interface CopiedTensors {
  /** undefined where the file holds no such tensor. */
  value(name: string, dtype: CopiedDtype): OnnxValue | undefined;
  readonly externalData: readonly ExternalData[];
}

/** The tensors of a copied file as values of a graph. */
export function copiedTensors(tensors: ReadonlyMap<string, StoredTensor>): CopiedTensors {
  const made = new Map<string, OnnxValue>();
  return {
    value: (name, dtype) => {
      const known = made.get(name);
      const tensor = tensors.get(name);
      if (known || !tensor) return known;
      const { file, offset, begin, end, shape } = tensor;
      const value = externalValue(name, dtype, shape, { location: file.path, offset, length: end - begin });
      made.set(name, value);
      return value;
    },
    externalData: [...new Set([...tensors.values()].map(({ file }) => file))],
  };
}

/** The name of a weight that lies in a file; empty for a value that a graph computes. */
export const weightName = ({ source }: OnnxValue): string => (source.kind === "external" ? source.name : "");

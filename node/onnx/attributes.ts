/** Reading a node's attributes, and those inputs that are known while a graph is built. */
import type { TensorData } from "../tensor.ts";
import type { Attributes, OnnxValue } from "./value.ts";

/**
 * Most integers that an operand such as a shape, a list of axes or of split sizes may have. A training step splits its
 * flat adapter into one part per tensor: the largest models have a few thousand.
 */
const OPERAND_INTS_MAX = 1 << 16;

/** Integer attribute or its default. */
export function intAttribute(attributes: Attributes, name: string, fallback: number): number {
  const attribute = attributes[name];
  return attribute && "int" in attribute ? attribute.int : fallback;
}

/** Float attribute or its default. */
export function floatAttribute(attributes: Attributes, name: string, fallback: number): number {
  const attribute = attributes[name];
  return attribute && "float" in attribute ? attribute.float : fallback;
}

/** String attribute or its default. */
export function stringAttribute(attributes: Attributes, name: string, fallback: string): string {
  const attribute = attributes[name];
  return attribute && "string" in attribute ? attribute.string : fallback;
}

/** List-of-integers attribute, or undefined. */
export function intsAttribute(attributes: Attributes, name: string): readonly number[] | undefined {
  const attribute = attributes[name];
  return attribute && "ints" in attribute ? attribute.ints : undefined;
}

/** Integers of a constant input, or undefined when it is absent or not constant.  Throws: RangeError when too many. */
export function constantInts(value: OnnxValue | undefined): readonly number[] | undefined {
  if (value?.source.kind !== "constant") return undefined;
  if (value.dtype !== "int64" && value.dtype !== "int32") throw new RangeError(`integers given as ${value.dtype}`);
  const { data } = value.source;
  if (data.length > OPERAND_INTS_MAX) throw new RangeError(`an operand of ${data.length} integers`);
  return Array.from(data as Exclude<TensorData, BigInt64Array>, Number);
}

/** The one number of a constant input, or undefined. */
export function constantNumber(value: OnnxValue | undefined): number | undefined {
  if (value?.source.kind !== "constant" || value.source.data.length !== 1) return undefined;
  if (value.dtype === "float16") return undefined;
  return Number(value.source.data[0]);
}

/** An axis counted from the front.  Throws: RangeError when it is outside the rank. */
export function axisIndex(axis: number, rank: number): number {
  const index = axis < 0 ? axis + rank : axis;
  if (!Number.isSafeInteger(index) || index < 0 || index >= rank) throw new RangeError(`axis ${axis} of rank ${rank}`);
  return index;
}

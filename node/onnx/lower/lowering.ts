/**
 * A lowering gives an operator of an older set, or a fused one, in terms of the operators that weft computes and
 * differentiates. So one set of shape and gradient rules serves every export.
 */
import type { Attributes, OnnxValue } from "../value.ts";

/** A node as the file gives it, its inputs already made. */
export interface ImportedNode {
  readonly op: string;
  /** "" is the standard operator set. */
  readonly domain: string;
  /** Version of that operator set which the model imports. */
  readonly version: number;
  readonly inputs: readonly (OnnxValue | undefined)[];
  readonly attributes: Attributes;
  readonly label: string;
  /** Number of outputs that the node names. */
  readonly outputs: number;
}

/**
 * Values that take the place of the node's outputs; undefined leaves the node as it is. An output that is undefined is
 * one that this form cannot give: reading it is an error.
 * Throws: RangeError with what is not supported; the reader adds operator and place.
 */
export type Lowering = (node: ImportedNode) => readonly (OnnxValue | undefined)[] | undefined;

/** An input that the operator cannot do without. */
export function required(node: ImportedNode, index: number): OnnxValue {
  const value = node.inputs[index];
  if (!value) throw new RangeError(`input ${index} is missing`);
  return value;
}

/** Sizes of a value that must have so many axes; a fourth that is not there counts as 1. */
export function sizesOf(x: OnnxValue, rank: 3 | 4): readonly [number, number, number, number] {
  if (x.shape.length !== rank) throw new RangeError(`${x.shape.length} axes, not ${rank}`);
  const [a, b, c, d = 1] = x.shape;
  return [a!, b!, c!, d];
}

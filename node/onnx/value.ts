/**
 * An ONNX graph as objects: values point at the node that makes them, nodes at the values they read. There is no list
 * of nodes to keep in order and no name to keep unique; whatever no output depends on is simply not there.
 *
 * Every value has a known dtype and a static shape: a training step is built for one batch shape at a time.
 */
import type { Dtype, Tensor, TensorData } from "../tensor.ts";

/** A byte range of a file of weights beside the model. */
export interface ExternalRange {
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

/** The value of which an external value is a few rows, and the first of those rows. */
export interface RowsOf {
  readonly whole: OnnxValue;
  readonly from: number;
}

/** The origin of a value. */
export type ValueSource =
  | { readonly kind: "input"; readonly name: string }
  | { readonly kind: "constant"; readonly data: TensorData; readonly name?: string }
  | { readonly kind: "external"; readonly range: ExternalRange; readonly name: string; readonly rows?: RowsOf }
  | { readonly kind: "node"; readonly node: OnnxNode; readonly index: number };

/** A value of a graph: an input, a constant, a range of a file, or an output of a node. */
export interface OnnxValue {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly source: ValueSource;
}

/** An attribute of a node, by its kind. */
export type Attribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly string: string }
  | { readonly ints: readonly number[] }
  | { readonly floats: readonly number[] }
  | { readonly tensor: Tensor };

/** The attributes of a node, by name. */
export type Attributes = Readonly<Record<string, Attribute>>;

/** An application of an operator; an absent optional input is undefined. */
export interface OnnxNode {
  readonly op: string;
  /** "" is the standard operator set. */
  readonly domain: string;
  readonly inputs: readonly (OnnxValue | undefined)[];
  readonly attributes: Attributes;
  readonly outputs: readonly OnnxValue[];
  /** For people: where in the model this node stands, such as `layers.0.mlp`. */
  readonly label: string;
}

/** A graph is its named outputs; everything else is reached from them. */
export interface OnnxGraph {
  readonly inputs: readonly OnnxValue[];
  readonly outputs: Readonly<Record<string, OnnxValue>>;
}

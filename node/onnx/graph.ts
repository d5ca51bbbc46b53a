/**
 * An ONNX graph as objects: values point at the node that makes them, nodes at the values they read. There is no list
 * of nodes to keep in order and no name to keep unique; whatever no output depends on is simply not there.
 *
 * Every value has a known dtype and a static shape: a training step is built for one batch shape at a time.
 */
import { NodeError } from "../errors.ts";
import type { Dtype, Tensor, TensorData } from "../tensor.ts";
import { sizeOf } from "../tensor.ts";
import { inferShapes } from "./shape-inference.ts";

/** A byte range of a file of weights beside the model. */
export interface ExternalRange {
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

/** Where a value comes from. */
export type ValueSource =
  | { readonly kind: "input"; readonly name: string }
  | { readonly kind: "constant"; readonly data: TensorData; readonly name?: string }
  | { readonly kind: "external"; readonly range: ExternalRange; readonly name: string }
  | { readonly kind: "node"; readonly node: OnnxNode; readonly index: number };

export interface OnnxValue {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly source: ValueSource;
}

export type Attribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly string: string }
  | { readonly ints: readonly number[] }
  | { readonly floats: readonly number[] }
  | { readonly tensor: Tensor };

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

/** A declared input of the graph. */
export function inputValue(name: string, dtype: Dtype, shape: readonly number[]): OnnxValue {
  return { dtype, shape, source: { kind: "input", name } };
}

/** A value known when the graph is built.  Throws: ONNX_INVALID when the data does not fill the shape. */
export function constantValue(tensor: Tensor, name?: string): OnnxValue {
  if (tensor.data.length !== sizeOf(tensor.shape)) {
    throw new NodeError("ONNX_INVALID", `constant of ${tensor.data.length} values has shape [${tensor.shape}]`);
  }
  const source = name === undefined ? { data: tensor.data } : { data: tensor.data, name };
  return { dtype: tensor.dtype, shape: tensor.shape, source: { kind: "constant", ...source } };
}

/** A frozen weight that stays in its file. */
export function externalValue(name: string, dtype: Dtype, shape: readonly number[], range: ExternalRange): OnnxValue {
  return { dtype, shape, source: { kind: "external", name, range } };
}

export interface NodeOptions {
  readonly attributes?: Attributes;
  readonly domain?: string;
  readonly label?: string;
  /** Number of outputs wanted; 1 when absent. */
  readonly outputs?: number;
}

/** Apply an operator; the outputs' dtypes and shapes are inferred.  Throws: ONNX_INVALID when they cannot be. */
export function applyAll(
  op: string,
  inputs: readonly (OnnxValue | undefined)[],
  options: NodeOptions = {},
): readonly OnnxValue[] {
  const attributes = options.attributes ?? {};
  const domain = options.domain ?? "";
  const label = options.label ?? "";
  const types = inferShapes({ op, domain, inputs, attributes, label, outputCount: options.outputs ?? 1 });
  const outputs: OnnxValue[] = [];
  const node: OnnxNode = { op, domain, inputs, attributes, outputs, label };
  for (const [index, type] of types.entries()) outputs.push({ ...type, source: { kind: "node", node, index } });
  return outputs;
}

/** Apply an operator with one output. */
export function apply(op: string, inputs: readonly (OnnxValue | undefined)[], options: NodeOptions = {}): OnnxValue {
  return applyAll(op, inputs, options)[0]!;
}

/** Nodes that the given values depend on, each after the nodes it reads.  Deterministic: depth first, inputs in order. */
export function nodesInOrder(values: readonly OnnxValue[]): readonly OnnxNode[] {
  const done = new Set<OnnxNode>();
  const order: OnnxNode[] = [];
  for (const value of values) {
    if (value.source.kind !== "node" || done.has(value.source.node)) continue;
    const stack: { node: OnnxNode; next: number }[] = [{ node: value.source.node, next: 0 }];
    while (stack.length > 0) {
      const top = stack.at(-1)!;
      if (top.next < top.node.inputs.length) {
        const input = top.node.inputs[top.next++];
        if (input?.source.kind === "node" && !done.has(input.source.node)) {
          stack.push({ node: input.source.node, next: 0 });
        }
      } else {
        stack.pop();
        if (done.has(top.node)) continue;
        done.add(top.node);
        order.push(top.node);
      }
    }
  }
  return order;
}

/** The data of a constant value, or undefined when the value is not known while building. */
export function constantData(value: OnnxValue | undefined): TensorData | undefined {
  return value?.source.kind === "constant" ? value.source.data : undefined;
}

/** One line for an error message: operator, label, and the shapes it reads. */
export function describeNode(node: Pick<OnnxNode, "op" | "label" | "inputs">): string {
  const shapes = node.inputs.map((input) => (input ? `${input.dtype}[${input.shape}]` : "-")).join(", ");
  return `${node.op}${node.label ? ` at ${node.label}` : ""} (${shapes})`;
}

/** Building ONNX graphs, and walking them in execution order. The objects themselves are in `value.ts`. */
import { NodeError } from "../errors.ts";
import type { Dtype, Tensor, TensorData } from "../tensor.ts";
import { sizeOf } from "../tensor.ts";
import { inferShapes } from "./shape-inference.ts";
import type { Attributes, ExternalRange, OnnxNode, OnnxValue } from "./value.ts";

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

/** Rows [from, to) of a frozen weight, as bytes of the same file; nothing is copied. */
export function externalRows(
  whole: OnnxValue,
  { from, to }: { readonly from: number; readonly to: number },
): OnnxValue {
  const { dtype, shape, source } = whole;
  if (source.kind !== "external" || from < 0 || to > shape[0]! || from >= to) {
    throw new RangeError(`rows [${from}, ${to}) of a value of shape [${shape}] from ${source.kind}`);
  }
  const rowBytes = source.range.length / shape[0]!;
  const range = {
    location: source.range.location,
    offset: source.range.offset + from * rowBytes,
    length: (to - from) * rowBytes,
  };
  const name = `${source.name}.rows-${from}`;
  return {
    dtype,
    shape: [to - from, ...shape.slice(1)],
    source: { kind: "external", name, range, rows: { whole, from } },
  };
}

/** What a node has beside its operator and inputs. */
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

/**
 * Nodes that the given values depend on, each after the nodes it reads.  Deterministic: depth first, inputs in order.
 * known: values whose nodes are not asked for.
 */
export function nodesInOrder(values: readonly OnnxValue[], known?: ReadonlySet<OnnxValue>): readonly OnnxNode[] {
  const done = new Set<OnnxNode>();
  const order: OnnxNode[] = [];
  for (const value of values) {
    if (value.source.kind !== "node" || done.has(value.source.node) || known?.has(value)) continue;
    const stack: { node: OnnxNode; next: number }[] = [{ node: value.source.node, next: 0 }];
    while (stack.length > 0) {
      const top = stack.at(-1)!;
      if (top.next < top.node.inputs.length) {
        const input = top.node.inputs[top.next++];
        if (input?.source.kind === "node" && !done.has(input.source.node) && !known?.has(input)) {
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

/** A shape rule gives the data types and static shapes of one operator's outputs. */
import { NodeError } from "../../errors.ts";
import type { Dtype } from "../../tensor.ts";
import type { Attributes, OnnxNode, OnnxValue } from "../value.ts";

/** Data type and static shape of a value. */
export interface ValueType {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
}

/** An operator applied to values, before its outputs exist. */
export interface Application {
  readonly op: string;
  readonly domain: string;
  readonly inputs: readonly (OnnxValue | undefined)[];
  readonly attributes: Attributes;
  readonly label: string;
  readonly outputCount: number;
}

/** Types of all outputs.  Throws: RangeError with what does not fit; the engine adds operator, place and shapes. */
export type Rule = (application: Application) => readonly ValueType[];

/** Inputs that an error message shows: the rest of a long list says nothing more. */
const SHOWN_INPUTS = 8;

/** One line for an error message: operator, label, and the shapes it reads. */
export function describeNode(node: Pick<OnnxNode, "op" | "label" | "inputs">): string {
  const shapes = node.inputs.slice(0, SHOWN_INPUTS).map((input) => (input ? `${input.dtype}[${input.shape}]` : "-"));
  if (node.inputs.length > SHOWN_INPUTS) shapes.push("…");
  return `${node.op}${node.label ? ` at ${node.label}` : ""} (${shapes.join(", ")})`;
}

/** The error that a rule throws, with the operator and its place named. Code: ONNX_INVALID. */
export function invalid(application: Application, text: string): NodeError {
  return new NodeError("ONNX_INVALID", `${describeNode(application)}: ${text}`);
}

/** An input that the operator cannot do without. */
export function input(application: Application, index: number): OnnxValue {
  const value = application.inputs[index];
  if (!value) throw new RangeError(`input ${index} is missing`);
  return value;
}

/** Shape of an elementwise result, as numpy broadcasts. */
export function broadcastShapes(a: readonly number[], b: readonly number[]): readonly number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const m = a[i - rank + a.length] ?? 1;
    const n = b[i - rank + b.length] ?? 1;
    if (m !== n && m !== 1 && n !== 1) throw new RangeError(`[${a}] and [${b}] do not broadcast`);
    return m === 1 ? n : m;
  });
}

/** The rule of operators whose output has the type of their first input. */
export const likeFirst: Rule = (a) => [{ dtype: input(a, 0).dtype, shape: input(a, 0).shape }];

/** The same rule for several operators. */
export function each(ops: readonly string[], rule: Rule): Record<string, Rule> {
  return Object.fromEntries(ops.map((op) => [op, rule]));
}

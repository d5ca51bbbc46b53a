/** The graph pass that computes a value once where several nodes are alike, as onnxruntime does by itself when it may. */
import { applyAll } from "./graph.ts";
import { type GraphPass, rewrite } from "./rewrite.ts";
import type { OnnxNode, OnnxValue } from "./value.ts";

/** Values of a constant that is compared by what it holds; a larger one is alike to itself alone. */
const COMPARED_VALUES_MAX = 64;

/** The pass: nodes of the same operator, attributes and inputs become one. */
export const mergeAlike: GraphPass = (graph) => {
  const names = new Names();
  const known = new Map<string, readonly OnnxValue[]>();
  return rewrite(graph, (node, inputs) => {
    const key = names.key(node, inputs);
    const outputs = known.get(key);
    if (outputs) return outputs;
    const same = inputs.every((input, i) => input === node.inputs[i]);
    const made = same ? node.outputs : applyAll(node.op, inputs, { ...node, outputs: node.outputs.length });
    known.set(key, made);
    return same ? undefined : made;
  });
};

/** Short names of values, the same for constants that hold the same. */
class Names {
  readonly #names = new Map<OnnxValue, string>();

  key({ op, domain, attributes, outputs }: OnnxNode, inputs: readonly (OnnxValue | undefined)[]): string {
    const words = inputs.map((input) => (input ? this.#name(input) : ""));
    return JSON.stringify([op, domain, outputs.length, Object.entries(attributes).toSorted(), words]);
  }

  #name(value: OnnxValue): string {
    const known = this.#names.get(value);
    if (known !== undefined) return known;
    const { source, dtype, shape } = value;
    const isSmall = source.kind === "constant" && source.data.length <= COMPARED_VALUES_MAX;
    const name = isSmall ? `${dtype} [${shape}] ${source.data}` : `v${this.#names.size}`;
    this.#names.set(value, name);
    return name;
  }
}

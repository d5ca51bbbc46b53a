/** A base that no graph reads as f32 from its own files: a pass puts what is kept of it in place of its weights. */
import { externalValue } from "../../onnx/graph.ts";
import type { GraphPass } from "../../onnx/rewrite.ts";
import type { OnnxValue } from "../../onnx/value.ts";
import { sizeOf } from "../../tensor.ts";
import type { BaseModel } from "../base-model.ts";

/** What is kept: the pass that reads it, and its files. */
export interface KeptBase {
  readonly pass: GraphPass;
  readonly externalData: BaseModel["externalData"];
}

/**
 * The model whose graphs go through a pass last. What is kept is opened when a graph is first finished, and f32 weights are
 * made only where somebody asks the given model for them.  as: which of a model's two passes this is.
 */
export function readByPass(model: BaseModel, as: "narrow" | "products", open: () => KeptBase): BaseModel {
  let opened: KeptBase | undefined;
  const kept = (): KeptBase => {
    opened ??= open();
    return opened;
  };
  const values = new Map<string, OnnxValue>();
  const read: Pick<BaseModel, "weight" | "externalData" | "narrow" | "products"> = {
    weight: ({ name, shape }) => {
      // A name for the pass to replace: there is no file of f32 weights.
      const range = { location: `${name} in f32`, offset: 0, length: 4 * sizeOf(shape) };
      const value = values.get(name) ?? externalValue(name, "float32", shape, range);
      values.set(name, value);
      return value;
    },
    get externalData() {
      return kept().externalData;
    },
    [as]: (graph: Parameters<GraphPass>[0]) => kept().pass(graph),
  };
  // Taken over without being asked for: f32 weights are made when somebody asks for them.
  const own = Object.getOwnPropertyDescriptors(model);
  return Object.defineProperties({}, { ...own, ...Object.getOwnPropertyDescriptors(read) }) as BaseModel;
}

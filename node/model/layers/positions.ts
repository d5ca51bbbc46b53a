/** Learned positions: one vector of the model for every place in the text. */
import { gather, ints } from "../../onnx/operators.ts";
import type { OnnxValue } from "../../onnx/value.ts";

/**
 * The vectors of places 0 to T - 1, f32[T, D].  table: f32[places, D]; first: the row of place 0.
 * A text fits into the table; padding that reaches beyond it, where nothing looks, takes the last row.
 */
export function learnedPositions(table: OnnxValue, tokens: number, first = 0): OnnxValue {
  const last = table.shape[0]! - 1;
  return gather(table, ints(Array.from({ length: tokens }, (_, t) => Math.min(first + t, last))));
}

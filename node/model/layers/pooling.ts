/** From the rows of a text's tokens to the rows that a classifier reads. */
import { apply } from "../../onnx/graph.ts";
import { gather, ints, mul, reduceSum, reshape } from "../../onnx/operators.ts";
import type { OnnxValue } from "../../onnx/value.ts";
import type { Classifier } from "../base-model.ts";

/** The mean of each text's rows, f32[B, D].  hidden: f32[B*T, D]; attentionMask: i64[B, T], 1 on the text. */
export function meanOfTokens(hidden: OnnxValue, attentionMask: OnnxValue): OnnxValue {
  const [batch, tokens] = attentionMask.shape as [number, number];
  const width = hidden.shape[1]!;
  const present = apply("Cast", [attentionMask], { attributes: { to: { int: 1 } } });
  const sum = reduceSum(mul(reshape(hidden, [batch, tokens, width]), reshape(present, [batch, tokens, 1])), [1], false);
  return apply("Div", [sum, reduceSum(present, [1], true)]);
}

/**
 * The row of each text that its class is read from, f32[B, D]; the rows of all tokens, where each has a class.
 * hidden: f32[B*T, D].
 */
export function classRows(hidden: OnnxValue, attentionMask: OnnxValue, { reads }: Classifier): OnnxValue {
  const [batch, tokens] = attentionMask.shape as [number, number];
  switch (reads) {
    case "each token":
      return hidden;
    case "mean of tokens":
      return meanOfTokens(hidden, attentionMask);
    case "first token":
      return gather(hidden, ints(Array.from({ length: batch }, (_, b) => b * tokens)));
  }
}

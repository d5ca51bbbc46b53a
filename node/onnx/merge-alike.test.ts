import { expect, it } from "vitest";
import { inputValue, nodesInOrder } from "./graph.ts";
import { mergeAlike } from "./merge-alike.ts";
import { add, exp, mul, reduceSum, scalar } from "./operators.ts";
import type { OnnxValue } from "./value.ts";

const count = (y: OnnxValue): number => nodesInOrder([y]).length;

it("computes once what is alike, however deep, and tells small constants apart by their values", () => {
  const x = inputValue("x", "float32", [2, 3]);
  const once = (axis: number): OnnxValue => reduceSum(exp(mul(x, scalar(2))), [axis], true);
  const same = add(once(0), once(0));
  const { graph } = mergeAlike({ inputs: [x], outputs: { y: same } });
  expect([count(same), count(graph.outputs.y!)]).toEqual([7, 4]);
  const other = mergeAlike({ inputs: [x], outputs: { y: add(once(0), once(1)) } });
  expect(count(other.graph.outputs.y!)).toBe(5);
});

it("leaves a graph without such nodes as it is", () => {
  const x = inputValue("x", "float32", [2]);
  const graph = { inputs: [x], outputs: { y: add(x, exp(x)), z: mul(x, x) } };
  expect(mergeAlike(graph)).toEqual({ graph, replaced: 0 });
});

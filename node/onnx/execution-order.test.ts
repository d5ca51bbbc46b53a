import { describe, expect, it } from "vitest";
import { executionOrder } from "./execution-order.ts";
import { inputValue } from "./graph.ts";
import { add, exp, mul, neg } from "./operators.ts";

describe("the order of nodes in a file", () => {
  it("puts every node after those it reads, and the deeper of two inputs last, whichever is named first", () => {
    const x = inputValue("x", "float32", [2]);
    const shallow = neg(x);
    const deep = exp(exp(exp(x)));
    for (const y of [mul(deep, shallow), mul(shallow, deep)]) {
      const ops = executionOrder([y]).map((node) => node.op);
      expect(ops.at(-1)).toBe("Mul");
      expect(ops.indexOf("Neg")).toBeLessThan(ops.lastIndexOf("Exp"));
    }
  });

  it("holds every node of all outputs once", () => {
    const x = inputValue("x", "float32", [2]);
    const shared = exp(x);
    const outputs = [add(shared, x), neg(shared), shared];
    expect(
      executionOrder(outputs)
        .map((node) => node.op)
        .toSorted(),
    ).toEqual(["Add", "Exp", "Neg"]);
  });
});

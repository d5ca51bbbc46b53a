import { describe, expect, it } from "vitest";
import { externalValue, inputValue } from "./graph.ts";
import { memoryUse } from "./memory-use.ts";
import { exp, gather, gemm, ints, mul, reduceSum, reshape, sub, transpose } from "./operators.ts";
import type { OnnxValue } from "./value.ts";

const x = inputValue("x", "float32", [10, 100]);
const use = (y: OnnxValue) => memoryUse({ inputs: [x], outputs: { y } });
/** Bytes of a value of x's size. */
const ONE = 4000;

describe("the memory of a graph", () => {
  it("is what is held at the same time: a view and a result in place take nothing", () => {
    expect(use(reduceSum(transpose(x, [1, 0]), [0, 1], false)).activations).toBe(ONE);
    expect(use(reduceSum(exp(reshape(transpose(x, [1, 0]), [1000])), [0], false)).activations).toBe(ONE);
    // The first one is read once more at the end.
    const kept = transpose(x, [1, 0]);
    expect(use(reduceSum(sub(exp(mul(kept, kept)), kept), [0, 1], false)).activations).toBe(2 * ONE);
  });

  it("has each range of a file once, and of a table the large pages of the rows that are taken", () => {
    const range = { location: "w", offset: 0, length: 40_000 };
    const w = externalValue("w", "float32", [100, 100], range);
    const again = externalValue("again", "float32", [100, 100], range);
    expect(use(gemm(gemm(x, w), again)).weights).toBe(40_000);
    const table = externalValue("table", "float32", [10_000, 1000], { ...range, length: 40_000_000 });
    expect(use(gather(table, ints([1, 2]))).weights).toBe(2 * 2 ** 21);
    expect(use(gather(w, ints([1, 2]))).weights).toBe(40_000);
  });
});

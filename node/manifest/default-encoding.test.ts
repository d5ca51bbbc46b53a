import { describe, expect, test } from "vitest";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { encodeUpdate } from "../../protocol/encoding/update-payload.ts";
import { createPrng } from "../../protocol/prng.ts";
import { defaultValues, manifestEncoding } from "./default-encoding.ts";

const low = { rank: 8, alpha: 16, targets: ["q_proj"], layers: "all" } as const;
const reft = { rank: 4, layers: "all", positions: "all" } as const;

describe("the encoding of a new network", () => {
  test.each<[AdapterSettings, string]>([
    [{ kind: "tri-lora", ...low, basis: "shared" }, "float32"],
    [{ kind: "lora", ...low }, "int8"],
    [{ kind: "ffa-lora", ...low }, "int8"],
    [{ kind: "loreft", ...reft }, "float16"],
    [{ kind: "direft", ...reft }, "float16"],
    [{ kind: "noreft", ...reft }, "float16"],
    [{ kind: "nodireft", ...reft }, "float16"],
    [{ kind: "combination", lora: { kind: "lora", ...low }, reft: { kind: "loreft", ...reft } }, "float16"],
  ])("%j: %s", (adapter, values) => {
    expect(defaultValues(adapter)).toBe(values);
  });

  test("is left out of the manifest where absence means the same", () => {
    expect(manifestEncoding({ values: "float32" })).toEqual({});
    const topK = { share: 0.1, keyframeEvery: 4 };
    expect(manifestEncoding({ values: "float32", topK })).toEqual({ encoding: { values: "float32", topK } });
    expect(manifestEncoding({ values: "int8" })).toEqual({ encoding: { values: "int8" } });
  });
});

/** |found - exact| / |exact|, Euclidean. */
const relative = (exact: Float64Array, found: Float64Array): number =>
  Math.hypot(...exact.map((x, i) => found[i]! - x)) / Math.hypot(...exact);

describe("what the kinds bear", () => {
  const [d, r] = [256, 8];
  const stream = createPrng(1);
  const normal = (length: number, size: number) => Float32Array.from({ length }, () => size * stream.normal());
  const h = normal(d, 1);
  const sent = (values: "float16" | "int8", theta: Float32Array, columns: number): Float32Array =>
    encodeUpdate(theta, {
      tensors: [{ name: "a", shape: [theta.length / columns, columns] }],
      encoding: { values },
      sequence: 0,
      prng: createPrng(2),
    }).decoded;
  const times = (matrix: Float32Array, x: ArrayLike<number>): Float64Array =>
    Float64Array.from({ length: matrix.length / x.length }, (_, row) => {
      let sum = 0;
      for (let i = 0; i < x.length; i++) sum += matrix[row * x.length + i]! * x[i]!;
      return sum;
    });

  test("a product B A h keeps 97 percent in int8", () => {
    const [A, B] = [normal(r * d, 1 / Math.sqrt(d)), normal(d * r, 0.02)];
    const exact = times(B, times(A, h));
    expect(relative(exact, times(sent("int8", B, r), times(sent("int8", A, d), h)))).toBeLessThan(0.03);
  });

  test("a difference W h - R h after a small step keeps 97 percent in float16 and not in int8", () => {
    const R = normal(r * d, 1 / Math.sqrt(d));
    const W = R.map((x) => x + 0.002 * stream.normal());
    const edit = (w: Float32Array, rotation: Float32Array) => {
      const [a, b] = [times(w, h), times(rotation, h)];
      return a.map((x, i) => x - b[i]!);
    };
    const error = (values: "float16" | "int8") => relative(edit(W, R), edit(sent(values, W, d), sent(values, R, d)));
    expect(error("float16")).toBeLessThan(0.03);
    expect(error("int8")).toBeGreaterThan(0.1);
  });
});

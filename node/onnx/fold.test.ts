import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import type { Dtype, Tensor } from "../tensor.ts";
import { float32, int64, sizeOf } from "../tensor.ts";
import { decodeModel, encodeModel } from "./codec.ts";
import { ARRAY_BY_DTYPE } from "./dtype.ts";
import { constantData, nodesInOrder } from "./graph.ts";
import { modelBytes, type RawAttribute, type RawModel, sampleOf } from "./models.suite.ts";

const runtime = createOnnxRuntime();

async function run(bytes: Uint8Array, feeds: Readonly<Record<string, Tensor>>) {
  const session = await runtime.load(bytes, { threads: 1 });
  try {
    return await session.run(feeds);
  } finally {
    await session.close();
  }
}

function tensor(dtype: Dtype, shape: readonly number[], values: readonly number[]): Tensor {
  if (dtype === "int64") return int64(shape, values);
  return { dtype, shape, data: (ARRAY_BY_DTYPE[dtype] as Float32ArrayConstructor).from(values) };
}

interface Folding {
  readonly op: string;
  readonly inputs: readonly Tensor[];
  readonly attributes?: Readonly<Record<string, RawAttribute>>;
  readonly outputs?: number;
}

const shapes = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 3 });
const numbers = fc.constantFrom<Dtype>("int64", "int32", "float32");
const filled = (dtype: Dtype, shape: readonly number[], low = -5): fc.Arbitrary<Tensor> => {
  const value = fc.integer({ min: dtype === "bool" ? 0 : low, max: dtype === "bool" ? 1 : 5 });
  const count = sizeOf(shape);
  return fc.array(value, { minLength: count, maxLength: count }).map((values) => tensor(dtype, shape, values));
};
/** Two values that broadcast: some axes of either are 1, and one may lack leading axes. */
const pair = (dtype: Dtype, low?: number): fc.Arbitrary<[Tensor, Tensor]> =>
  fc.tuple(shapes, fc.integer({ min: 0, max: 63 }), fc.nat(3)).chain(([shape, ones, cut]) => {
    const a = shape.map((n, i) => ((ones >> i) & 1 ? 1 : n));
    const b = shape.map((n, i) => ((ones >> (i + 3)) & 1 ? 1 : n)).slice(Math.min(cut, shape.length));
    return fc.tuple(filled(dtype, a), filled(dtype, b, low));
  });
const axes = (rank: number) => fc.uniqueArray(fc.integer({ min: 0, max: rank - 1 }), { minLength: 1, maxLength: rank });
const ranked = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 });
const withInput = (make: (x: Tensor) => fc.Arbitrary<Folding>): fc.Arbitrary<Folding> =>
  fc.tuple(numbers, ranked).chain(([dtype, shape]) => filled(dtype, shape).chain(make));

const foldings: Readonly<Record<string, fc.Arbitrary<Folding>>> = {
  arithmetic: fc
    .tuple(fc.constantFrom("Add", "Sub", "Mul", "Max", "Min"), numbers)
    .chain(([op, dtype]) => pair(dtype).map((inputs) => ({ op, inputs }))),
  division: fc
    .tuple(fc.constantFrom("Div", "Mod"), fc.constantFrom<Dtype>("int64", "int32"))
    .chain(([op, dtype]) => pair(dtype, 1).map((inputs) => ({ op, inputs }))),
  comparison: fc
    .tuple(fc.constantFrom("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"), numbers)
    .chain(([op, dtype]) => pair(dtype).map((inputs) => ({ op, inputs }))),
  logic: fc.constantFrom("And", "Or", "Xor").chain((op) => pair("bool").map((inputs) => ({ op, inputs }))),
  unary: fc
    .tuple(fc.constantFrom("Neg", "Abs", "Sign", "Identity"), numbers)
    .chain(([op, dtype]) => shapes.chain((shape) => filled(dtype, shape).map((x) => ({ op, inputs: [x] })))),
  real: fc
    .constantFrom("Floor", "Ceil", "Sqrt", "Reciprocal")
    .chain((op) => filled("float32", [3], 1).map((x) => ({ op, inputs: [x] }))),
  not: filled("bool", [2, 2]).map((x) => ({ op: "Not", inputs: [x] })),
  cast: fc
    .tuple(numbers, fc.constantFrom(1, 6, 7, 9, 11))
    .chain(([dtype, to]) => filled(dtype, [4]).map((x) => ({ op: "Cast", inputs: [x], attributes: { to } }))),
  where: fc
    .tuple(numbers, shapes)
    .chain(([dtype, shape]) =>
      fc
        .tuple(filled("bool", shape.slice(-1)), filled(dtype, shape), filled(dtype, []))
        .map((inputs) => ({ op: "Where", inputs })),
    ),
  concat: withInput((x) =>
    fc.tuple(fc.nat(x.shape.length - 1), fc.integer({ min: 1, max: 3 })).chain(([axis, n]) =>
      filled(
        x.dtype,
        x.shape.map((size, i) => (i === axis ? n : size)),
      ).map((y) => ({ op: "Concat", inputs: [x, y, x], attributes: { axis: axis - x.shape.length } })),
    ),
  ),
  split: withInput((x) =>
    fc.nat(x.shape.length - 1).chain((axis) =>
      fc.nat(x.shape[axis]!).map((n) => {
        const sizes = int64([2], [n, x.shape[axis]! - n]);
        return { op: "Split", inputs: [x, sizes], attributes: { axis }, outputs: 2 };
      }),
    ),
  ),
  slice: withInput((x) =>
    axes(x.shape.length).chain((list) => {
      const many = (value: fc.Arbitrary<number>) => fc.array(value, { minLength: list.length, maxLength: list.length });
      return fc
        .tuple(
          many(fc.integer({ min: -6, max: 6 })),
          many(fc.integer({ min: -6, max: 6 })),
          many(fc.constantFrom(-2, -1, 1, 2)),
        )
        .map((parts) => {
          const [starts, ends, steps] = parts.map((values) => int64([values.length], values));
          return { op: "Slice", inputs: [x, starts!, ends!, int64([list.length], list), steps!] };
        });
    }),
  ),
  gather: withInput((x) =>
    fc.nat(x.shape.length - 1).chain((axis) => {
      const place = fc.integer({ min: -x.shape[axis]!, max: x.shape[axis]! - 1 });
      const indices = fc.oneof(
        place.map((i) => int64([], [i])),
        fc.array(place, { minLength: 4, maxLength: 4 }).map((list) => int64([2, 2], list)),
      );
      return indices.map((i) => ({ op: "Gather", inputs: [x, i], attributes: { axis } }));
    }),
  ),
  transpose: withInput((x) => {
    const order = [...x.shape.keys()];
    const perms = fc.shuffledSubarray(order, { minLength: order.length });
    return perms.map((perm) => ({ op: "Transpose", inputs: [x], attributes: { perm } }));
  }),
  reshape: withInput((x) => fc.constant({ op: "Reshape", inputs: [x, int64([2], [-1, 1])] })),
  unsqueeze: withInput((x) => fc.constant({ op: "Unsqueeze", inputs: [x, int64([2], [0, -1])] })),
  squeeze: filled("int64", [1, 3, 1]).map((x) => ({ op: "Squeeze", inputs: [x, int64([1], [2])] })),
  expand: filled("int64", [2, 1]).map((x) => ({ op: "Expand", inputs: [x, int64([3], [3, 1, 4])] })),
  range: fc
    .tuple(fc.integer({ min: -9, max: 9 }), fc.integer({ min: -9, max: 9 }), fc.constantFrom(-2, -1, 1, 3))
    .map((ends) => ({ op: "Range", inputs: ends.map((n) => int64([], [n])) })),
  reduce: fc.constantFrom("ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin").chain((op) =>
    withInput((x) =>
      axes(x.shape.length).map((list) => ({
        op,
        inputs: [x, int64([list.length], list)],
        attributes: { keepdims: list.length % 2 },
      })),
    ),
  ),
  shape: withInput((x) =>
    fc
      .tuple(fc.integer({ min: -4, max: 4 }), fc.integer({ min: -4, max: 4 }))
      .map(([start, end]) => ({ op: "Shape", inputs: [x], attributes: { start, end } })),
  ),
  size: withInput((x) => fc.constant({ op: "Size", inputs: [x] })),
  filled: fc.array(fc.nat(3), { maxLength: 3 }).map((shape) => {
    return { op: "ConstantOfShape", inputs: [int64([shape.length], shape)], attributes: { value: int64([1], [7]) } };
  }),
  nonzero: filled("int32", [2, 3]).map((x) => ({ op: "NonZero", inputs: [x] })),
};

describe("folded constants are what onnxruntime computes", () => {
  for (const [kind, arbitrary] of Object.entries(foldings)) {
    it(kind, async () => {
      const all = fc.sample(arbitrary, { numRuns: 25, seed: 5 });
      // One model for all samples: each folding reads constants of its own.
      const names = all.map(({ outputs }, i) => Array.from({ length: outputs ?? 1 }, (_, k) => `y${i}_${k}`));
      const nodes = all.flatMap(({ op, inputs, attributes }, i) => [
        ...inputs.map((value, k) => ({
          op: "Constant",
          inputs: [],
          outputs: [`c${i}_${k}`],
          attributes: { value } as Readonly<Record<string, RawAttribute>>,
        })),
        { op, inputs: inputs.map((_, k) => `c${i}_${k}`), outputs: names[i]!, attributes: attributes ?? {} },
      ]);
      const bytes = modelBytes({ opset: 18, nodes, outputs: names.flat() });
      const [graph, expected] = [decodeModel(bytes), await run(bytes, {})];
      expect(nodesInOrder(Object.values(graph.outputs))).toEqual([]);
      for (const [name, { dtype, shape, data }] of Object.entries(expected)) {
        const value = graph.outputs[name]!;
        expect({ dtype: value.dtype, shape: value.shape }, name).toEqual({ dtype, shape });
        expect(Array.from(constantData(value) as Float32Array), name).toEqual(Array.from(data as Float32Array));
      }
    });
  }
});

describe("chains of shape arithmetic become static shapes", () => {
  const number = (value: number, dtype: Dtype = "int64") => ({ value: tensor(dtype, [], [value]) });
  const list = (...values: readonly number[]) => ({ value: int64([values.length], values) });
  const constant = (name: string, attributes: Readonly<Record<string, RawAttribute>>) => {
    return { op: "Constant", inputs: [], outputs: [name], attributes };
  };
  /** Heads split off as PyTorch exports them, and the Where that its `expand` becomes. */
  const model: RawModel = {
    opset: 13,
    inputs: { x: { shape: ["batch", "tokens", 6] }, scale: { shape: [] } },
    weights: { scale: float32([], [0.5]), mask: float32([1, 1, 1], [0.25]) },
    nodes: [
      { op: "Shape", inputs: ["x"], outputs: ["s"] },
      constant("zero", number(0)),
      constant("one", number(1)),
      { op: "Gather", inputs: ["s", "zero"], outputs: ["b"] },
      { op: "Gather", inputs: ["s", "one"], outputs: ["t"] },
      constant("front", list(0)),
      { op: "Unsqueeze", inputs: ["b", "front"], outputs: ["b1"] },
      { op: "Unsqueeze", inputs: ["t", "front"], outputs: ["t1"] },
      constant("heads", list(2)),
      constant("open", list(-1)),
      { op: "Concat", inputs: ["b1", "t1", "heads", "open"], outputs: ["wanted"], attributes: { axis: 0 } },
      { op: "Reshape", inputs: ["x", "wanted"], outputs: ["split"] },
      { op: "Transpose", inputs: ["split"], outputs: ["y"], attributes: { perm: [0, 2, 1, 3] } },
      { op: "Concat", inputs: ["b1", "open", "open"], outputs: ["asked"], attributes: { axis: 0 } },
      { op: "Shape", inputs: ["asked"], outputs: ["count"] },
      { op: "ConstantOfShape", inputs: ["count"], outputs: ["ones"], attributes: { value: int64([1], [1]) } },
      constant("minus", number(-1)),
      { op: "Equal", inputs: ["asked", "minus"], outputs: ["keep"] },
      { op: "Where", inputs: ["keep", "ones", "asked"], outputs: ["sizes"] },
      { op: "Expand", inputs: ["mask", "sizes"], outputs: ["masks"] },
      { op: "Cast", inputs: ["t"], outputs: ["real"], attributes: { to: 1 } },
      { op: "Mul", inputs: ["real", "scale"], outputs: ["half"] },
      { op: "Cast", inputs: ["half"], outputs: ["whole"], attributes: { to: 7 } },
      { op: "Range", inputs: ["zero", "whole", "one"], outputs: ["places"] },
      { op: "Mul", inputs: ["scale", "x"], outputs: ["scaled"] },
    ],
    outputs: ["y", "masks", "places", "scaled"],
  };

  it("for whatever sizes the open dimensions are given", async () => {
    for (const [batch, tokens] of [
      [1, 4],
      [3, 7],
    ] as const) {
      const graph = decodeModel(modelBytes(model), { dimensions: { batch, tokens } });
      expect(graph.inputs.map((value) => value.shape)).toEqual([[batch, tokens, 6]]);
      const { y, masks, places, scaled } = graph.outputs;
      expect([y!.shape, masks!.shape, places!.shape]).toEqual([
        [batch, 2, tokens, 3],
        [batch, 1, 1],
        [Math.trunc(tokens / 2)],
      ]);
      expect(nodesInOrder([y!, masks!, places!]).map((node) => node.op)).toEqual(["Reshape", "Transpose", "Expand"]);
      // The scale takes part in a size, and yet stays a weight that may be trained.
      expect(nodesInOrder([scaled!])[0]!.inputs[0]!.source).toMatchObject({ kind: "constant", name: "scale" });
      const feeds = { x: sampleOf("x", [batch, tokens, 6]) };
      expect(await run(encodeModel(graph), feeds)).toEqual(await run(modelBytes(model), feeds));
    }
  });

  it("names the dimension that has no size", () => {
    expect(() => decodeModel(modelBytes(model), { dimensions: { batch: 1 } })).toThrow(
      /input x: .*"x:1" or "tokens" has no size/,
    );
    expect(() => decodeModel(modelBytes(model), { dimensions: { batch: 1, tokens: -3 } })).toThrow(/shape \[1,-3,6\]/);
    expect(() => decodeModel(modelBytes(model), { dimensions: { batch: 1, tokens: 2, "x:2": 5 } })).toThrow(
      /"x:2" is 6 in the file, not 5/,
    );
    const places = decodeModel(modelBytes(model), { dimensions: { "x:0": 2, "x:1": 4 } });
    expect(places.inputs[0]!.shape).toEqual([2, 4, 6]);
  });

  it("and a branch whose condition is known is the branch taken", async () => {
    const branch = (op: string, outputs: readonly string[]) => {
      return { graph: { nodes: [{ op, inputs: ["x"], outputs }], outputs } };
    };
    const nodes = [
      { op: "Shape", inputs: ["x"], outputs: ["s"] },
      constant("zero", number(0)),
      { op: "Gather", inputs: ["s", "zero"], outputs: ["first"] },
      constant("one", number(1)),
      { op: "Equal", inputs: ["first", "one"], outputs: ["single"] },
      {
        op: "If",
        inputs: ["single"],
        outputs: ["y"],
        attributes: { then_branch: branch("Squeeze", ["a"]), else_branch: branch("Neg", ["b"]) },
      },
    ];
    for (const size of [1, 2]) {
      const bytes = modelBytes({ opset: 13, nodes, inputs: { x: { shape: [size, 3] } }, outputs: ["y"] });
      const graph = decodeModel(bytes);
      expect(graph.outputs.y!.shape).toEqual(size === 1 ? [3] : [2, 3]);
      const feeds = { x: sampleOf("x", [size, 3]) };
      expect((await run(encodeModel(graph), feeds)).y).toEqual((await run(bytes, feeds)).y);
    }
  });
});

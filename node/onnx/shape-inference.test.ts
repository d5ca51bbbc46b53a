/** Inferred dtypes and shapes against those that onnxruntime returns, for random operators, sizes and attributes. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import type { Dtype, Tensor } from "../tensor.ts";
import { float32, int64, sizeOf } from "../tensor.ts";
import { encodeModel } from "./codec.ts";
import { allocate } from "./dtype.ts";
import { applyAll, constantValue, inputValue } from "./graph.ts";
import { modelBytes, type RawAttribute } from "./models.suite.ts";
import { broadcastShapes } from "./shapes/rule.ts";
import type { Attribute, Attributes, OnnxValue } from "./value.ts";

const runtime = createOnnxRuntime();

/** An application: shapes that are fed, constants that decide the shape, attributes. */
interface Sample {
  readonly op: string;
  readonly inputs: readonly (readonly number[] | Tensor)[];
  readonly attributes?: Attributes;
  readonly outputs?: number;
  readonly dtype?: Dtype;
}

const size = fc.integer({ min: 1, max: 4 });
const shape = (least = 0, most = 4) => fc.array(size, { minLength: least, maxLength: most });
const int = (value: number) => ({ int: value });
const list = (values: readonly number[]) => ({ ints: values });
const ints = (values: readonly number[]) => int64([values.length], values);
/** Two shapes that broadcast, or (one time in ten or so) do not. */
const broadcast = shape().chain((of) =>
  fc.tuple(fc.nat(255), fc.nat(4), fc.nat(19)).map(([ones, cut, odd]) => {
    const a = of.map((n, i) => ((ones >> i) & 1 ? 1 : n));
    const b = of.map((n, i) => ((ones >> (i + 4)) & 1 ? 1 : n + (odd === 0 ? 1 : 0))).slice(Math.min(cut, of.length));
    return [a, b] as const;
  }),
);
const axisOf = (rank: number) => fc.integer({ min: -rank, max: rank - 1 });
const some = (rank: number) => fc.uniqueArray(fc.nat(rank - 1), { minLength: 1, maxLength: rank });
const swap = (of: readonly number[], axis: number, n: number) => of.map((m, i) => (i === axis ? n : m));

const windows = (rank: number) =>
  fc.record({
    kernel: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: rank, maxLength: rank }),
    sizes: fc.array(fc.integer({ min: 3, max: 8 }), { minLength: rank, maxLength: rank }),
    strides: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: rank, maxLength: rank }),
    dilations: fc.array(fc.integer({ min: 1, max: 2 }), { minLength: rank, maxLength: rank }),
    pads: fc.array(fc.nat(2), { minLength: 2 * rank, maxLength: 2 * rank }),
    auto: fc.constantFrom("NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"),
  });
type Windows = typeof windows extends (rank: number) => fc.Arbitrary<infer T> ? T : never;
const windowAttributes = ({ strides, dilations, pads, auto, kernel }: Windows, pool: boolean): Attributes => ({
  strides: list(strides),
  kernel_shape: list(kernel),
  ...(auto === "NOTSET" ? { dilations: list(dilations) } : {}),
  ...(auto === "NOTSET"
    ? { pads: list(pool ? pads.map((n, i) => Math.min(n, kernel[i % kernel.length]! - 1)) : pads) }
    : {}),
  auto_pad: { string: auto },
});

const SAMPLES: Readonly<Record<string, fc.Arbitrary<Sample>>> = {
  elementwise: fc
    .tuple(fc.constantFrom("Add", "Sub", "Mul", "Div", "Max", "Min", "Pow", "Sum", "Equal", "Less"), broadcast)
    .map(([op, inputs]) => ({ op, inputs })),
  where: broadcast.map(([a, b]) => {
    return { op: "Where", inputs: [{ dtype: "bool", shape: a, data: new Uint8Array(sizeOf(a)) }, b, a] };
  }),
  unary: fc
    .tuple(fc.constantFrom("Neg", "Tanh", "Gelu", "Clip", "IsNaN"), shape())
    .map(([op, x]) => ({ op, inputs: [x] })),
  matmul: fc.tuple(broadcast, size, size, size, fc.nat(9)).map(([[a, b], m, k, n, odd]) => {
    const left = odd === 1 ? [k] : [...a.slice(0, 2), m, k];
    const right = odd === 2 ? [k] : [...b.slice(-2), odd === 0 ? k + 1 : k, n];
    return { op: "MatMul", inputs: [left, right] };
  }),
  gemm: fc.tuple(size, size, size, fc.nat(3), broadcast).map(([m, k, n, transposed, [c]]) => ({
    op: "Gemm",
    inputs: [
      transposed & 1 ? [k, m] : [m, k],
      transposed & 2 ? [n, k] : [k, n],
      c.slice(0, 2).map((x) => (x > 2 ? n : 1)),
    ],
    attributes: { transA: int(transposed & 1), transB: int(transposed >> 1) },
  })),
  reduction: fc
    .tuple(shape(1), fc.constantFrom("ReduceSum", "ReduceMean", "ReduceMax", "ReduceProd"), fc.nat(1))
    .chain(([x, op, keep]) =>
      some(x.length).map((axes) => ({ op, inputs: [x, ints(axes)], attributes: { keepdims: int(keep) } })),
    ),
  argument: fc.tuple(shape(1), fc.nat(1)).chain(([x, keep]) =>
    axisOf(x.length).map((axis) => ({
      op: "ArgMax",
      inputs: [x],
      attributes: { axis: int(axis), keepdims: int(keep) },
    })),
  ),
  transpose: shape().chain((x) =>
    fc
      .shuffledSubarray([...x.keys()], { minLength: x.length })
      .map((perm) => ({ op: "Transpose", inputs: [x], attributes: { perm: list(perm) } })),
  ),
  reshape: fc
    .tuple(shape(1), fc.array(fc.constantFrom(-1, 0, 1, 2, 4), { minLength: 1, maxLength: 3 }))
    .map(([x, wanted]) => {
      return { op: "Reshape", inputs: [x, ints(wanted)] };
    }),
  expand: broadcast.map(([a, b]) => ({ op: "Expand", inputs: [a, ints(b)] })),
  unsqueeze: fc
    .tuple(shape(0, 3), fc.uniqueArray(fc.integer({ min: -4, max: 4 }), { minLength: 1, maxLength: 2 }))
    .map(([x, axes]) => {
      return { op: "Unsqueeze", inputs: [x, ints(axes)] };
    }),
  squeeze: fc
    .tuple(shape(1), fc.nat(3))
    .map(([x, axis]) => ({ op: "Squeeze", inputs: [swap(x, axis, 1), ints([axis])] })),
  flatten: fc.tuple(shape(1), fc.integer({ min: -4, max: 4 })).map(([x, axis]) => {
    return { op: "Flatten", inputs: [x], attributes: { axis: int(axis) } };
  }),
  concat: fc.tuple(shape(1), size, size).chain(([x, m, n]) =>
    axisOf(x.length).map((axis) => {
      const at = axis < 0 ? axis + x.length : axis;
      return { op: "Concat", inputs: [x, swap(x, at, m), swap(x, at, n)], attributes: { axis: int(axis) } };
    }),
  ),
  split: shape(1).chain((x) =>
    axisOf(x.length).chain((axis) => {
      const n = x[axis < 0 ? axis + x.length : axis]!;
      return fc.nat(n).map((cut) => ({
        op: "Split",
        inputs: [x, ints([cut, n - cut])],
        attributes: { axis: int(axis) },
        outputs: 2,
      }));
    }),
  ),
  slice: shape(1).chain((x) =>
    fc
      .tuple(
        axisOf(x.length),
        fc.integer({ min: -6, max: 6 }),
        fc.integer({ min: -6, max: 6 }),
        fc.constantFrom(-2, -1, 1, 3),
      )
      .map(([axis, start, end, step]) => ({
        op: "Slice",
        inputs: [x, ints([start]), ints([end]), ints([axis]), ints([step])],
      })),
  ),
  pad: shape(1).chain((x) =>
    fc
      .array(fc.nat(2), { minLength: 2 * x.length, maxLength: 2 * x.length })
      .map((pads) => ({ op: "Pad", inputs: [x, ints(pads)] })),
  ),
  gather: fc.tuple(shape(1), shape(0, 2)).chain(([x, places]) =>
    axisOf(x.length).map((axis) => {
      const indices = int64(places, new Array(sizeOf(places)).fill(0));
      return { op: "Gather", inputs: [x, indices], attributes: { axis: int(axis) } };
    }),
  ),
  gatherElements: shape(1).chain((x) =>
    fc.nat(x.length - 1).map((axis) => {
      const places = swap(x, axis, 2);
      const indices = int64(places, new Array(sizeOf(places)).fill(0));
      return { op: "GatherElements", inputs: [x, indices], attributes: { axis: int(axis) } };
    }),
  ),
  topK: shape(1).chain((x) =>
    axisOf(x.length).map((axis) => ({
      op: "TopK",
      inputs: [x, ints([1])],
      attributes: { axis: int(axis) },
      outputs: 2,
    })),
  ),
  oneHot: fc.tuple(shape(0, 3), size, fc.integer({ min: -1, max: 1 })).map(([x, depth, axis]) => ({
    op: "OneHot",
    inputs: [int64(x, new Array(sizeOf(x)).fill(0)), int64([], [depth]), float32([2], [0, 1])],
    attributes: { axis: int(axis) },
  })),
  cast: fc
    .tuple(shape(), fc.constantFrom(1, 2, 6, 7, 9, 11))
    .map(([x, to]) => ({ op: "Cast", inputs: [x], attributes: { to: int(to) } })),
  layerNormalization: shape(1).chain((x) =>
    axisOf(x.length).map((axis) => {
      const scale = x.slice(axis < 0 ? axis + x.length : axis);
      return { op: "LayerNormalization", inputs: [x, scale, scale], attributes: { axis: int(axis) } };
    }),
  ),
  convolution: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.constantFrom(1, 2)).chain(([rank, group]) =>
    windows(rank).map((w) => ({
      op: "Conv",
      inputs: [
        [2, 2 * group, ...w.sizes],
        [3 * group, 2, ...w.kernel],
      ],
      attributes: { ...windowAttributes(w, false), group: int(group) },
    })),
  ),
  transposedConvolution: fc.tuple(fc.integer({ min: 1, max: 2 }), fc.constantFrom(1, 2)).chain(([rank, group]) =>
    windows(rank).map((w) => ({
      op: "ConvTranspose",
      inputs: [
        [1, 2 * group, ...w.sizes],
        [2 * group, 3, ...w.kernel],
      ],
      attributes: { ...windowAttributes({ ...w, auto: "NOTSET" }, true), group: int(group) },
    })),
  ),
  pooling: fc
    .tuple(fc.constantFrom("MaxPool", "AveragePool"), fc.integer({ min: 1, max: 2 }), fc.nat(1))
    .chain(([op, rank, ceil]) =>
      windows(rank).map((w) => ({
        op,
        inputs: [[1, 2, ...w.sizes]],
        attributes: { ...windowAttributes(w, true), ceil_mode: int(ceil) },
      })),
    ),
};

/** Shape-deciding constants stay in the graph; everything else is fed. */
function build({ op, inputs, attributes, outputs }: Sample) {
  const fed: OnnxValue[] = [];
  const values = inputs.map((given, i) => {
    if ("data" in given) return constantValue(given);
    const value = inputValue(`x${i}`, "float32", given);
    fed.push(value);
    return value;
  });
  return { fed, made: applyAll(op, values, { attributes: attributes ?? {}, outputs: outputs ?? 1 }) };
}

async function returned({ fed, made }: ReturnType<typeof build>) {
  const outputs = Object.fromEntries(made.map((value, i) => [`y${i}`, value]));
  const session = await runtime.load(encodeModel({ inputs: fed, outputs }), { threads: 1 });
  const feeds = fed.map(({ dtype, shape: of }, i) => [
    fed[i]!.source.kind === "input" ? fed[i]!.source.name : "",
    { dtype, shape: of, data: allocate(dtype, sizeOf(of)).fill(1 as never) } as Tensor,
  ]);
  try {
    return await session.run(Object.fromEntries(feeds));
  } finally {
    await session.close();
  }
}

/** The same application as a file's node, whatever this package thinks of it.  Throws when it is refused or empty. */
async function asWritten({ op, inputs, attributes, outputs }: Sample): Promise<void> {
  const names = inputs.map((_, i) => `x${i}`);
  const bytes = modelBytes({
    opset: 21,
    nodes: [
      {
        op,
        inputs: names,
        outputs: Array.from({ length: outputs ?? 1 }, (_, i) => `y${i}`),
        attributes: Object.fromEntries(Object.entries(attributes ?? {}).map(([name, a]) => [name, rawAttribute(a)])),
      },
    ],
    weights: Object.fromEntries(inputs.map((given, i) => [names[i]!, "data" in given ? given : ones(given)])),
    outputs: ["y0"],
  });
  const session = await runtime.load(bytes, { threads: 1 });
  try {
    const { y0 } = await session.run({});
    // A pool whose window reaches over more than there is can come back with no place at all.
    if (y0!.data.length === 0) throw new RangeError("there is nothing in it");
  } finally {
    await session.close();
  }
}

function rawAttribute(attribute: Attribute): RawAttribute {
  if ("int" in attribute) return attribute.int;
  if ("ints" in attribute) return attribute.ints;
  if ("string" in attribute) return attribute.string;
  throw new RangeError("no sample has such an attribute");
}

const ones = (of: readonly number[]): Tensor => float32(of, new Array(sizeOf(of)).fill(1));

/**
 * onnxruntime's own limits, each seen in its messages: a pool's pad must be smaller than its kernel, its SAME padding
 * knows no stride beyond the kernel, and for windows that are rounded up its static inference and its kernels disagree
 * when the last window begins behind the input.
 */
const OWN_LIMITS = /Pad should be smaller than kernel|padding values must be non-negative|Incompatible dimensions/;

describe("inferred dtypes and shapes are those that onnxruntime returns", () => {
  for (const [kind, samples] of Object.entries(SAMPLES)) {
    it(kind, async () => {
      let agreed = 0;
      for (const sample of fc.sample(samples, { numRuns: 36, seed: 7 })) {
        const text = JSON.stringify(sample, (_, x) => (typeof x === "bigint" ? Number(x) : x));
        let built: ReturnType<typeof build>;
        try {
          built = build(sample);
        } catch (error) {
          expect(error, text).toMatchObject({ code: "ONNX_INVALID" });
          await expect(asWritten(sample), text).rejects.toThrow();
          continue;
        }
        const result = await returned(built).catch((error: unknown) => {
          if (error instanceof Error && OWN_LIMITS.test(error.message)) return undefined;
          throw new RangeError(text, { cause: error });
        });
        if (!result) continue;
        for (const [i, { dtype, shape: of }] of built.made.entries()) {
          expect({ dtype, shape: of }, text).toEqual({ dtype: result[`y${i}`]!.dtype, shape: result[`y${i}`]!.shape });
        }
        agreed += 1;
      }
      expect(agreed).toBeGreaterThan(8);
    });
  }
});

describe("broadcasting", () => {
  it("is symmetric, associative, and neutral to a scalar", () => {
    fc.assert(
      fc.property(broadcast, broadcast, ([a, b], [c]) => {
        const sum = (...of: readonly (readonly number[])[]): readonly number[] | undefined => {
          try {
            return of.reduce(broadcastShapes);
          } catch (error) {
            expect(error).toBeInstanceOf(RangeError);
            return undefined;
          }
        };
        expect(sum(a, b)).toEqual(sum(b, a));
        expect(sum(a, [])).toEqual(a);
        expect(sum(a, a)).toEqual(a);
        const [left, right] = [sum(a, b), sum(b, c)];
        expect(left && sum(left, c)).toEqual(right && sum(a, right));
      }),
      { numRuns: 500, seed: 2 },
    );
  });
});

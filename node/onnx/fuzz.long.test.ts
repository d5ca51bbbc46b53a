/** Files that lie: whatever is in them, the reader ends soon, says ONNX_INVALID or reads them, and stays small. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NodeError } from "../errors.ts";
import { sharedAsset } from "../golden/shared-assets.suite.ts";
import type { Tensor } from "../tensor.ts";
import { int64, sizeOf } from "../tensor.ts";
import { decodeModel, decodeTensor, encodeModel } from "./codec.ts";
import { nodesInOrder } from "./graph.ts";
import { modelBytes, type RawModel, sampleOf } from "./models.suite.ts";
import type { GraphProto, TensorProto } from "./onnx_pb.ts";
import { ModelProtoSchema } from "./onnx_pb.ts";
import { CREATION } from "./shapes/creation.ts";
import { ELEMENTWISE } from "./shapes/elementwise.ts";
import { MOVEMENT } from "./shapes/movement.ts";
import { REDUCTION } from "./shapes/reduction.ts";
import { WINDOW } from "./shapes/window.ts";

const ints = (...values: readonly number[]): Tensor => int64([values.length], values);
const scalar = (value: number): Tensor => int64([], [value]);

/** Small models that between them reach folding, lowering, windows and products. */
const OWN: readonly RawModel[] = [
  {
    opset: 13,
    inputs: { x: { shape: [2, 4, 6] } },
    weights: { w: sampleOf("w", [6, 6]), zero: scalar(0), minus: ints(-1), front: ints(0) },
    nodes: [
      { op: "MatMul", inputs: ["x", "w"], outputs: ["h"] },
      { op: "Shape", inputs: ["h"], outputs: ["s"] },
      { op: "Gather", inputs: ["s", "zero"], outputs: ["b"] },
      { op: "Unsqueeze", inputs: ["b", "front"], outputs: ["b1"] },
      { op: "Concat", inputs: ["b1", "minus"], outputs: ["to"], attributes: { axis: 0 } },
      { op: "Reshape", inputs: ["h", "to"], outputs: ["flat"] },
      { op: "ConstantOfShape", inputs: ["to2"], outputs: ["fill"] },
      { op: "Abs", inputs: ["to"], outputs: ["to2"] },
      { op: "Softmax", inputs: ["flat"], outputs: ["y"], attributes: { axis: 1 } },
    ].toSorted((a, b) => Number(a.op === "ConstantOfShape") - Number(b.op === "ConstantOfShape")),
    outputs: ["y"],
  },
  {
    opset: 11,
    inputs: { x: { shape: [1, 2, 6, 6] } },
    weights: { w: sampleOf("k", [4, 1, 3, 3]), scale: sampleOf("s", [4]), pads: ints(0, 0, 1, 0, 0, 0, 0, 1) },
    nodes: [
      { op: "Pad", inputs: ["x", "pads"], outputs: ["p"], attributes: { mode: "reflect" } },
      { op: "Conv", inputs: ["p", "w"], outputs: ["c"], attributes: { group: 2, pads: [1, 1, 1, 1], strides: [2, 1] } },
      { op: "InstanceNormalization", inputs: ["c", "scale", "scale"], outputs: ["n"] },
      { op: "MaxPool", inputs: ["n"], outputs: ["m"], attributes: { kernel_shape: [2, 2], ceil_mode: 1 } },
      { op: "Einsum", inputs: ["m", "m"], outputs: ["e"], attributes: { equation: "bcij,bcik->bjk" } },
      { op: "Split", inputs: ["e"], outputs: ["a", "b"], attributes: { axis: 1, split: [2, 4] } },
      { op: "ReduceMean", inputs: ["b"], outputs: ["y"], attributes: { axes: [-1] } },
    ],
    outputs: ["y"],
  },
];

/** Where it is missing, the models made here are changed alone. */
const backend = sharedAsset(
  "onnx/onnx-backend-node",
  "the ONNX project's models of single operators, changed at random",
);
const bert = sharedAsset("onnx/ort-bert-squad/BertForQuestionAnswering_0.onnx", "a BERT exported by PyTorch");
const published = backend.missing
  ? []
  : readdirSync(backend.path).map((name) => join(backend.path, name, "model.onnx"));
const small = [...OWN.map(modelBytes), ...published.map((path) => new Uint8Array(readFileSync(path)))];

/** Elements of constants beyond this many per byte of the file were made from nothing. */
const ELEMENTS_PER_BYTE = 4;
/** What folding may make in all, whatever the file. */
const FOLDED = 1 << 21;

/** Read bytes; nothing but ONNX_INVALID may come of it, and nothing large. */
function read(bytes: Uint8Array): void {
  try {
    const graph = decodeModel(bytes);
    const inputs = nodesInOrder(Object.values(graph.outputs)).flatMap((node) => node.inputs);
    const constants = new Set(inputs.filter((value) => value?.source.kind === "constant"));
    const elements = [...constants].reduce((sum, value) => sum + sizeOf(value!.shape), 0);
    expect(elements).toBeLessThan(bytes.length * ELEMENTS_PER_BYTE + FOLDED);
    encodeModel(graph);
  } catch (error) {
    if (!(error instanceof NodeError)) throw error;
    expect(error.code).toBe("ONNX_INVALID");
    expect(error.message.length).toBeLessThan(4000);
  }
}

/** Bytes changed, cut, doubled or put in: the wire format itself lies. */
const damaged = fc
  .tuple(
    fc.nat(small.length - 1),
    fc.array(
      fc.tuple(
        fc.nat(4),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.constantFrom(0, 1, 8, 18, 58, 127, 128, 255),
        fc.nat(40),
      ),
      { minLength: 1, maxLength: 4 },
    ),
  )
  .map(([which, changes]) => {
    let bytes = Array.from(small[which]!);
    for (const [kind, where, byte, length] of changes) {
      const at = Math.floor(where * bytes.length);
      if (kind === 0) bytes[at] = byte;
      else if (kind === 1) bytes.splice(at, length);
      else if (kind === 2) bytes.splice(at, 0, ...bytes.slice(at, at + length));
      else if (kind === 3) bytes.splice(at, 0, ...new Array(length % 12).fill(byte));
      else bytes = bytes.slice(0, Math.max(1, at));
    }
    return Uint8Array.from(bytes);
  });

const OPERATORS = [
  ...[CREATION, ELEMENTWISE, MOVEMENT, REDUCTION, WINDOW].flatMap(Object.keys),
  ...[
    "Shape",
    "Size",
    "ConstantOfShape",
    "NonZero",
    "Tile",
    "Einsum",
    "Attention",
    "If",
    "Dropout",
    "BatchNormalization",
  ],
  ...["DepthToSpace", "GroupNormalization", "RotaryEmbedding", "SoftmaxCrossEntropyLoss", "Constant", "NoSuchOperator"],
];
const EXTREMES = [
  -(2n ** 63n),
  -(2n ** 40n),
  -2n,
  -1n,
  0n,
  1n,
  2n,
  3n,
  7n,
  2n ** 31n,
  2n ** 40n,
  2n ** 53n + 1n,
  2n ** 63n - 1n,
];

interface Lie {
  readonly kind: number;
  readonly where: number;
  readonly what: number;
}

/** The messages are well formed, and what they say is not: sizes, names, operators, attributes, data. */
function lie(graph: GraphProto, { kind, where, what }: Lie): void {
  const node = graph.node[where % Math.max(1, graph.node.length)];
  const tensor: TensorProto | undefined = graph.initializer[where % Math.max(1, graph.initializer.length)];
  const extreme = EXTREMES[what % EXTREMES.length]!;
  const attribute = node?.attribute[what % Math.max(1, node.attribute.length)];
  switch (kind) {
    case 0:
      if (node) node.opType = OPERATORS[what % OPERATORS.length]!;
      return;
    case 1:
      if (tensor) tensor.dims = what % 2 ? [...tensor.dims, extreme] : tensor.dims.map(() => extreme);
      return;
    case 2:
      if (tensor && tensor.rawData.length >= 8) {
        tensor.rawData = tensor.rawData.slice();
        new DataView(tensor.rawData.buffer).setBigInt64(
          8 * (where % Math.floor(tensor.rawData.length / 8)),
          extreme,
          true,
        );
      }
      return;
    case 3:
      if (attribute) {
        attribute.i = extreme;
        attribute.ints = attribute.ints.map((n, i) => (i === where % attribute.ints.length ? extreme : n));
      }
      return;
    case 4:
      if (attribute) attribute.type = what % 13;
      return;
    case 5:
      if (node)
        node.input = node.input.map((name, i) =>
          i === what % node.input.length ? (graph.node.at(-1)?.output[0] ?? "") : name,
        );
      return;
    case 6:
      if (node) node.input = what % 2 ? node.input.slice(1) : [...node.input, ...node.input];
      return;
    case 7:
      if (node) node.output = what % 2 ? [...node.output, `more${what}`] : graph.input.map((info) => info.name);
      return;
    case 8:
      graph.node.reverse();
      return;
    case 9: {
      const dim = graph.input[0]?.type?.value;
      if (dim?.case === "tensorType" && dim.value.shape?.dim[0])
        dim.value.shape.dim[0].value = { case: "dimValue", value: extreme };
      return;
    }
    default:
      if (tensor) tensor.dataType = what % 20;
  }
}

const lying = fc
  .tuple(
    fc.nat(small.length - 1),
    fc.array(fc.record({ kind: fc.nat(10), where: fc.nat(50), what: fc.nat(100) }), { minLength: 1, maxLength: 5 }),
  )
  .map(([which, lies]) => {
    const model = fromBinary(ModelProtoSchema, small[which]!);
    for (const each of lies) lie(model.graph!, each);
    return toBinary(ModelProtoSchema, model);
  });

describe("reading an ONNX file that lies", () => {
  it("bytes at random", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), read), { numRuns: 500, seed: 3 });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          decodeTensor(bytes);
        } catch (error) {
          expect(error).toMatchObject({ code: "ONNX_INVALID" });
        }
      }),
      { numRuns: 500, seed: 3 },
    );
  });

  it("real models with damaged bytes", () => {
    fc.assert(fc.property(damaged, read), { numRuns: 3000, seed: 4 });
  });

  it("real models that say what is not so", () => {
    fc.assert(fc.property(lying, read), { numRuns: 4000, seed: 5 });
  });

  it.skipIf(bert.missing)("a large real model, lying", () => {
    const bytes = new Uint8Array(readFileSync(bert.path));
    const lies = fc.array(fc.record({ kind: fc.nat(10), where: fc.nat(2000), what: fc.nat(100) }), {
      minLength: 1,
      maxLength: 3,
    });
    fc.assert(
      fc.property(lies, (all) => {
        const model = fromBinary(ModelProtoSchema, bytes);
        for (const each of all) lie(model.graph!, each);
        read(toBinary(ModelProtoSchema, model));
      }),
      { numRuns: 40, seed: 6 },
    );
  });
});

const held = (): number => process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;

/** One operator over constants, named after what it promises. */
function promise(op: string, weights: Readonly<Record<string, Tensor>>, more: Partial<RawModel> = {}): RawModel {
  const node = { op, inputs: Object.keys(weights), outputs: ["y"] };
  return { opset: 18, weights, nodes: [node], outputs: ["y"], ...more };
}

describe("promises of size cost nothing", () => {
  const huge = 2 ** 40;
  const x = sampleOf("x", [2, 2]);
  const doubling = Array.from({ length: 60 }, (_, i) => ({
    op: "Concat",
    inputs: [`x${i}`, `x${i}`],
    outputs: [`x${i + 1}`],
    attributes: { axis: 0 },
  }));
  const rows: Readonly<Record<string, RawModel>> = {
    "a constant of 2^40 values": promise("ConstantOfShape", { shape: ints(huge) }),
    "a constant of 2^20 x 2^20 x 2^20 values": promise("ConstantOfShape", { shape: ints(2 ** 20, 2 ** 20, 2 ** 20) }),
    "a range to 2^40": promise("Range", { start: scalar(0), limit: scalar(huge), delta: scalar(1) }),
    "a range by 0": promise("Range", { start: scalar(0), limit: scalar(1), delta: scalar(0) }),
    "an expansion to 2^40": promise("Expand", { x, shape: ints(huge, 1, 1) }),
    "2^40 repetitions": promise("Tile", { x, repeats: ints(huge, huge) }),
    "2^40 mirrored pads": promise(
      "Pad",
      { x, pads: ints(0, huge, 0, 0) },
      {
        nodes: [{ op: "Pad", inputs: ["x", "pads"], outputs: ["y"], attributes: { mode: "edge" } }],
      },
    ),
    "2^40 parts": promise(
      "Split",
      { x },
      { nodes: [{ op: "Split", inputs: ["x"], outputs: ["y"], attributes: { num_outputs: huge } }] },
    ),
    "a one-hot of depth 2^40": promise("OneHot", { i: ints(0), depth: scalar(huge), values: sampleOf("v", [2]) }),
    "a diagonal of 2^30": {
      opset: 18,
      inputs: { x: { shape: [2 ** 30, 2 ** 30] } },
      nodes: [{ op: "Einsum", inputs: ["x"], outputs: ["y"], attributes: { equation: "ii->i" } }],
      outputs: ["y"],
    },
    "a value doubled 60 times": { opset: 18, weights: { x0: ints(1, 2) }, nodes: doubling, outputs: ["x60"] },
    "a power of integers": promise("Pow", { a: ints(3), b: ints(2 ** 31) }),
  };
  for (const [name, model] of Object.entries(rows)) {
    it(name, () => {
      const bytes = modelBytes(model);
      const before = held();
      read(bytes);
      expect(held() - before).toBeLessThan(64 * 2 ** 20);
    });
  }

  it("says so in words", () => {
    expect(() => decodeModel(modelBytes(rows["a constant of 2^40 values"]!))).toThrow(
      expect.objectContaining({ code: "ONNX_INVALID", message: expect.stringMatching(/1099511627776.* is too large/) }),
    );
  });

  it("more messages than any model has", () => {
    // GraphProto.node, of length 0, 2^20 and one times: two bytes each, some hundreds once they are objects.
    const nodes = new Uint8Array(2 * (2 ** 20 + 1)).map((_, i) => (i % 2 ? 0 : 0x0a));
    const length = [
      (nodes.length & 127) | 128,
      ((nodes.length >> 7) & 127) | 128,
      ((nodes.length >> 14) & 127) | 128,
      nodes.length >> 21,
    ];
    const model = new Uint8Array(1 + length.length + nodes.length);
    model.set([0x3a, ...length]);
    model.set(nodes, 1 + length.length);
    const before = held();
    expect(() => decodeModel(model)).toThrow(/more than 1048576 messages/);
    expect(held() - before).toBeLessThan(64 * 2 ** 20);
  });

  it("messages nested without end", () => {
    // GraphProto.node.attribute.g.node.attribute.g and so on, every level four bytes longer than what it holds.
    let inner: number[] = [];
    for (let i = 0; i < 14; i++) {
      for (const tag of [0x32, 0x2a, 0x0a]) inner = [tag, inner.length, ...inner];
    }
    expect(() => decodeModel(Uint8Array.from([0x3a, inner.length, ...inner]))).toThrow(/nest deeper than 32/);
  });
});

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { float32, int64 } from "../tensor.ts";
import { decodeModel, encodeModel } from "./codec.ts";
import { nodesInOrder } from "./graph.ts";
import { modelBytes, type RawModel, type RawNode, sampleOf } from "./models.suite.ts";
import { ModelProtoSchema, StringStringEntryProtoSchema } from "./onnx_pb.ts";

const refused = (text: RegExp) =>
  expect.objectContaining({ code: "ONNX_INVALID", message: expect.stringMatching(text) });

const x = { x: { shape: [2, 3] } };
const node = (
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  more: Partial<RawNode> = {},
): RawNode => {
  return { op, inputs, outputs, ...more };
};
const decode = (model: Partial<RawModel>, options?: Parameters<typeof decodeModel>[1]) =>
  decodeModel(modelBytes({ opset: 13, inputs: x, nodes: [], outputs: ["y"], ...model }), options);

describe("reading a model", () => {
  it("takes an initialiser that is given as an input too for the weight that it is", () => {
    const w = sampleOf("w", [3]);
    const inputs = { ...x, w: { shape: [3] } };
    const graph = decode({ inputs, weights: { w }, nodes: [node("Add", ["x", "w"], ["y"])] });
    expect(graph.inputs.map((value) => value.source)).toEqual([{ kind: "input", name: "x" }]);
    expect(nodesInOrder([graph.outputs.y!])[0]!.inputs[1]!.source).toEqual({
      kind: "constant",
      name: "w",
      data: w.data,
    });
  });

  it("knows the standard operator set by both its names", () => {
    const graph = decode({ nodes: [node("Neg", ["x"], ["y"], { domain: "ai.onnx", name: "minus" })] });
    expect(nodesInOrder([graph.outputs.y!])).toMatchObject([{ op: "Neg", domain: "", label: "minus" }]);
  });

  it("reads only what the wanted outputs need", () => {
    const nodes = [node("Tanh", ["x"], ["y"]), node("NoSuchOperator", ["x"], ["z"], { name: "odd" })];
    expect(() => decode({ nodes, outputs: ["y", "z"] })).toThrow(refused(/NoSuchOperator at odd .*not supported/));
    expect(Object.keys(decode({ nodes, outputs: ["y", "z"] }, { outputs: ["y"] }).outputs)).toEqual(["y"]);
    expect(() => decode({ nodes, outputs: ["y"] }, { outputs: ["z"] })).toThrow(refused(/no output z/));
    expect(() => decode({ nodes, outputs: ["y"] })).not.toThrow();
  });

  it("lets an input that decides a shape be given while reading", async () => {
    const nodes = [node("Reshape", ["x", "to"], ["y"])];
    const inputs = { ...x, to: { dtype: "int64" as const, shape: [2] } };
    expect(() => decode({ nodes, inputs })).toThrow(refused(/Reshape \(.*: the shape is not known while building/));
    const graph = decode({ nodes, inputs }, { constants: { to: int64([2], [3, -1]) } });
    expect(graph.inputs).toHaveLength(1);
    const session = await createOnnxRuntime().load(encodeModel(graph), { threads: 1 });
    expect((await session.run({ x: float32([2, 3], [1, 2, 3, 4, 5, 6]) })).y!.shape).toEqual([3, 2]);
    await session.close();
  });

  it("writes again what it has read, byte for byte", () => {
    const nodes = [
      node("Tanh", ["x"], ["a"], { name: "/h/act" }),
      node("Add", ["a", "w"], ["y"], { name: "/h/Add_3" }),
    ];
    const once = encodeModel(decode({ nodes, weights: { w: sampleOf("w", [3]) } }));
    expect(encodeModel(decodeModel(once))).toEqual(once);
  });

  it("refuses operators that read themselves, each other, or what comes later", () => {
    const itself = [node("Add", ["x", "y"], ["y"], { name: "own" })];
    expect(() => decode({ nodes: itself })).toThrow(refused(/Add at own reads y, which nothing before it makes/));
    const each = [node("Neg", ["b"], ["y"]), node("Neg", ["y"], ["b"])];
    expect(() => decode({ nodes: each })).toThrow(refused(/Neg reads b, which nothing before it makes/));
    expect(() => decode({ nodes: [] })).toThrow(refused(/output y reads y, which nothing before it makes/));
  });

  it("refuses two things of one name", () => {
    const twice = [node("Neg", ["x"], ["y"]), node("Abs", ["x"], ["z"]), node("Add", ["y", "z"], ["x"])];
    expect(() => decode({ nodes: twice, outputs: ["x", "y"] })).toThrow(
      refused(/two things in the model are called x/),
    );
  });

  it("refuses other operator sets by their name and version", () => {
    const nodes = [node("Neg", ["x"], ["y"])];
    for (const opset of [10, 25])
      expect(() => decode({ opset, nodes })).toThrow(refused(new RegExp(`set ${opset}; 11 to 24`)));
    for (const opset of [11, 24]) expect(() => decode({ opset, nodes })).not.toThrow();
    const foreign = [node("Neg", ["x"], ["y"], { domain: "org.pytorch.aten" })];
    expect(() => decode({ nodes: foreign })).toThrow(refused(/the domain org\.pytorch\.aten is not supported/));
    const fused = [node("MultiHeadAttention", ["x"], ["y"], { domain: "com.microsoft", name: "heads" })];
    expect(() => decode({ nodes: fused })).toThrow(
      refused(/MultiHeadAttention at heads .*of com\.microsoft is not supported/),
    );
  });

  it("refuses to read what an operator gives only in training, and to be in training", () => {
    const skip = node("SkipLayerNormalization", ["x", "x", "g"], ["a", "mean"], { domain: "com.microsoft" });
    const weights = { g: sampleOf("g", [3]) };
    const model = { nodes: [skip, node("Neg", ["mean"], ["y"])], weights };
    expect(() => decode(model)).toThrow(refused(/Neg reads mean, which this operator gives only in training/));
    const training = node("BatchNormalization", ["x", "g", "g", "g", "g"], ["y"], { attributes: { training_mode: 1 } });
    expect(() => decode({ opset: 15, nodes: [training], weights })).toThrow(refused(/export the model for inference/));
  });

  it("takes external weights from beside the model only, and of the size that they must have", () => {
    const external = (entries: Readonly<Record<string, string>>) => {
      const weights = { w: sampleOf("w", [3]) };
      const model = fromBinary(
        ModelProtoSchema,
        modelBytes({ opset: 13, inputs: x, weights, nodes: [node("Add", ["x", "w"], ["y"])], outputs: ["y"] }),
      );
      const tensor = model.graph!.initializer[0]!;
      tensor.rawData = new Uint8Array();
      tensor.dataLocation = 1;
      tensor.externalData = Object.entries(entries).map(([key, value]) =>
        create(StringStringEntryProtoSchema, { key, value }),
      );
      return decodeModel(toBinary(ModelProtoSchema, model));
    };
    const source = nodesInOrder([external({ location: "data/w.bin", offset: "64" }).outputs.y!])[0]!.inputs[1]!.source;
    expect(source).toMatchObject({ kind: "external", range: { location: "data/w.bin", offset: 64, length: 12 } });
    for (const location of ["", "/etc/passwd", "../w.bin", "a/../../w.bin", "C:\\w.bin", "\\\\host\\w.bin"]) {
      expect(() => external({ location })).toThrow(refused(/not beside the model/));
    }
    for (const [key, value] of [
      ["length", "13"],
      ["length", "-12"],
      ["offset", "-1"],
      ["offset", "9999999999999999"],
    ] as const) {
      expect(() => external({ location: "w.bin", [key]: value })).toThrow(
        refused(/shape \[3\] has .* bytes of data at/),
      );
    }
  });

  it("refuses weights whose data does not fill them", () => {
    const weights = { w: { ...sampleOf("w", [3]), shape: [2 ** 40] } };
    expect(() => decode({ weights, nodes: [node("Add", ["x", "w"], ["y"])] })).toThrow(
      refused(/tensor w of shape \[1099511627776\] has 12 bytes/),
    );
  });
});

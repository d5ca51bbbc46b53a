/**
 * ONNX models as bytes: the only place that touches protobuf. Names are given here, in execution order, so that equal
 * graphs give equal bytes.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { NodeError } from "../errors.ts";
import type { Dtype, TensorData } from "../tensor.ts";
import { sizeOf } from "../tensor.ts";
import { applyAll, constantValue, externalValue, inputValue, nodesInOrder } from "./graph.ts";
import type { AttributeProto, TensorProto, ValueInfoProto } from "./onnx_pb.ts";
import {
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  StringStringEntryProtoSchema,
  TensorProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
} from "./onnx_pb.ts";
import type { Attribute, Attributes, OnnxGraph, OnnxValue } from "./value.ts";

/** Operator set of the graphs that weft builds; onnxruntime 1.30 implements it wholly. */
export const OPSET = 21;
/** IR version that goes with opset 21. */
const IR_VERSION = 10n;

const TYPE_CODES: Readonly<Record<Dtype, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
};
const DTYPES = new Map<number, Dtype>(Object.entries(TYPE_CODES).map(([dtype, code]) => [code, dtype as Dtype]));

/** Serialise a graph as an ONNX model. */
export function encodeModel(graph: OnnxGraph): Uint8Array {
  const names = new Map<OnnxValue, string>();
  const initializers: TensorProto[] = [];
  const outputNames = new Map(Object.entries(graph.outputs).map(([name, value]) => [value, name]));
  const taken = new Set<string>(outputNames.values());
  for (const value of graph.inputs) {
    if (value.source.kind === "input") taken.add(value.source.name);
  }
  const unique = (wanted: string): string => {
    let name = wanted;
    for (let i = 1; taken.has(name); i++) name = `${wanted}_${i}`;
    taken.add(name);
    return name;
  };
  const nameOf = (value: OnnxValue | undefined): string => {
    if (!value) return "";
    const known = names.get(value);
    if (known !== undefined) return known;
    const { source } = value;
    if (source.kind === "node") throw new NodeError("ONNX_INVALID", `${source.node.op} is read before it is computed`);
    const name = source.kind === "input" ? source.name : unique(source.name ?? "c");
    names.set(value, name);
    if (source.kind !== "input") initializers.push(encodeInitializer(name, value));
    return name;
  };

  const node = nodesInOrder(Object.values(graph.outputs)).map((n, index) => {
    const input = n.inputs.map(nameOf);
    const output = n.outputs.map((value, i) => {
      const name = outputNames.get(value) ?? unique(`v${index}${i ? `_${i}` : ""}`);
      names.set(value, name);
      return name;
    });
    return create(NodeProtoSchema, {
      opType: n.op,
      domain: n.domain,
      name: unique(n.label ? `${n.label}/${n.op}` : `${n.op}_${index}`),
      input,
      output,
      attribute: Object.entries(n.attributes).map(([name, attribute]) => encodeAttribute(name, attribute)),
    });
  });
  // An output that no node computes under its own name (an input, a constant, or one value under two names) is copied.
  for (const [name, value] of Object.entries(graph.outputs)) {
    if (names.get(value) === name) continue;
    node.push(
      create(NodeProtoSchema, {
        opType: "Identity",
        input: [nameOf(value)],
        output: [name],
        name: unique(`${name}/out`),
      }),
    );
  }
  const domains = new Set(nodesInOrder(Object.values(graph.outputs)).map((n) => n.domain));
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: IR_VERSION,
      producerName: "weft",
      opsetImport: ["", ...[...domains].filter((d) => d !== "")].map((domain) =>
        create(OperatorSetIdProtoSchema, { domain, version: domain === "" ? BigInt(OPSET) : 1n }),
      ),
      graph: create(GraphProtoSchema, {
        name: "weft",
        node,
        initializer: initializers,
        input: graph.inputs.map((value) => encodeValueInfo(nameOf(value), value)),
        output: Object.entries(graph.outputs).map(([name, value]) => encodeValueInfo(name, value)),
      }),
    }),
  );
}

/**
 * Read an ONNX model into graph objects.  dimensions: sizes for the symbolic dimensions that the inputs name.
 * Throws: ONNX_INVALID with what is wrong; never anything else, whatever the bytes are.
 */
export function decodeModel(bytes: Uint8Array, dimensions: Readonly<Record<string, number>> = {}): OnnxGraph {
  const model = parse(bytes);
  const graph = model.graph;
  if (!graph) throw new NodeError("ONNX_INVALID", "the ONNX model holds no graph");
  const values = new Map<string, OnnxValue>();
  for (const tensor of graph.initializer) values.set(tensor.name, decodeInitializer(tensor));
  const inputs: OnnxValue[] = [];
  for (const info of graph.input) {
    if (values.has(info.name)) continue;
    const value = decodeInput(info, dimensions);
    inputs.push(value);
    values.set(info.name, value);
  }
  for (const node of graph.node) {
    const read = node.input.map((name) => {
      if (name === "") return undefined;
      const value = values.get(name);
      if (!value)
        throw new NodeError(
          "ONNX_INVALID",
          `node ${node.name || node.opType} reads ${name}, which nothing before it makes`,
        );
      return value;
    });
    const attributes = Object.fromEntries(node.attribute.map((a) => [a.name, decodeAttribute(node.opType, a)]));
    const outputs = decodeNode(node.opType, read, {
      attributes,
      domain: node.domain === "ai.onnx" ? "" : node.domain,
      label: node.name,
      outputs: node.output.length,
    });
    for (const [i, name] of node.output.entries()) {
      const value = outputs[i];
      if (name !== "" && value) values.set(name, value);
    }
  }
  const outputs = graph.output.map((info) => {
    const value = values.get(info.name);
    if (!value) throw new NodeError("ONNX_INVALID", `output ${info.name} is not made by any node`);
    return [info.name, value] as const;
  });
  return { inputs, outputs: Object.fromEntries(outputs) };
}

function parse(bytes: Uint8Array) {
  try {
    return fromBinary(ModelProtoSchema, bytes);
  } catch (cause) {
    throw new NodeError("ONNX_INVALID", "the file is not an ONNX model: its protobuf does not parse", {}, { cause });
  }
}

function decodeNode(
  op: string,
  read: readonly (OnnxValue | undefined)[],
  options: { attributes: Attributes; domain: string; label: string; outputs: number },
): readonly OnnxValue[] {
  if (op === "Constant") {
    const attribute = options.attributes.value;
    if (attribute && "tensor" in attribute) return [constantValue(attribute.tensor)];
    throw new NodeError("ONNX_INVALID", `Constant ${options.label} holds no tensor`);
  }
  return applyAll(op, read, options);
}

function encodeInitializer(name: string, value: OnnxValue): TensorProto {
  const common = { name, dims: value.shape.map(BigInt), dataType: TYPE_CODES[value.dtype] };
  if (value.source.kind === "constant") {
    return create(TensorProtoSchema, { ...common, rawData: rawBytes(value.source.data) });
  }
  if (value.source.kind !== "external") throw new NodeError("ONNX_INVALID", `${name} is not an initializer`);
  const { location, offset, length } = value.source.range;
  return create(TensorProtoSchema, {
    ...common,
    dataLocation: 1,
    externalData: Object.entries({ location, offset: `${offset}`, length: `${length}` }).map(([key, text]) =>
      create(StringStringEntryProtoSchema, { key, value: text }),
    ),
  });
}

function decodeInitializer(tensor: TensorProto): OnnxValue {
  const dtype = DTYPES.get(tensor.dataType);
  if (!dtype)
    throw new NodeError(
      "ONNX_INVALID",
      `tensor ${tensor.name} has data type ${tensor.dataType}, which is not supported`,
    );
  const shape = shapeOf(tensor);
  if (tensor.dataLocation === 1) {
    const entries = new Map(tensor.externalData.map(({ key, value }) => [key, value]));
    const range = {
      location: entries.get("location") ?? "",
      offset: Number(entries.get("offset") ?? 0),
      length: Number(entries.get("length") ?? Number.NaN),
    };
    return externalValue(tensor.name, dtype, shape, range);
  }
  return constantValue({ dtype, shape, data: decodeData(tensor, dtype, shape) }, tensor.name);
}

function shapeOf(tensor: TensorProto): readonly number[] {
  const shape = tensor.dims.map(Number);
  if (!shape.every((n) => Number.isSafeInteger(n) && n >= 0) || !Number.isSafeInteger(sizeOf(shape))) {
    throw new NodeError("ONNX_INVALID", `tensor ${tensor.name} has the shape [${shape}]`);
  }
  return shape;
}

const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const;

function decodeData(tensor: TensorProto, dtype: Dtype, shape: readonly number[]): TensorData {
  const count = sizeOf(shape);
  const ArrayType = ARRAYS[dtype];
  const raw = tensor.rawData;
  if (raw.length > 0 || count === 0) {
    if (raw.length !== count * ArrayType.BYTES_PER_ELEMENT) {
      throw new NodeError("ONNX_INVALID", `tensor ${tensor.name} of shape [${shape}] has ${raw.length} bytes of data`);
    }
    return new ArrayType(raw.slice().buffer);
  }
  const listed = { float32: tensor.floatData, float64: tensor.doubleData, int64: tensor.int64Data }[dtype as "float32"];
  const values: readonly (number | bigint)[] = listed ?? tensor.int32Data;
  if (values.length !== count) {
    throw new NodeError("ONNX_INVALID", `tensor ${tensor.name} of shape [${shape}] has ${values.length} values`);
  }
  return dtype === "int64"
    ? BigInt64Array.from(values, BigInt)
    : (ArrayType as Float32ArrayConstructor).from(values, Number);
}

function rawBytes(data: TensorData): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function encodeAttribute(name: string, attribute: Attribute): AttributeProto {
  if ("int" in attribute) return create(AttributeProtoSchema, { name, type: 2, i: BigInt(attribute.int) });
  if ("float" in attribute) return create(AttributeProtoSchema, { name, type: 1, f: attribute.float });
  if ("string" in attribute)
    return create(AttributeProtoSchema, { name, type: 3, s: new TextEncoder().encode(attribute.string) });
  if ("ints" in attribute) return create(AttributeProtoSchema, { name, type: 7, ints: attribute.ints.map(BigInt) });
  if ("floats" in attribute) return create(AttributeProtoSchema, { name, type: 6, floats: [...attribute.floats] });
  const { dtype, shape, data } = attribute.tensor;
  const t = create(TensorProtoSchema, {
    dims: shape.map(BigInt),
    dataType: TYPE_CODES[dtype],
    rawData: rawBytes(data),
  });
  return create(AttributeProtoSchema, { name, type: 4, t });
}

function decodeAttribute(op: string, attribute: AttributeProto): Attribute {
  switch (attribute.type) {
    case 1:
      return { float: attribute.f };
    case 2:
      return { int: Number(attribute.i) };
    case 3:
      return { string: new TextDecoder().decode(attribute.s) };
    case 6:
      return { floats: attribute.floats };
    case 7:
      return { ints: attribute.ints.map(Number) };
    case 4: {
      const t = attribute.t;
      const dtype = t && DTYPES.get(t.dataType);
      if (t && dtype) return { tensor: { dtype, shape: shapeOf(t), data: decodeData(t, dtype, shapeOf(t)) } };
    }
  }
  throw new NodeError(
    "ONNX_INVALID",
    `${op} has the attribute ${attribute.name} of type ${attribute.type}, which is not supported`,
  );
}

function encodeValueInfo(name: string, value: OnnxValue): ValueInfoProto {
  const dim = value.shape.map((n) =>
    create(TensorShapeProto_DimensionSchema, { value: { case: "dimValue", value: BigInt(n) } }),
  );
  const tensor = create(TypeProto_TensorSchema, {
    elemType: TYPE_CODES[value.dtype],
    shape: create(TensorShapeProtoSchema, { dim }),
  });
  const type = create(TypeProtoSchema, { value: { case: "tensorType", value: tensor } });
  return create(ValueInfoProtoSchema, { name, type });
}

function decodeInput(info: ValueInfoProto, dimensions: Readonly<Record<string, number>>): OnnxValue {
  const type = info.type?.value;
  const dtype = type?.case === "tensorType" ? DTYPES.get(type.value.elemType) : undefined;
  if (type?.case !== "tensorType" || !dtype) {
    throw new NodeError("ONNX_INVALID", `input ${info.name} is not a tensor of a supported data type`);
  }
  const shape = (type.value.shape?.dim ?? []).map(({ value }, axis) => {
    if (value.case === "dimValue") return Number(value.value);
    const size = value.case === "dimParam" ? dimensions[value.value] : undefined;
    if (size !== undefined) return size;
    const name = value.case === "dimParam" ? `"${value.value}"` : `${axis}`;
    throw new NodeError("ONNX_INVALID", `input ${info.name}: dimension ${name} has no size; give one`);
  });
  return inputValue(info.name, dtype, shape);
}

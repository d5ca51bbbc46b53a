/**
 * ONNX models as bytes. Names are given here, in execution order, so that equal graphs give equal bytes. Protobuf is
 * touched here and in `tensor-proto.ts` only.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { NodeError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
import { CODE_BY_DTYPE } from "./dtype.ts";
import { executionOrder } from "./execution-order.ts";
import { nodesInOrder } from "./graph.ts";
import { type DecodeOptions, importModel } from "./import.ts";
import type { TensorProto, ValueInfoProto } from "./onnx_pb.ts";
import {
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  TensorProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
} from "./onnx_pb.ts";
import { decodeTensorProto, encodeAttribute, encodeInitializer } from "./tensor-proto.ts";
import type { OnnxGraph, OnnxNode, OnnxValue } from "./value.ts";
import { checkWire } from "./wire-bounds.ts";

/** Operator set of the graphs that weft builds; onnxruntime 1.30 implements it wholly. */
export const OPSET = 21;
/** IR version that goes with opset 21. */
const IR_VERSION = 10n;

/** Serialise a graph as an ONNX model. */
export function encodeModel(graph: OnnxGraph): Uint8Array {
  const names = new Map<OnnxValue, string>();
  const initializers: TensorProto[] = [];
  const outputNames = new Map(Object.entries(graph.outputs).map(([name, value]) => [value, name]));
  const taken = new Set<string>(outputNames.values());
  for (const value of graph.inputs) {
    if (value.source.kind === "input") taken.add(value.source.name);
  }
  // Names are never given back, so all below the last number of a name stay taken.
  const numbers = new Map<string, number>();
  const unique = (wanted: string): string => {
    let i = numbers.get(wanted) ?? 0;
    let name = i === 0 ? wanted : `${wanted}_${i}`;
    while (taken.has(name)) {
      i += 1;
      name = `${wanted}_${i}`;
    }
    numbers.set(wanted, i);
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

  const node = executionOrder(Object.values(graph.outputs)).map((n, index) => {
    const input = n.inputs.map(nameOf);
    const output = n.outputs.map((value, i) => {
      const name = outputNames.get(value) ?? unique(`v${index}${i ? `_${i}` : ""}`);
      names.set(value, name);
      return name;
    });
    return create(NodeProtoSchema, {
      opType: n.op,
      domain: n.domain,
      name: unique(nodeName(n, index)),
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
 * Read an ONNX model (operator sets 11 to 24, and common ones of com.microsoft) into a graph of operator set 21.
 * options: sizes of open dimensions, inputs known now, outputs wanted.
 * Throws: ONNX_INVALID with what is wrong and where; never anything else, whatever the bytes are.
 */
export function decodeModel(bytes: Uint8Array, options: DecodeOptions = {}): OnnxGraph {
  checkWire(bytes);
  const model = parsed(() => fromBinary(ModelProtoSchema, bytes, { readUnknownFields: false }));
  try {
    return importModel(model, options);
  } catch (error) {
    if (error instanceof NodeError) throw error;
    if (!(error instanceof RangeError)) throw error;
    throw new NodeError("ONNX_INVALID", `the ONNX model cannot be read: ${error.message}`, {}, { cause: error });
  }
}

/**
 * The model with other values for some of its weights, by name; everything else, open dimensions and external weights
 * included, stays as it is.  values: f32, of the weight's size.
 * Throws: ONNX_INVALID for a name that is no float32 weight, or values of another size.
 */
export function replaceWeights(bytes: Uint8Array, values: ReadonlyMap<string, Float32Array>): Uint8Array {
  checkWire(bytes);
  const model = parsed(() => fromBinary(ModelProtoSchema, bytes));
  const stored = new Map((model.graph?.initializer ?? []).map((tensor) => [tensor.name, tensor]));
  for (const [name, data] of values) {
    const tensor = stored.get(name);
    const count = tensor?.dims.reduce((product, n) => product * Number(n), 1);
    if (!tensor || tensor.dataType !== CODE_BY_DTYPE.float32 || count !== data.length) {
      throw new NodeError("ONNX_INVALID", `the model has no float32 weight ${name} of ${data.length} values`);
    }
    const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
    const { dims, dataType } = tensor;
    Object.assign(tensor, create(TensorProtoSchema, { name, dims, dataType, rawData }));
  }
  return toBinary(ModelProtoSchema, model);
}

/** Read a serialised TensorProto, the form in which ONNX test data comes.  Throws: ONNX_INVALID. */
export function decodeTensor(bytes: Uint8Array): Tensor {
  return decodeTensorProto(parsed(() => fromBinary(TensorProtoSchema, bytes, { readUnknownFields: false })));
}

function parsed<T>(parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw new NodeError("ONNX_INVALID", "the file is not an ONNX model: its protobuf does not parse", {}, { cause });
  }
}

function encodeValueInfo(name: string, value: OnnxValue): ValueInfoProto {
  const dim = value.shape.map((n) =>
    create(TensorShapeProto_DimensionSchema, { value: { case: "dimValue", value: BigInt(n) } }),
  );
  const tensor = create(TypeProto_TensorSchema, {
    elemType: CODE_BY_DTYPE[value.dtype],
    shape: create(TensorShapeProtoSchema, { dim }),
  });
  const type = create(TypeProtoSchema, { value: { case: "tensorType", value: tensor } });
  return create(ValueInfoProtoSchema, { name, type });
}

/** A label that already ends in the operator is not made longer, so that reading and writing again changes nothing. */
function nodeName({ op, label }: OnnxNode, index: number): string {
  if (label === "") return `${op}_${index}`;
  return label.endsWith(op) || label.includes(`/${op}_`) ? label : `${label}/${op}`;
}
